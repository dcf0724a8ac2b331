"""The whole road in a browser that runs no script: forms, and pages that look again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import pictures
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import (
    Handset,
    Shopper,
    money_from,
    new_msisdn,
    pay_button,
    phone_field,
    prompts_of,
)
from tests.simulator.client import Daraja

LOOKS_AGAIN = 'meta[http-equiv="refresh"][content="5"]'


@pytest.fixture
def shopper(new_context: NewContext) -> Shopper:
    """Somebody without JavaScript, who makes an account like everybody else."""
    somebody = Shopper(new_context(java_script_enabled=False), new_msisdn())
    somebody.register()
    return somebody


def _handset(new_context: NewContext, msisdn: str) -> Handset:
    return Handset(new_context(java_script_enabled=False), msisdn)


def test_without_scripts_an_order_is_paid_on_a_phone_without_scripts_and_has_its_receipt(
    shopper: Shopper, new_context: NewContext, simulator: Daraja
):
    """S2-33 to S2-37, S2-41, S4-03, S4-04, S4-05: nothing on this road needs JavaScript."""
    shopper.go_to_checkout()
    shopper.press_pay()
    page = shopper.page
    expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()
    expect(page.locator(LOOKS_AGAIN)).to_have_count(1)
    pictures.take(page, "order-waiting-without-scripts")

    handset = _handset(new_context, shopper.msisdn)
    pictures.take(handset.page, "phone-prompt-without-scripts")
    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    # Nobody touches the page: it looks again by itself.
    expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    expect(page.locator(LOOKS_AGAIN)).to_have_count(0)
    pictures.take(page, "order-paid-without-scripts")

    page.get_by_role("link", name="See the receipt").click()
    receipt = page.get_by_role("article")
    expect(receipt).to_contain_text(simulator.ledger()[-1]["receipt"])
    expect(receipt).to_contain_text("KES 10.00")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()


def test_without_scripts_a_cancelled_prompt_can_be_sent_again_and_pays_once(
    shopper: Shopper, new_context: NewContext, simulator: Daraja
):
    """S2-39, S4-106: the order page offers what the dialog would."""
    shopper.go_to_checkout()
    shopper.press_pay()
    handset = _handset(new_context, shopper.msisdn)
    handset.cancel()
    page = shopper.page
    expect(page.get_by_role("heading", name="You cancelled the payment")).to_be_visible()
    page.get_by_role("button", name="Send the prompt").click()
    expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()

    handset.page.reload()
    handset.enter_pin()
    expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    assert money_from(simulator, shopper.msisdn) == [10]


def test_without_scripts_a_wrong_number_is_explained_at_its_field(
    shopper: Shopper, simulator: Daraja, console: Console
):
    """S2-63: what was typed is still there to be mended."""
    console.expect(FAILED_REQUEST)
    shopper.go_to_checkout()
    field = phone_field(shopper.page)
    field.fill("0712 34")
    shopper.press_pay()
    expect(field).to_have_value("0712 34")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("not a Kenyan mobile number"))
    assert prompts_of(simulator, shopper.msisdn) == []


def test_without_scripts_the_way_back_to_the_checkout_makes_no_second_order(
    shopper: Shopper, new_context: NewContext, simulator: Daraja
):
    """C-38: whoever goes back in mid-payment cannot pay again, and finds the prompt's order."""
    shopper.go_to_checkout()
    shopper.press_pay()
    page = shopper.page
    waiting = page.get_by_role("heading", name="Check your phone")
    expect(waiting).to_be_visible()
    page.go_back()
    # The browser asks for the checkout anew, and there is nothing left to pay in the cart.
    expect(pay_button(page)).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Your cart is empty.")
    page.get_by_role("link", name="See your orders").click()
    page.get_by_role("link", name=re.compile("Order #")).first.click()
    expect(waiting).to_be_visible()
    assert len(shopper.orders()) == 1
    assert len(prompts_of(simulator, shopper.msisdn)) == 1


def test_without_scripts_a_session_that_ends_while_waiting_leads_back_to_the_order(
    shopper: Shopper, new_context: NewContext, simulator: Daraja
):
    """S2-03: the page that looks again asks to sign in, and then tells that it is paid."""
    shopper.go_to_checkout()
    shopper.press_pay()
    page = shopper.page
    expect(page.get_by_role("heading", name="Check your phone")).to_be_visible()
    shopper.context.clear_cookies()
    _handset(new_context, shopper.msisdn).enter_pin()
    # Nobody touches the page: it looks again by itself, and finds that it may not.
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/orders/"))
    shopper.sign_in()
    expect(page.get_by_role("heading", name="Paid. Thank you!")).to_be_visible()
    assert money_from(simulator, shopper.msisdn) == [10]
