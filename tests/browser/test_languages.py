"""The whole road in Swahili, on a phone's screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser import pictures
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import MATCHBOX, Handset, Shopper
from tests.support.swahili import sw

_WIDER_THAN_THE_SCREEN = "document.documentElement.scrollWidth > window.innerWidth"


def fits(page: Page, name: str) -> None:
    """Picture a page, which is in Swahili and no wider than the phone."""
    pictures.take(page, f"sw-{name}")
    expect(page.locator("html")).to_have_attribute("lang", "sw")
    assert not page.evaluate(_WIDER_THAN_THE_SCREEN), f"{name} scrolls sideways"


def test_a_shopper_chooses_swahili_once_and_pays_in_it_to_the_receipt(
    shopper: Shopper, new_handset: Callable[[str], Handset]
) -> None:
    page = shopper.page
    shopper.put_in_cart(MATCHBOX)
    page.get_by_role("button", name="Kiswahili").first.click()
    expect(page).to_have_url(re.compile(r"/cart\??$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(sw("Your cart"))
    fits(page, "cart")
    page.get_by_role("link", name=sw("Go to checkout")).click()
    fits(page, "checkout")
    page.wait_for_load_state()
    page.get_by_role("button", name=re.compile("^Lipa Ksh 10")).click()
    shopper.sees(sw("Check your phone"))
    fits(page, "dialog-waiting")

    handset = new_handset(shopper.msisdn)
    handset.cancel()
    shopper.sees(sw("You cancelled the payment"), sw("You can try again."))
    fits(page, "dialog-cancelled")
    page.get_by_role("button", name=sw("Retry"), exact=True).first.click()
    handset.enter_pin()
    page.wait_for_url("**/order-success*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Asante")
    fits(page, "success")
    page.get_by_role("link", name=sw("See the receipt")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Risiti")
    fits(page, "receipt")


def test_whoever_asks_for_swahili_in_the_browser_needs_to_choose_nothing(
    shopper: Shopper, console: Console
) -> None:
    console.expect(FAILED_REQUEST)
    shopper.context.set_extra_http_headers({"Accept-Language": "sw-KE,en;q=0.5"})
    for path in ("/", "/orders", "/account", "/sign-in", "/nothing"):
        shopper.page.goto(path)
        fits(shopper.page, path.strip("/") or "shelves")
