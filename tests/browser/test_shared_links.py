"""An order and its receipt in other people's hands: by links, on phones without an account."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import pictures
from tests.browser.conftest import NewContext
from tests.browser.people import Handset, Shopper, new_msisdn, phone_field
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop, live_shop
from tests.support.pdf import words_of


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop whose paybill is registered, so that its orders can be paid by hand."""
    with live_shop() as running:
        done = running.flask("c2b", "register")
        assert done.returncode == 0, done.stdout + done.stderr
        yield running


def _order(owner: Shopper, shop: LiveShop) -> str:
    """Place an order without paying it; return its page's path."""
    answer = owner.context.request.post(
        "/api/orders",
        data={"items": [{"product_id": 1, "quantity": 1}]},
        headers={"Origin": shop.base_url},
    )
    assert answer.ok, answer.text()
    return f"/orders/{answer.json()['id']}"


def _link(page: Page, rung: str | None = None) -> str:
    """Make a link on this page and return its path."""
    if rung:
        page.get_by_text(rung).click()
    page.get_by_role("button", name="Make a link", exact=True).click()
    if rung and not page.get_by_label("Link to copy").is_visible():
        page.get_by_text(rung).click()
    address = page.get_by_label("Link to copy").input_value()
    expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    return re.sub("^https?://[^/]+", "", address)


def test_somebody_else_pays_by_a_link_and_sees_the_receipt(
    shop: LiveShop,
    new_context: NewContext,
    new_handset: Callable[[str], Handset],
    simulator: Daraja,
    tmp_path: Path,
):
    owner = Shopper(new_context(java_script_enabled=False), new_msisdn())
    owner.register()
    path = _order(owner, shop)
    owner.page.goto(path)
    link = _link(owner.page, "Ask somebody else to pay")
    pictures.take(owner.page, "link-made")

    msisdn = new_msisdn()
    page = new_context().new_page()
    page.goto(link)
    page.get_by_text("Scan a QR code instead").click()
    picture = page.get_by_role("img", name=re.compile("M-Pesa QR code"))
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("picture => picture.naturalWidth") > 100, "the simulator drew it"
    pictures.take(page, "link-to-pay")
    phone_field(page).first.fill(f"0{msisdn[3:]}")
    page.get_by_role("button", name="Send the prompt").click()
    expect(page.get_by_role("dialog")).to_contain_text("Check your phone")
    new_handset(msisdn).enter_pin()
    expect(page.get_by_role("heading", name="Paid. Thank you!").first).to_be_visible()
    code = simulator.ledger()[-1]["receipt"]
    expect(page.locator("body")).to_contain_text(code)
    assert owner.name not in page.content()

    owner.page.goto(path)
    owner.page.get_by_role("link", name="See the receipt").click()
    receipt_link = _link(owner.page)
    pictures.take(owner.page, "receipt-shared")
    with owner.page.expect_download() as download:
        owner.page.get_by_role("link", name="Save as PDF").click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert re.fullmatch(r"RCP\w+\.pdf", kept.name)
    assert code in words_of(kept.read_bytes())

    page.goto(receipt_link)
    expect(page.get_by_role("article")).to_contain_text(code)
    expect(page.get_by_role("article")).to_contain_text("Amina")
    pictures.take(page, "receipt-by-link")
    assert owner.name not in page.content()


def test_the_link_is_copied_by_a_button_where_scripts_run(
    shop: LiveShop, new_context: NewContext, shopper: Shopper
):
    shopper.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = shopper.page
    page.goto(_order(shopper, shop))
    link = _link(page, "Ask somebody else to pay")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(link)
    stranger = new_context().new_page()
    stranger.goto(copied)
    expect(stranger.get_by_role("heading", name="What it is for")).to_be_visible()
