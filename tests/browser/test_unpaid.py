"""Payments that do not come about, and what people are told: nothing is charged, try again."""

from __future__ import annotations

import re
from typing import Any

import requests
from playwright.sync_api import expect

from tests.browser import pictures
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import (
    Handset,
    Shopper,
    money_from,
    pay_button,
    phone_field,
    prompts_of,
)
from tests.simulator.client import Daraja
from tests.support.live_shop import ADMIN, LiveShop

NOT_STARTED = "The payment could not be started"
NOT_A_NUMBER = "That is not a Kenyan mobile number"


def test_a_cancelled_prompt_is_said_in_words_and_a_retry_pays_the_same_order_once(
    shopper: Shopper, handset: Handset, simulator: Daraja
):
    """S2-39, S2-47, S4-106, S4-111, C-41: the shopper starts the new attempt, nobody else."""
    shopper.buy()
    order = shopper.newest_order()
    handset.cancel()
    shopper.sees("You cancelled the payment", "nothing was paid")
    pictures.take(shopper.page, "dialog-cancelled")
    assert money_from(simulator, shopper.msisdn) == []

    shopper.dialog.get_by_role("button", name="Retry").click()
    shopper.sees("Check your phone")
    handset.enter_pin()
    shopper.sees_success()
    assert money_from(simulator, shopper.msisdn) == [10]
    paid = shopper.newest_order()
    assert (paid["id"], paid["status"], paid["amount_paid"]) == (order["id"], "paid", 10)
    assert {attempt["status"] for attempt in paid["payments"]} == {"cancelled", "completed"}


def test_after_three_wrong_pins_the_dialog_says_so_and_the_order_can_still_be_paid(
    shopper: Shopper, handset: Handset, simulator: Daraja
):
    """S2-04, S2-39, C-28: 2001 on a prompt is a wrong PIN, and nothing about the shop."""
    shopper.buy()
    for left in ("2 attempts left", "1 attempt left"):
        handset.enter_pin("9999")
        handset.sees(left)
    handset.enter_pin("9999")
    shopper.sees("The PIN was not right", "nothing was paid")
    expect(shopper.dialog.get_by_role("button", name="Retry")).to_be_visible()
    order = shopper.newest_order()
    assert (order["status"], order["payment_status"]) == ("pending", "failed")
    assert money_from(simulator, shopper.msisdn) == []


def test_another_number_can_be_tried_after_one_failed(
    shopper: Shopper, handset: Handset, simulator: Daraja, console: Console
):
    """S2-39, S2-63: the retry takes any number, and refuses in words one that cannot be."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.buy()
    handset.cancel()
    shopper.sees("You cancelled the payment")
    field = shopper.dialog.get_by_label("M-Pesa phone number")
    field.fill("12345")
    shopper.dialog.get_by_role("button", name="Retry").click()
    shopper.sees(NOT_A_NUMBER)
    expect(field).to_be_visible()
    assert len(prompts_of(simulator, shopper.msisdn)) == 1
    neighbour = f"{shopper.msisdn[:4]}9{shopper.msisdn[5:]}"
    field.fill(f"+{neighbour}")
    shopper.dialog.get_by_role("button", name="Retry").click()
    shopper.sees("Check your phone")
    assert [prompt["status"] for prompt in prompts_of(simulator, neighbour)] == ["open"]


def test_a_wrong_number_is_explained_at_its_field_and_nothing_is_sent(
    shopper: Shopper, simulator: Daraja, console: Console
):
    """S2-49, S2-63, S1-43: the words stand at the field, and the field has the focus."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.go_to_checkout()
    field = phone_field(shopper.page)
    field.fill("0712 34")
    pay_button(shopper.page).click()
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(NOT_A_NUMBER))
    pictures.take(shopper.page, "checkout-wrong-number")
    assert shopper.orders() == []
    assert prompts_of(simulator, shopper.msisdn) == []

    field.fill(shopper.typed_phone)
    shopper.press_pay()
    shopper.sees("Check your phone")


def test_something_sold_out_between_cart_and_pay_is_named_and_nothing_is_charged(
    shop: LiveShop, shopper: Shopper, simulator: Daraja, console: Console
):
    """S2-04: the shopper learns which thing it is, and the cart says what to do."""
    console.expect(FAILED_REQUEST, NOT_STARTED)
    shopper.go_to_checkout("gumboots")
    _sell_out(shop, "Gumboots")
    shopper.press_pay()
    shopper.sees("Gumboots", "sold out", "nothing was charged")
    pictures.take(shopper.page, "dialog-sold-out")
    shopper.dialog.get_by_role("button", name="Close").click()
    expect(shopper.page).to_have_url(re.compile("/cart$"))
    expect(shopper.page.locator("main")).to_contain_text("Sold out")
    assert shopper.orders() == []
    assert prompts_of(simulator, shopper.msisdn) == []


def _sell_out(shop: LiveShop, name: str) -> None:
    with requests.Session() as admin:
        admin.trust_env = False

        def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
            answer = admin.request(method, shop.base_url + path, json=body, timeout=10)
            answer.raise_for_status()
            return answer.json()

        token = call("POST", "/api/auth/login", {"email": ADMIN, "password": shop.password})
        admin.headers["Authorization"] = f"Bearer {token['access_token']}"
        products = call("GET", "/api/products")["results"]
        product = next(product for product in products if product["name"] == name)
        call("PATCH", f"/api/products/{product['id']}", {"stock": 0})
