"""Paying without a mouse, and with ears instead of eyes."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import Handset, Shopper, pay_button, phone_field

MOST_TABS = 60
_HEAR = """() => {
  window.spoken = [];
  const region = document.querySelector("dialog [aria-live]");
  const note = () => window.spoken.push(region.querySelector("h2").textContent);
  const every = { childList: true, characterData: true, subtree: true };
  new MutationObserver(note).observe(region, every);
}"""
#: Whether the focus has gone behind the dialog; the browser's own bars count as nowhere.
_IS_BEHIND = """() => {
  const focused = document.activeElement;
  return focused !== document.body && !focused.closest("dialog");
}"""


def test_from_cart_to_receipt_everything_can_be_done_by_keyboard(
    shopper: Shopper, handset: Handset
):
    """S2-35, S2-37, S2-41: the focus is always somewhere useful, and changes are spoken."""
    page = shopper.page
    shopper.put_in_cart()
    _tab_to(page, page.get_by_role("link", name="Go to checkout"))
    page.keyboard.press("Enter")
    pay_button(page).wait_for()
    page.wait_for_load_state()
    page.evaluate(_HEAR)
    _tab_to(page, phone_field(page))
    page.keyboard.type(shopper.typed_phone)
    _tab_to(page, pay_button(page))
    page.keyboard.press("Enter")
    shopper.sees("Check your phone")
    _focus_stays_in_dialog(page)

    handset.enter_pin()
    shopper.sees("Paid. Thank you!")
    expect(shopper.dialog.get_by_role("link", name="See your order")).to_be_focused()
    spoken = page.evaluate("window.spoken")
    assert list(dict.fromkeys(spoken)) == ["Check your phone", "Paid. Thank you!"]

    page.keyboard.press("Enter")
    page.wait_for_url("**/order-success*")
    _tab_to(page, page.get_by_role("link", name="See the receipt"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Receipt", exact=True)).to_be_visible()


def test_escape_leads_to_the_order_page_and_the_payment_is_not_lost(
    shopper: Shopper, handset: Handset
):
    """S2-35, S2-40: a closed dialog is no end; the order page follows the payment."""
    page = shopper.page
    shopper.buy()
    order = shopper.newest_order()
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/orders/{order['id']}*")
    expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()
    expect(shopper.dialog).to_be_hidden()

    _tab_to(page, page.get_by_role("button", name="Follow this payment"))
    page.keyboard.press("Enter")
    shopper.sees("Check your phone")
    page.keyboard.press("Escape")
    expect(shopper.dialog).to_be_hidden()
    handset.enter_pin()
    expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    assert shopper.newest_order()["status"] == "paid"


def test_close_leads_to_the_order_page_where_the_dialog_can_be_opened_again(
    shopper: Shopper, handset: Handset
):
    """S2-35, S2-37: whoever closed the dialog by mistake comes back to it and to success."""
    shopper.buy()
    shopper.dialog.get_by_role("button", name="Close").click()
    expect(shopper.page).to_have_url(re.compile("/orders/"))
    shopper.page.get_by_role("button", name="Follow this payment").click()
    shopper.sees("Check your phone")
    handset.enter_pin()
    shopper.sees_success()


def _tab_to(page: Page, wanted: Locator) -> None:
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{MOST_TABS} times Tab never came to {wanted}")


def _focus_stays_in_dialog(page: Page) -> None:
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    for key in ("Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(key)
        assert not page.evaluate(_IS_BEHIND)
