"""What holds for every page of the road: it fits a small screen, and it is light."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser import pictures
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import Handset, Shopper, pay_button

SMALL_WIDTH = 360
DESK_WIDTH = 1280
EMPTY_PAGES = ("/", "/sign-in", "/register", "/account", "/cart", "/orders", "/order-success")
FULL_PAGES = ("/orders", "/order-success", "/no-such-page", "/simulator/")
MOST_BYTES = 30_000
PAPER = frozenset({"document", "stylesheet", "script"})
#: What sticks out of the screen, or out of a box that cuts it off.
_STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const boxes = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && !element.closest(".sr, .skip, svg, thead"));
  const isOut = (element) => element.getBoundingClientRect().right > width + 1;
  const isCut = (element) => element.scrollWidth > element.clientWidth + 1
    && ["hidden", "clip", "auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const out = boxes.filter((element) => isOut(element) || isCut(element));
  if (document.documentElement.scrollWidth > width) out.push(document.documentElement);
  return out.map((element) => element.outerHTML.slice(0, 120));
}"""


def test_no_page_of_the_road_is_wider_than_a_small_phone(
    shopper: Shopper, handset: Handset, console: Console
):
    """S2-33 to S2-41 on the phones that most people have: 360 pixels wide."""
    console.expect(FAILED_REQUEST)
    assert shopper.page.viewport_size == {"width": SMALL_WIDTH, "height": 740}
    for name in _road(shopper, handset):
        pictures.take(shopper.page, f"road-{name}")
        assert shopper.page.evaluate(_STICKING_OUT) == [], name


def _road(shopper: Shopper, handset: Handset) -> Iterator[str]:
    """Go the whole road, cancelled once, and stop at every page and state of it."""
    yield from _pages("empty", shopper.page, *EMPTY_PAGES)
    yield from _up_to_the_prompt(shopper)
    yield from _cancelled_and_sent_again(shopper, handset)
    handset.enter_pin()
    expect(shopper.page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    yield "order-paid"
    yield from _pages("full", shopper.page, *FULL_PAGES)
    shopper.page.goto("/order-success")
    shopper.page.get_by_role("link", name="See the receipt").click()
    yield "receipt"


def _pages(state: str, page: Page, *paths: str) -> Iterator[str]:
    for path in paths:
        page.goto(path)
        yield f"{state}{path.rstrip('/').replace('/', '-')}"


def _up_to_the_prompt(shopper: Shopper) -> Iterator[str]:
    # Long names, and the highest price on the shelf.
    for slug in ("mpesa-bookkeeping", "exercise-books-12", "wheelbarrow"):
        shopper.put_in_cart(slug)
    yield "cart"
    shopper.page.goto("/checkout")
    yield "checkout"
    shopper.press_pay()
    shopper.sees("Check your phone")
    yield "waiting"


def _cancelled_and_sent_again(shopper: Shopper, handset: Handset) -> Iterator[str]:
    page = shopper.page
    handset.cancel()
    shopper.sees("You cancelled the payment")
    yield "cancelled"
    shopper.dialog.get_by_role("button", name="Close").click()
    again = page.get_by_role("button", name="Send the prompt")
    expect(again).to_be_visible()
    yield "order-cancelled"
    again.click()
    handset.sees_prompt()
    shopper.dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Follow this payment")).to_be_visible()
    yield "order-waiting"


def test_the_checkout_page_with_its_styles_and_scripts_is_lighter_than_30_kilobytes(
    shopper: Shopper, new_context: NewContext, capsys: pytest.CaptureFixture[str]
):
    """A first payment over a thin network: HTML, CSS and our own JavaScript, gzipped."""
    shopper.put_in_cart()
    answers: list[Response] = []
    # The same person in a browser that has nothing in its cache yet.
    page = new_context(storage_state=shopper.context.storage_state()).new_page()
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/checkout", wait_until="networkidle")
    expect(pay_button(page)).to_be_visible()
    sizes = {
        urlsplit(answer.url).path: len(gzip.compress(answer.body()))
        for answer in answers
        if _counts(answer)
    }
    with capsys.disabled():
        print("\nThe checkout page, gzipped:", sum(sizes.values()), "bytes", sizes)
    assert {Path(path).suffix for path in sizes} == {"", ".css", ".js"}
    assert sum(sizes.values()) < MOST_BYTES


def _counts(answer: Response) -> bool:
    ours = "/vendor/" not in answer.url
    return answer.ok and ours and answer.request.resource_type in PAPER


def test_nothing_sticks_out_on_a_desk_either(shopper: Shopper):
    """The same pages at 1280 pixels."""
    shopper.go_to_checkout()
    shopper.page.set_viewport_size({"width": DESK_WIDTH, "height": 740})
    for name in _pages("desk", shopper.page, "/", "/cart", "/checkout", "/orders", "/account"):
        assert shopper.page.evaluate(_STICKING_OUT) == [], name
