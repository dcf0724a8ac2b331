"""A shop beside a Daraja that is not the embedded one, found by MPESA_BASE_URL alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.services.postgres import PostgresServer
from tests.support.daraja import FakeDaraja, ended, paid
from tests.support.live_shop import SHOPPER, LiveShop, live_shop

ENGINE_SECONDS = 40
#: A phone bears one prompt at a time, so each has its own.
_NUMBERS = itertools.count()


@dataclass
class Buyer:
    """A program that buys: it signs in once and speaks JSON."""

    shop: LiveShop

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        account = {"email": SHOPPER, "password": self.shop.password}
        token = self.post("/api/auth/login", account)["access_token"]
        self.session.headers["Authorization"] = f"JWT {token}"

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.session.post(self.shop.base_url + path, json=body, timeout=20)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def order(self, order_id: str) -> dict[str, Any]:
        answer = self.session.get(f"{self.shop.base_url}/api/orders/{order_id}", timeout=20)
        found: dict[str, Any] = answer.json()
        return found

    def start_payment(self) -> tuple[str, str]:
        """Order the first product and ask for its prompt; return order and CheckoutRequestID."""
        order = self.post("/api/orders", {"items": [{"product_id": 1, "quantity": 1}]})
        body = {"order_id": order["id"], "phone_number": f"07121{next(_NUMBERS):05d}"}
        started = self.post("/api/payments/mpesa/initiate", body)
        return order["id"], started["data"]["checkout_request_id"]


@pytest.fixture(scope="module")
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def buyer(daraja: FakeDaraja, postgres_server: PostgresServer) -> Iterator[Buyer]:
    database = postgres_server.create_database("another_daraja")
    with live_shop(database_url=database, extra_env={"MPESA_BASE_URL": daraja.url}) as shop:
        yield Buyer(shop)


def test_no_simulator_runs_beside_a_shop_that_has_another_daraja(buyer: Buyer) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{buyer.shop.simulator_url}/simulator/api/health", timeout=2)


def test_s4_31_a_payment_travels_from_push_to_callback_to_a_paid_order(
    buyer: Buyer, daraja: FakeDaraja
) -> None:
    order_id, checkout_request_id = buyer.start_payment()
    push = daraja.pushes[-1]
    body = paid(checkout_request_id, amount=push["Amount"], receipt="UKL9ANOTHR")
    acknowledged = requests.post(push["CallBackURL"], json=body, timeout=10)
    assert acknowledged.json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
    order = buyer.order(order_id)
    assert (order["status"], order["amount_due"]) == ("paid", 0)
    assert order["payments"][0]["receipt"] == "UKL9ANOTHR"


def test_s4_68_without_any_callback_the_engine_asks_and_the_order_is_paid(
    buyer: Buyer, daraja: FakeDaraja
) -> None:
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    order_id, checkout_request_id = buyer.start_payment()
    deadline = time.monotonic() + ENGINE_SECONDS
    while buyer.order(order_id)["status"] != "paid" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert buyer.order(order_id)["status"] == "paid"
    asked = [query["CheckoutRequestID"] for query in daraja.queries]
    assert asked.count(checkout_request_id) == 1
