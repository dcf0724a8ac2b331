"""People's programs: each signs in once, and knows that a shop may die under its hands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

ANSWER_SECONDS = 30
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What the shop said; ``status`` is None when it died instead of answering.

    A proxy in front of it says in its own words that it did.
    """

    status: int | None
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def data(self) -> dict[str, Any]:
        """The ``data`` of an envelope, or nothing."""
        found: dict[str, Any] = self.body.get("data") or {}
        return found


@dataclass(frozen=True)
class OrderName:
    """An order by its UUID, and the AccountReference that its money carries."""

    id: str
    reference: str
    total: int


class Caller:
    """Speaks JSON with a shop. May be shared by threads: each request has its own connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._token = ""

    def sign_in(self, email: str, password: str) -> None:
        """Be this person from now on."""
        answer = self.post("/api/auth/login", {"email": email, "password": password})
        assert answer.status == 200, answer
        self._token = answer.body["access_token"]

    def get(self, path: str) -> dict[str, Any]:
        """Return what stands at a path that can be read."""
        answer = self._send("GET", path, None)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> Answer:
        """Post; ``key`` is the request's Idempotency-Key."""
        return self._send("POST", path, body, {"Idempotency-Key": key} if key else {})

    def put(self, path: str, body: dict[str, Any]) -> Answer:
        return self._send("PUT", path, body)

    def insist(self, path: str, body: dict[str, Any], key: str) -> Answer:
        """Post under a key, again while the shop says that the first one is still running."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        answer = self.post(path, body, key)
        while answer.status == 409 and "Retry-After" in answer.headers:
            assert time.monotonic() < deadline, answer
            time.sleep(float(answer.headers["Retry-After"]))
            answer = self.post(path, body, key)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        signed = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.request(
                    method,
                    self._base_url + path,
                    json=body,
                    headers=signed | dict(headers or {}),
                    timeout=ANSWER_SECONDS,
                )
                return Answer(answer.status_code, answer.json(), dict(answer.headers))
            except requests.RequestException:
                return Answer(None, {}, {})


class Buyer(Caller):
    """A shopper with an account of her own."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        person = {"email": f"{uuid4().hex}@example.com", "name": "Wanjiku"}
        account = person | {"password": "mango-chai-42-boda"}
        self._token = self.post("/api/auth/register", account).body["access_token"]
        self._product_id = self._something_unlimited()

    def place_order(self) -> OrderName:
        items = [{"product_id": self._product_id, "quantity": 1}]
        answer = self.post("/api/orders", {"items": items})
        assert answer.status == 201, answer
        return OrderName(answer.body["id"], answer.body["reference"], answer.body["total"])

    def initiate(self, order: OrderName, msisdn: str, key: str | None = None) -> Answer:
        """Ask for a prompt for an order; ``key`` is the request's Idempotency-Key."""
        body = {"order_id": order.id, "phone_number": msisdn}
        return self.post("/api/payments/mpesa/initiate", body, key)

    def order(self, order: OrderName) -> dict[str, Any]:
        """How an order stands, with all its attempts, newest first."""
        return self.get(f"/api/orders/{order.id}")

    def _something_unlimited(self) -> int:
        products = self.get("/api/products?per_page=100")["results"]
        free = [product for product in products if product["stock"] is None]
        return int(min(free, key=lambda product: product["price"])["id"])
