"""A prompt that nobody answers."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import pictures
from tests.browser.people import Handset, Shopper, money_from
from tests.simulator.client import Daraja

PROMPT_SECONDS = 3


def test_a_prompt_that_runs_out_is_said_to_have_and_can_be_sent_again(
    shopper: Shopper, handset: Handset, simulator: Daraja
):
    """S2-40, S2-47, S4-112, S4-118: silence costs nothing and ends in an offer to retry."""
    shopper.go_to_checkout()
    shopper.press_pay()
    shopper.sees("The prompt ran out", "nothing was paid")
    handset.sees("ended without an answer")
    pictures.take(shopper.page, "dialog-ran-out")
    order = shopper.newest_order()
    assert (order["status"], order["payment_status"]) == ("pending", "expired")
    assert money_from(simulator, shopper.msisdn) == []

    shopper.dialog.get_by_role("button", name="Retry").click()
    handset.sees_prompt()
    expect(shopper.dialog).to_contain_text("The prompt ran out")
    assert len(shopper.newest_order()["payments"]) == 2
    assert money_from(simulator, shopper.msisdn) == []
