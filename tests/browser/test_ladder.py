"""The ways to pay beside the first prompt: each of them pays, and none of them twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import pictures
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.full_shop import Clerk
from tests.browser.people import Handset, Shopper, money_from, new_msisdn, phone_field
from tests.browser.test_keyboard import _tab_to as tab_to
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.simulator.client import Daraja
from tests.support.live_shop import ADMIN, LiveShop, live_shop

#: A phone of the simulator's on which another M-Pesa menu is open (result code 1001).
BUSY_PHONE = "0799001001"
OTHER_WAYS = "Other ways to pay"
BY_HAND = "Pay by hand at the paybill"
#: After so long an open page has looked whether its order was paid by another way.
WATCH_MS = 11_000
#: Money by hand is told by M-Pesa a moment after it has moved.
MOST_LOOKS = 40


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop that hears of what is paid at its paybill."""
    with live_shop() as shop:
        admin = Clerk(shop, ADMIN)
        admin.send("/admin/settings/paybill/register")
        admin.close()
        yield shop


def rung(page: Page, words: str) -> Locator:
    return page.locator("details.rung").filter(has_text=words)


def open_rung(page: Page, words: str) -> Locator:
    """Open the dialog's other ways, and one of them."""
    others = page.get_by_role("dialog").locator("details.others")
    if others.get_attribute("open") is None:
        others.get_by_text(OTHER_WAYS).click()
    found = rung(page, words)
    expect(found).to_be_visible()
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def pay_by_hand(simulator: Daraja, inside: Locator, msisdn: str, amount: int) -> None:
    """Type at the phone what the rung says."""
    paybill, account = inside.locator("dd .number").all_inner_texts()
    pay = {"shortcode": paybill, "account": account, "amount": amount, "pin": "1234"}
    url = f"{simulator.base_url}/simulator/api/phones/{msisdn}/pay"
    assert simulator.session.post(url, json=pay, timeout=20).json()["status"] == "completed"


def look(page: Page, name: str) -> None:
    pictures.take(page, name)
    # A field that is shorter than the link in it is as it should be.
    out = [part for part in page.evaluate(STICKING_OUT) if not part.startswith("<input")]
    assert out == [], name


def test_while_a_prompt_is_live_the_other_ways_are_locked_and_afterwards_by_hand_pays(
    shopper: Shopper, handset: Handset, simulator: Daraja
) -> None:
    """The dialog and a second device learn of money that came by another way."""
    shopper.buy()
    page = shopper.page
    page.get_by_role("dialog").get_by_text(OTHER_WAYS).click()
    expect(page.locator(".ladder")).to_contain_text("so that nobody pays twice")
    expect(rung(page, BY_HAND)).to_have_count(0)
    look(page, "ladder-locked")
    handset.cancel()
    shopper.sees("You cancelled the payment")
    inside = open_rung(page, BY_HAND)
    look(page, "ladder-by-hand")

    other = shopper.context.new_page()
    other.clock.install()
    other.goto(f"/orders/{shopper.newest_order()['id']}")
    expect(rung(other, BY_HAND)).to_be_visible()
    look(other, "ladder-order-page")
    pay_by_hand(simulator, inside, shopper.msisdn, 10)
    shopper.sees_success()
    other.clock.fast_forward(WATCH_MS)
    expect(other.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    expect(rung(other, BY_HAND)).to_have_count(0)
    assert money_from(simulator, shopper.msisdn) == [10]


def test_a_reload_in_mid_payment_finds_the_order_and_back_leads_to_the_cart(
    shopper: Shopper, handset: Handset
) -> None:
    shopper.buy()
    page = shopper.page
    page.reload()
    expect(page).to_have_url(re.compile("/orders/"))
    shopper.sees("Check your phone")
    handset.enter_pin()
    shopper.sees_success()
    page.go_back()
    expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("/cart$"))


def test_a_prompt_that_comes_again_by_itself_is_announced_and_can_be_called_off(
    shopper: Shopper,
) -> None:
    shopper.go_to_checkout()
    phone_field(shopper.page).fill(BUSY_PHONE)
    shopper.press_pay()
    shopper.sees("Another M-Pesa menu is open")
    no_more = shopper.dialog.get_by_role("button", name="Do not ask again")
    expect(no_more).to_be_visible()
    look(shopper.page, "ladder-asks-again")
    no_more.click()
    expect(no_more).to_be_hidden()
    shopper.page.reload()
    expect(shopper.page.get_by_role("button", name="Send the prompt")).to_be_visible()
    expect(shopper.page.get_by_role("button", name="Do not ask again")).to_have_count(0)


def test_by_keyboard_alone_the_rungs_open_and_the_focus_stays_in_the_dialog(
    shopper: Shopper, handset: Handset
) -> None:
    shopper.buy()
    handset.cancel()
    shopper.sees("You cancelled the payment")
    page = shopper.page
    expect(shopper.dialog.get_by_role("button", name="Retry")).to_be_focused()
    tab_to(page, shopper.dialog.locator("details.others > summary"))
    page.keyboard.press("Enter")
    summary = rung(page, "I have paid already").locator("summary").first
    expect(summary).to_be_visible()
    tab_to(page, summary)
    page.keyboard.press("Enter")
    message = shopper.dialog.get_by_role("textbox", name="The message that M-Pesa sent you")
    tab_to(page, message)
    page.keyboard.type("UKL7AB12CD")
    # The dialog looks again by itself; what somebody types stays, and so does the focus.
    with page.expect_response(re.compile("/orders/.*/state$")):
        pass
    expect(message).to_have_value("UKL7AB12CD")
    expect(message).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_else_pays_by_a_link_in_swahili_and_the_owner_is_told(
    new_context: NewContext, simulator: Daraja, javascript: bool
) -> None:
    owner = Shopper(new_context(java_script_enabled=False), new_msisdn())
    owner.register()
    owner.go_to_checkout()
    owner.press_pay()
    Handset(new_context(java_script_enabled=False), owner.msisdn).cancel()
    page = owner.page
    page.get_by_role("button", name="Kiswahili").first.click()
    expect(page.get_by_role("heading", name="Lipa Ksh 10 kwa M-Pesa")).to_be_visible()
    rung(page, "Omba mtu mwingine akulipie").locator("summary").first.click()
    page.get_by_role("button", name="Tengeneza kiungo").click()
    address = page.locator("#shared-link").input_value()
    look(page, "ladder-link-owner-sw")

    friend_number = new_msisdn()
    friend = new_context(locale="sw-KE", java_script_enabled=javascript).new_page()
    friend.goto(address)
    phone_field_sw = friend.get_by_role("textbox", name="Nambari ya simu ya M-Pesa").first
    phone_field_sw.fill(f"0{friend_number[3:]}")
    friend.get_by_role("button", name="Tuma ombi").click()
    waits = "dialog[data-view=waiting]" if javascript else ".state-waiting"
    expect(friend.locator(waits)).to_be_visible()
    look(friend, f"ladder-link-friend-sw-{javascript}")
    handset = Handset(new_context(java_script_enabled=False), friend_number)
    handset.enter_pin()
    expect(friend.locator(".state-paid")).to_be_visible()
    page.goto("/orders")
    page.get_by_role("link", name=re.compile("Oda #")).first.click()
    expect(page.locator(".state-paid")).to_contain_text("Angalia risiti")
    assert money_from(simulator, friend_number) == [10]
    assert money_from(simulator, owner.msisdn) == []


def test_without_scripts_what_is_paid_by_hand_is_found_when_the_page_looks_again(
    new_context: NewContext, simulator: Daraja, console: Console
) -> None:
    # The picture of a QR code is gone when the money comes while a page is still loading it.
    console.expect(FAILED_REQUEST)
    owner = Shopper(new_context(java_script_enabled=False), new_msisdn())
    owner.register()
    owner.go_to_checkout()
    owner.press_pay()
    page = owner.page
    expect(page.locator('meta[http-equiv="refresh"]')).to_have_count(1)
    page.get_by_role("link", name="Hold it still").click()
    expect(page.locator('meta[http-equiv="refresh"]')).to_have_count(0)
    look(page, "ladder-held-still")
    Handset(new_context(java_script_enabled=False), owner.msisdn).cancel()
    page.get_by_role("link", name="Look again").first.click()
    expect(page.get_by_role("heading", name="You cancelled the payment")).to_be_visible()
    pay_by_hand(simulator, rung(page, BY_HAND), owner.msisdn, 10)
    paid = page.get_by_role("heading", name="Paid. Thank you!")
    for _ in range(MOST_LOOKS):
        page.get_by_role("link", name="Look again").first.click()
        page.wait_for_load_state()
        if paid.is_visible():
            break
    expect(paid).to_be_visible()
