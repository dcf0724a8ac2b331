"""What comes between a shopper and a payment: other tabs, sign-outs, networks, long silence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser import pictures
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import (
    MOST_POLLS,
    POLL_SECONDS,
    QUERY,
    Handset,
    Shopper,
    block_sockets,
    money_from,
    prompts_of,
)
from tests.simulator.client import Daraja

NOT_STARTED = "The payment could not be started"
POLL_FAILED = "Polling error"
TOO_LONG = "Taking too long. Contact support if money was deducted."
OFFLINE = "No connection just now"
#: The engine asks 15 seconds after the push at the earliest, and then every 15.
CHECK_TRIES = 40


def test_a_cart_emptied_in_another_tab_is_noticed_before_anything_is_charged(
    shopper: Shopper, simulator: Daraja, console: Console
):
    """S2-04, S2-33: there is nothing to pay, so nothing is sent."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.go_to_checkout()
    other = shopper.context.new_page()
    other.goto("/cart")
    other.get_by_role("button", name="Remove").click()
    expect(other.get_by_text("Your cart is empty.")).to_be_visible()

    shopper.press_pay()
    shopper.sees("Your cart is empty", "Nothing was charged")
    shopper.dialog.get_by_role("button", name="Close").click()
    expect(shopper.page.locator("main")).to_contain_text("Your cart is empty.")
    assert shopper.orders() == []
    assert prompts_of(simulator, shopper.msisdn) == []


def test_a_cart_changed_in_another_tab_is_shown_anew_before_it_is_paid(
    shopper: Shopper, simulator: Daraja, console: Console
):
    """C-23: nobody pays another sum than the one that stood on the button."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.go_to_checkout()
    other = Shopper(shopper.context, shopper.msisdn)
    other.put_in_cart("jiko")

    shopper.press_pay()
    shopper.sees("Your cart changed in another tab", "nothing was charged")
    assert prompts_of(simulator, shopper.msisdn) == []
    shopper.dialog.get_by_role("button", name="Close").click()
    expect(shopper.page.get_by_role("button", name="Pay KES 1,210")).to_be_visible()


def _sign_out_in_another_tab(shopper: Shopper) -> None:
    other = shopper.context.new_page()
    other.goto("/orders")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    other.close()


def _lose_cookies(shopper: Shopper) -> None:
    shopper.context.clear_cookies()


@pytest.mark.parametrize("end_session", [_sign_out_in_another_tab, _lose_cookies])
def test_a_session_that_ends_while_the_dialog_waits_loses_neither_order_nor_payment(
    shopper: Shopper,
    handset: Handset,
    console: Console,
    end_session: Callable[[Shopper], None],
):
    """S2-03, S2-04: words, a way to sign in, and then the order, paid meanwhile."""
    console.expect(FAILED_REQUEST, POLL_FAILED)
    shopper.context.clock.install()
    shopper.buy()
    order = shopper.newest_order()
    end_session(shopper)
    shopper.page.clock.fast_forward(POLL_SECONDS * 1000)
    shopper.sees("Please sign in again", "Your order is kept")
    pictures.take(shopper.page, "dialog-signed-out")

    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    shopper.dialog.get_by_role("link", name="Sign in").click()
    shopper.sign_in()
    expect(shopper.page).to_have_url(re.compile(f"/orders/{order['id']}$"))
    expect(shopper.page.locator("main")).to_contain_text("Paid. Thank you!")


def test_whoever_was_signed_out_before_paying_finds_the_cart_again(
    shopper: Shopper, simulator: Daraja, console: Console
):
    """S2-04: no order was made, nothing was charged, and the words say so."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.go_to_checkout()
    _sign_out_in_another_tab(shopper)
    shopper.press_pay()
    shopper.sees("Please sign in again", "nothing was charged")
    shopper.dialog.get_by_role("link", name="Sign in").click()
    shopper.sign_in()
    expect(shopper.page.get_by_role("button", name="Pay KES 10")).to_be_visible()
    assert shopper.orders() == []
    assert prompts_of(simulator, shopper.msisdn) == []


def test_after_two_minutes_of_silence_the_page_says_so_and_check_again_finds_the_payment(
    shopper: Shopper, handset: Handset, simulator: Daraja, console: Console
):
    """S2-40, S4-60, S4-61, S4-62, S4-65, S4-67, C-21: 24 polls, then a person asks by hand."""
    console.expect("WebSocket connection")
    block_sockets(shopper.context)
    shopper.context.clock.install()
    simulator.arm("no_callback", on={"msisdn": shopper.msisdn})
    shopper.buy()
    heard: list[str] = []
    shopper.page.on("request", lambda request: heard.append(request.url))
    for _ in range(MOST_POLLS):
        assert shopper.polls()["status"] == "pending"
    expect(shopper.dialog.get_by_text(TOO_LONG, exact=True)).to_be_visible()
    pictures.take(shopper.page, "dialog-too-long")
    shopper.page.clock.fast_forward(60_000)
    assert len([url for url in heard if url.endswith("/mpesa/query")]) == MOST_POLLS

    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    _check_again_until_found(shopper)
    assert money_from(simulator, shopper.msisdn) == [10]


def _check_again_until_found(shopper: Shopper) -> None:
    check = shopper.dialog.get_by_role("button", name="Check again")
    for _ in range(CHECK_TRIES):
        with shopper.page.expect_response(QUERY) as answered:
            check.click()
        if answered.value.json()["data"]["status"] == "completed":
            break
        shopper.page.wait_for_timeout(1000)
    shopper.sees_success()


def test_polling_goes_on_after_polls_that_failed(
    shopper: Shopper, handset: Handset, console: Console
):
    """S4-66, S0-64: an error is logged, said in words, and no end."""
    console.expect(FAILED_REQUEST, POLL_FAILED, "WebSocket connection")
    block_sockets(shopper.context)
    shopper.context.clock.install()
    aborted: list[str] = []

    def abort_two(route: Route) -> None:
        if len(aborted) == 2:
            return route.continue_()
        aborted.append(route.request.url)
        return route.abort()

    shopper.context.route(QUERY, abort_two)
    shopper.buy()
    for _ in range(2):
        shopper.page.wait_for_timeout(100)
        with shopper.page.expect_event("requestfailed"):
            shopper.page.clock.fast_forward(POLL_SECONDS * 1000)
        shopper.sees("Check your phone", OFFLINE)
    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    shopper.polls_until("paid")
    shopper.sees_success()


def test_a_network_that_goes_is_said_to_be_gone_and_success_comes_when_it_is_back(
    shopper: Shopper, handset: Handset, console: Console
):
    """S0-64, S2-48: the payment goes on without the page, and the page catches up."""
    console.expect(FAILED_REQUEST, POLL_FAILED, "WebSocket connection")
    shopper.buy()
    shopper.context.set_offline(True)
    shopper.sees("Check your phone", OFFLINE)
    pictures.take(shopper.page, "dialog-offline")
    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    shopper.context.set_offline(False)
    shopper.sees_success()
