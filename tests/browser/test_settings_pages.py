"""The settings in a real browser: registered, proven, and looked over before real money."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser import pictures
from tests.browser.back_office import Desk
from tests.browser.conftest import NewContext
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.simulator.client import eventually
from tests.support.live_shop import ADMIN, LiveShop, live_shop

DESK_WIDTH = 1280
PHONE = "254712000333"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop() as shop:
        yield shop


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    return desk


def look(page: Page, name: str) -> None:
    """Picture a page, and see that nothing sticks out of a phone's screen or a desk's."""
    for width in (360, DESK_WIDTH):
        page.set_viewport_size({"width": width, "height": 740})
        out = page.evaluate(STICKING_OUT)
        assert [part for part in out if not part.startswith("<input")] == [], (name, width)
    pictures.take(page, name)


def told(desk: Desk, words: str) -> list[str]:
    """The page of news about the paybill, once it tells something."""
    page = desk.context.request.get("/admin/paybill").text()
    return [page] if words in page else []


def test_the_owner_registers_the_paybill_proves_the_account_and_sees_what_is_missing(
    desk: Desk, shop: LiveShop
) -> None:
    page = desk.page
    page.goto(f"{shop.base_url}/admin/settings")
    page.get_by_role("button", name="Register the paybill").click()
    expect(page.get_by_role("button", name="Register again")).to_be_visible()
    for name in ("Consumer key and secret", "Shortcode and passkey", "Callback address"):
        page.get_by_role("button", name=f"Prove it {name}").click()
        expect(page.get_by_role("heading", name=f"{name}: ✓ Proven")).to_be_visible()
    page.get_by_role("button", name="Prove it Initiator").click()
    # The page looks again by itself until the answer has come.
    expect(page.get_by_role("heading", name="Initiator: ✓ Proven")).to_be_visible(timeout=20_000)
    look(page, "settings")
    page.get_by_role("link", name="Ready for real money?").click()
    expect(page.get_by_role("heading", name="Environment")).to_be_visible()
    look(page, "go-live")


def test_what_is_paid_by_hand_is_listed_and_the_unknown_is_told(desk: Desk, shop: LiveShop) -> None:
    page = desk.page
    page.goto(f"{shop.base_url}/admin/settings")
    page.get_by_role("button", name="Register").click()
    pay = {"shortcode": "174379", "account": "MAMA SHIRO", "amount": 300, "pin": "1234"}
    url = f"{shop.simulator_url}/simulator/api/phones/{PHONE}/pay"
    assert requests.post(url, json=pay, timeout=20).json()["status"] == "completed"
    # Whoever knows the address of the paybill's door, and nothing else, is doubted.
    forged = {"TransID": "UKL7FORGED", "TransAmount": "900.00", "BillRefNumber": "K7QM2XWA"}
    path = f"{shop.base_url}/pay/c2b/{'0' * 48}/confirmation"
    assert requests.post(path, json=forged, timeout=20).status_code == 200
    answer = eventually(lambda: told(desk, "MAMA SHIRO"))
    assert "UKL7FORGED" in answer[0]
    page.goto(f"{shop.base_url}/admin/paybill")
    expect(page.get_by_text("UKL7FORGED").first).to_be_visible()
    look(page, "paybill")
    page.goto(f"{shop.base_url}/admin")
    expect(page.get_by_text("MAMA SHIRO").first).to_be_visible()
