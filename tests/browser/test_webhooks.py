"""Webhooks in a real browser: an endpoint is added, tried, told of a payment, and paused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import pictures
from tests.browser.back_office import Desk, paid_order
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.journeys.test_workers import wait_until
from tests.rooms.webhooks.listening import PATIENCE, Listening
from tests.support.live_shop import ADMIN, LiveShop, live_shop

DESK_WIDTH = 1280
SCRIPT = b"<script>document.title = 'stolen'</script>"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop() as shop:
        yield shop


@pytest.fixture
def page(new_context: NewContext, shop: LiveShop) -> Page:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    return desk.page


def look(page: Page, name: str) -> None:
    """Picture a page, and see that nothing sticks out of a phone's screen or a desk's."""
    page.wait_for_load_state()
    for width in (360, DESK_WIDTH):
        page.set_viewport_size({"width": width, "height": 740})
        out = page.evaluate(STICKING_OUT)
        assert [part for part in out if not part.startswith("<input")] == [], (name, width)
    pictures.take(page, name)


def is_delivered(page: Page) -> bool:
    """Load the log again; tell whether all that it has was delivered."""
    page.reload()
    return page.get_by_text("Delivered", exact=True).count() == 3


def test_an_endpoint_is_added_tried_told_of_a_payment_and_paused(
    page: Page, shop: LiveShop, console: Console
) -> None:
    # A form that is refused is answered with 400, which the browser tells in its console.
    console.expect(FAILED_REQUEST)
    with Listening() as listening:
        listening.answer = SCRIPT
        page.goto("/admin/webhooks")
        look(page, "webhooks-none")
        page.get_by_label("Address").fill("https://10.0.0.1/news")
        page.get_by_label("A payment came in").check()
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("alert")).to_contain_text("not an address of the internet")
        expect(page.get_by_label("A payment came in")).to_be_checked()
        look(page, "webhooks-refused")

        page.get_by_label("Address").fill(listening.url)
        page.get_by_role("button", name="Add it").click()
        secret = page.locator("#secret").inner_text()
        look(page, "webhook-new")
        page.get_by_role("button", name="Send a test").click()
        heard = listening.wait()
        assert heard.marks == [heard.mark_by(secret)]
        assert heard.body["type"] == "webhook.test"

        payment, total = paid_order(shop)
        told = listening.wait().body
        assert told["type"] == "payment.completed"
        assert told["data"]["transaction_id"] == payment
        assert told["data"]["amount"] == total
        row = page.get_by_role("row").filter(has_text="payment.completed")
        wait_until(lambda: is_delivered(page), PATIENCE)
        expect(row).to_contain_text(SCRIPT.decode())
        assert page.title() != "stolen"
        assert secret not in page.content()
        look(page, "webhook-log")

        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Paused since")).to_be_visible()
        look(page, "webhook-paused")
        page.goto("/admin/webhooks")
        look(page, "webhooks")
