"""A shopper's program: it signs in once, and knows that a shop may die under its hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What the shop said; ``status`` is None when it died instead of answering."""

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


class Buyer:
    """Speaks JSON with a shop. May be shared by threads: each request has its own connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._token = ""
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
        headers = {"Idempotency-Key": key} if key else {}
        return self._send("POST", "/api/payments/mpesa/initiate", body, headers)

    def order(self, order: OrderName) -> dict[str, Any]:
        """How an order stands, with all its attempts, newest first."""
        answer = self._send("GET", f"/api/orders/{order.id}", None)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        return self._send("POST", path, body)

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
            except requests.RequestException:
                return Answer(None, {}, {})
        return Answer(answer.status_code, answer.json(), dict(answer.headers))

    def _something_unlimited(self) -> int:
        products = self._send("GET", "/api/products?per_page=100", None).body["results"]
        free = [product for product in products if product["stock"] is None]
        return int(min(free, key=lambda product: product["price"])["id"])
