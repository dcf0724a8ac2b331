"""The people of the back office in a real browser, and what they know of the money."""

from __future__ import annotations

import itertools
import re
from typing import Any

import requests
from playwright.sync_api import BrowserContext, Locator, expect

from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import SHOPPER, LiveShop

#: A phone of the simulator's whose owner pays every prompt at once.
PAYS_AT_ONCE = "0708374149"
_numbers = itertools.count(711_000_001)


class Desk:
    """An admin at the back office, who does what people do: click, type and read."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page = context.new_page()

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto("/sign-in?next=/admin")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Back office")).to_be_visible()

    def add_supplier(self, name: str) -> str:
        """Add a supplier with a number of its own, and return the number's twelve digits."""
        msisdn = f"254{next(_numbers)}"
        self.page.goto("/admin/suppliers/new")
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("M-Pesa number").fill(f"0{msisdn[3:]}")
        self.page.get_by_role("button", name="Add the supplier").click()
        expect(self.page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        return msisdn

    def pay(self, amount: int, notes: str = "Beans") -> None:
        """Pay the supplier whose page is open."""
        self.page.get_by_label("Amount in shillings").fill(str(amount))
        self.page.locator("#pay-notes").fill(notes)
        self.page.get_by_role("button", name=re.compile("^Pay ")).click()
        expect(self.state).to_be_visible()

    @property
    def state(self) -> Locator:
        """What the open page says of the payout, refund or run that it is about."""
        return self.page.locator("#state-title")

    def sees(self, words: str) -> None:
        expect(self.state).to_have_text(words)


def arm(simulator: Daraja, msisdn: str, scenario: str, **more: object) -> None:
    """Let something befall the next payout to a phone."""
    armed = simulator.arm(scenario, on={"msisdn": msisdn}, **more)
    assert armed.ok, armed.text


def paid_to(simulator: Daraja, msisdn: str) -> list[int]:
    """What really arrived on a phone, in shillings, oldest first."""
    return [entry["amount"] for entry in simulator.money_out() if entry["msisdn"] == msisdn]


def paid_order(shop: LiveShop) -> tuple[str, int]:
    """Have the demo shopper pay something; return the payment's name and its shillings."""
    with requests.Session() as session:
        session.trust_env = False

        def call(method: str, path: str, **body: object) -> dict[str, Any]:
            answer = session.request(method, shop.base_url + path, json=body or None)
            assert answer.ok, answer.text
            return answer.json()

        signed_in = call("POST", "/api/auth/login", email=SHOPPER, password=shop.password)
        session.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        dear = max(call("GET", "/api/products")["results"], key=lambda product: product["price"])
        order = call("POST", "/api/orders", items=[{"product_id": dear["id"], "quantity": 1}])
        path, phone = "/api/payments/mpesa/initiate", PAYS_AT_ONCE
        call("POST", path, order_id=order["id"], phone_number=phone)

        def paid() -> list[dict[str, Any]]:
            return [
                found for found in [call("GET", f"/api/orders/{order['id']}")] if _is_paid(found)
            ]

        [order] = eventually(paid)
        return order["payments"][0]["transaction_id"], order["total"]


def _is_paid(order: dict[str, Any]) -> bool:
    return order["status"] == "paid"
