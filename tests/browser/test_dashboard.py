"""The back office's first page in a real browser: it tells what happens while one looks at it."""

from __future__ import annotations

import gzip
import queue
from typing import Any

import pytest
import requests
import socketio
from playwright.sync_api import Page, Response, expect

from tests.browser import pictures
from tests.browser.back_office import Desk, paid_order
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import block_sockets
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop

DESK_WIDTH = 1280
MOST_BYTES = 60_000
NEWS_SECONDS = 20
POLL_MS = 30_000


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    return desk


def card(page: Page, label: str) -> Any:
    """The value that stands under a figure's name."""
    return page.locator(".figures .card").filter(has=page.get_by_text(label, exact=True))


def test_a_payment_is_seen_without_touching_the_page(desk: Desk, shop: LiveShop):
    """By news over the socket, long before the page would look by itself."""
    page = desk.page
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "live")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.evaluate("window.staysHere = true")
    before = int(card(page, "Successful").locator("dd").inner_text())
    payment, total = paid_order(shop)
    expect(card(page, "Successful").locator("dd")).to_have_text(str(before + 1))
    expect(page.get_by_role("link", name=payment)).to_be_visible()
    expect(card(page, "Takings today")).to_contain_text(f"KES {total:,}")
    drawn = page.evaluate("document.querySelectorAll('.plot canvas').length")
    assert drawn == 4, "and the table under each is folded"
    expect(page.locator("[data-part=takings] table")).to_be_hidden()
    page.get_by_text("The numbers").first.click()
    newest = page.locator("[data-part=takings] tbody tr").last
    expect(newest).to_contain_text(f"KES {total:,}")
    assert page.evaluate("window.staysHere") is True


def test_the_page_fits_a_phone_and_a_desk_by_hours_and_by_days(desk: Desk, shop: LiveShop):
    page = desk.page
    for days in ("Today", "7 days", "30 days"):
        page.get_by_role("navigation", name="How many days").get_by_text(days).click()
        expect(page.get_by_text(days, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.locator(".plot canvas")).to_have_count(4)
        for width in (360, DESK_WIDTH):
            page.set_viewport_size({"width": width, "height": 740})
            canvas = page.locator(".plot canvas").first
            inside = "(canvas) => canvas.clientWidth > 0.6 * canvas.closest('.plot').clientWidth"
            page.wait_for_function(inside, arg=canvas.element_handle())
            assert page.evaluate(STICKING_OUT) == [], (days, width)
        pictures.take(page, f"dashboard-{days.replace(' ', '-')}")


def test_without_scripts_the_tables_are_all_there_is(new_context: NewContext, shop: LiveShop):
    desk = Desk(new_context(360, java_script_enabled=False))
    desk.sign_in(ADMIN, shop.password)
    for name in ("takings", "success", "speed", "callbacks"):
        expect(desk.page.locator(f"[data-part={name}] table")).to_be_visible()
    expect(desk.page.locator(".plot")).to_have_count(4)
    expect(desk.page.locator(".plot >> visible=true")).to_have_count(0)
    expect(desk.page.get_by_text("Reload to update")).to_be_visible()


def test_without_sockets_the_page_looks_again_by_itself(
    new_context: NewContext, shop: LiveShop, console: Console
):
    console.expect(FAILED_REQUEST, "WebSocket connection to")
    context = new_context(DESK_WIDTH)
    block_sockets(context)
    desk = Desk(context)
    desk.page.clock.install()
    desk.sign_in(ADMIN, shop.password)
    page = desk.page
    expect(page.get_by_text("Updates every 30 s")).to_be_visible()
    payment, _ = paid_order(shop)
    with page.expect_response("**/admin"):
        page.clock.fast_forward(POLL_MS)
    expect(page.get_by_role("link", name=payment)).to_be_visible()


def test_the_first_page_is_light(desk: Desk, new_context: NewContext):
    page = new_context(DESK_WIDTH, storage_state=desk.context.storage_state()).new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/admin", wait_until="networkidle")
    sizes = {answer.url: len(gzip.compress(answer.body())) for answer in answers if answer.ok}
    assert any("uPlot" in url for url in sizes)
    assert sum(sizes.values()) < MOST_BYTES, sizes


class Ear:
    """A socket that keeps whatever it is told."""

    def __init__(self, shop: LiveShop, email: str) -> None:
        path = f"{shop.base_url}/api/auth/login"
        body = {"email": email, "password": shop.password}
        token = requests.post(path, json=body, timeout=20).json()["access_token"]
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.socket = socketio.Client(reconnection=False)
        self.socket.on("*", lambda event, body: self.heard.put((event, body)))
        self.socket.connect(shop.base_url, auth={"token": token}, transports=["websocket"])


def test_e1_a_shopper_who_asks_for_the_back_office_s_news_hears_none(shop: LiveShop):
    """E1: and the back office's own news says no more than that there is some."""
    staff, shopper = Ear(shop, ADMIN), Ear(shop, SHOPPER)
    try:
        for room in ("staff", "admins"):
            asked = {"order_id": room, "room": room}
            assert shopper.socket.call("subscribe", asked, timeout=10) == {"ok": False}
        paid_order(shop)
        assert staff.heard.get(timeout=NEWS_SECONDS) == ("shop_changed", {})
        heard = [shopper.heard.get(timeout=NEWS_SECONDS)]
        while not shopper.heard.empty():
            heard.append(shopper.heard.get())
        assert {event for event, _ in heard} == {"payment_update"}, "of the own payment"
    finally:
        staff.socket.disconnect()
        shopper.socket.disconnect()
