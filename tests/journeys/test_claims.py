"""I have paid: from the message on a phone to the paid order, against the real simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from app.payments.claims.sms import Kind, read_sms
from tests.support.live_shop import SHOPPER, LiveShop, live_shop

PAYER, STRANGER = "254712000444", "254712000555"
SECONDS = 20


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop that M-Pesa does not tell of its paybill: nothing is registered there."""
    with live_shop() as running:
        yield running


class Buyer:
    """Somebody who is signed in, and has tried to pay by a prompt first."""

    def __init__(self, shop: LiveShop) -> None:
        self.shop = shop
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Origin": shop.base_url, "Accept": "application/json"})
        form = {"email": SHOPPER, "password": shop.password}
        self.session.post(f"{shop.base_url}/sign-in", data=form, timeout=20)

    def order(self) -> dict[str, Any]:
        made = self.session.post(
            f"{self.shop.base_url}/api/orders",
            json={"items": [{"product_id": 1}]},
            headers=self.csrf(),
            timeout=20,
        )
        assert made.ok, made.text
        told: dict[str, Any] = made.json()
        return told

    def csrf(self) -> dict[str, str]:
        token = self.session.cookies.get("csrf_access_token")
        return {"X-CSRF-TOKEN": token} if token else {}

    def form(self, order: dict[str, Any], action: str, **fields: str) -> dict[str, Any]:
        url = f"{self.shop.base_url}/orders/{order['id']}/{action}"
        answer = self.session.post(url, data=fields, timeout=20)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()["data"]
        return told

    def sees(self, order: dict[str, Any], claim: str | None, state: str) -> dict[str, Any]:
        """Wait, for a bounded time, until the order's page tells this of the claim."""
        url, deadline = f"{self.shop.base_url}/orders/{order['id']}/state", time.monotonic()
        while True:
            told: dict[str, Any] = self.session.get(url, timeout=20).json()["data"]
            if ((told["claim"] or {}).get("state"), told["state"]) == (claim, state):
                return told
            assert time.monotonic() < deadline + SECONDS, told
            time.sleep(0.2)


def simulate(shop: LiveShop, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    url = f"{shop.simulator_url}/simulator/api{path}"
    answer = requests.request("POST" if body else "GET", url, json=body, timeout=20)
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told


def message(shop: LiveShop, phone: str) -> str:
    """The newest message on a phone."""
    newest: str = simulate(shop, f"/phones/{phone}")["messages"][0]["text"]
    return newest


def by_hand(shop: LiveShop, phone: str, amount: object) -> str:
    """Pay the paybill by hand, under an account that is nobody's; what the phone then reads."""
    body = {"shortcode": "174379", "account": "KIOSK", "amount": amount, "pin": "1234"}
    assert simulate(shop, f"/phones/{phone}/pay", body)["status"] == "completed"
    return message(shop, phone)


def cancelled_prompt(shop: LiveShop, buyer: Buyer, order: dict[str, Any]) -> None:
    """Try a prompt that ends without money, by which the order knows its payer's phone."""
    buyer.form(order, "pay", phone_number=PAYER)
    prompts = simulate(shop, f"/phones/{PAYER}")["prompts"]
    simulate(shop, f"/prompts/{prompts[0]['checkout_request_id']}", {"cancel": True})
    buyer.sees(order, None, "cancelled")


def test_the_very_message_of_a_payment_by_hand_pays_the_order(shop: LiveShop) -> None:
    buyer = Buyer(shop)
    order = buyer.order()
    cancelled_prompt(shop, buyer, order)
    text = by_hand(shop, PAYER, order["total"])
    read = read_sms(text)
    assert (read.kind, read.is_whole, read.account) == (Kind.PAYMENT, True, "KIOSK")
    buyer.form(order, "claim", message=text)
    told = buyer.sees(order, None, "paid")
    assert told["receipt"] == read.code
    # The same message pays no second order.
    second = buyer.order()
    cancelled_prompt(shop, buyer, second)
    buyer.form(second, "claim", message=text)
    buyer.sees(second, "refused", "cancelled")


def test_a_stranger_s_message_pays_nobody_s_order(shop: LiveShop) -> None:
    buyer = Buyer(shop)
    order = buyer.order()
    text = by_hand(shop, STRANGER, order["total"])
    buyer.form(order, "claim", message=text)
    told = buyer.sees(order, "with_person", "unpaid")
    assert told["due_cents"] > 0


def test_the_message_of_a_prompt_is_read_too(shop: LiveShop) -> None:
    buyer = Buyer(shop)
    order = buyer.order()
    buyer.form(order, "pay", phone_number="254708374149")
    told = buyer.sees(order, None, "paid")
    read = read_sms(message(shop, "254708374149"))
    assert (read.code, read.is_whole) == (told["receipt"], True)
