"""A shop in which every operation of the API's description can succeed, on SQLite."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.openapi.document import document
from app.openapi.schemas import Json
from tests.support.app import SAFARICOM, Account, Shop, application
from tests.support.daraja import FakeDaraja, paid
from tests.support.described import Described, Operation

#: Enough for a test that asks one door after the other.
_OFTEN = "100000/minute"
_PRICE = 5000
#: What a phone that gets a prompt is called, by one document or another.
PHONES = frozenset({"phone", "phone_number", "phoneNumber", "PhoneNumber", "msisdn"})
#: What has to stand in some addresses for them to succeed.
_INSTEAD = (
    ("/cancel", "order_id", "unpaid_order_id"),
    ("/receipt", "transaction_id", "completed_id"),
    ("/refund", "transaction_id", "completed_id"),
    ("/approve", "payout_id", "approvable_id"),
    ("/cancel", "payout_id", "cancellable_id"),
)


@dataclass(frozen=True)
class Api:
    """A shop with goods, a course, an admin, and orders in three states."""

    shop: Shop

    def __post_init__(self) -> None:
        # All of them, before anybody asks.
        assert self.names

    @cached_property
    def told(self) -> Described:
        with self.shop.app.app_context():
            return Described(document(self.shop.app))

    @cached_property
    def operations(self) -> list[Operation]:
        return list(self.told.operations())

    @cached_property
    def admin(self) -> Account:
        return self.shop.person("achieng", admin=True)

    @cached_property
    def names(self) -> dict[str, Any]:
        """What to put in the place of names and amounts of the examples."""
        shop, admin = self.shop, self.admin
        kept = {"type": "mpesa", "details": {"phone_number": "254711111111"}}
        way = shop.client().post("/api/payment/methods", json=kept, headers=admin.headers)
        waiting, settled = shop.order(admin), shop.order(admin)
        live, done = shop.prompted(admin, waiting), shop.prompted(admin, settled)
        shop.callback(paid(done.checkout_request_id), token=done.callback_token)
        # Payouts wait for a second admin, which our own is.
        clerk = shop.person("njoroge", admin=True)
        supplier = shop.supplier(clerk)
        payouts = [str(shop.payout(clerk, supplier).uuid) for _ in range(3)]
        return {
            "supplier_id": supplier["id"],
            "payout_id": payouts[0],
            "approvable_id": payouts[1],
            "cancellable_id": payouts[2],
            "product_id": shop.product(),
            "course_id": shop.product(kind="course", price=_PRICE),
            "method_id": way.get_json()["id"],
            "order_id": waiting["number"],
            "unpaid_order_id": shop.order(admin)["number"],
            "transaction_id": live.public_ref,
            "completed_id": done.public_ref,
            "payment_id": done.public_ref,
            "checkout_request_id": live.checkout_request_id,
        }

    def path(self, operation: Operation) -> str:
        """Return an operation's address with names of things that exist."""
        for ending, name, instead in _INSTEAD:
            if operation.path.endswith(ending) and operation.takes(name):
                return operation.path.format_map({name: self.names[instead]})
        return operation.path.format_map(self.names)

    def example(self, operation: Operation) -> Json:
        """Return the example of a body, with names of things that exist."""
        assert operation.body is not None
        body: Json = self.named(operation.body["example"])
        if "course_id" in body:
            body["amount"] = _PRICE
        if operation.path.endswith(("/refund", "/b2c")):
            body["amount"] = 10
        for name in PHONES & set(body):
            # A phone bears one prompt at a time, so each call has one of its own.
            number = str(self.shop.number_for(f"{operation} {name}", "254712300001"))
            body[name] = int(number) if isinstance(body[name], int) else number
        return body

    def named(self, example: Any) -> Any:
        """Put the names of things that exist into an example, however deep they stand."""
        if isinstance(example, list):
            return [self.named(part) for part in example]
        if not isinstance(example, dict):
            return example
        return {name: self.names.get(name, self.named(part)) for name, part in example.items()}

    def call(
        self,
        operation: Operation,
        headers: dict[str, str] | None = None,
        *,
        peer: str = SAFARICOM,
        path: str | None = None,
        **more: Any,
    ) -> TestResponse:
        """Call an operation, unless told otherwise as an admin who calls from Safaricom's place."""
        who = self._headers(operation) if headers is None else headers
        return self.shop.client().open(
            path or self.path(operation),
            method=operation.method,
            headers=who,
            environ_overrides={"REMOTE_ADDR": peer},
            **more,
        )

    def call_at(self, operation: Operation, parameter: Json, value: str) -> TestResponse:
        """Call an operation with a value of one's own in the address."""
        if parameter["in"] == "query":
            return self.call(operation, query_string=f"{parameter['name']}={value}")
        path = operation.path.replace(f"{{{parameter['name']}}}", value)
        body = self.example(operation) if operation.body else None
        return self.call(operation, path=path.format_map(self.names), json=body)

    def _headers(self, operation: Operation) -> dict[str, str]:
        if operation.path.endswith("/logout"):
            return self.shop.person(f"leaving-{id(object())}").headers
        if operation.path.endswith("/refresh"):
            return {"Authorization": f"Bearer {self.admin.refresh}"}
        return self.admin.headers

    def books(self) -> str:
        """Return a mark of everything that the database holds."""
        with self.shop.app.app_context():
            tables = db.metadata.sorted_tables
            rows = [(table.name, db.session.execute(select(table)).all()) for table in tables]
        return hashlib.sha256(repr(rows).encode()).hexdigest()


@contextmanager
def described_shop(folder: Path) -> Iterator[Api]:
    """Open such a shop on a database of its own."""
    daraja = FakeDaraja()
    limits = dict.fromkeys(("rate_limit_initiate", "rate_limit_status"), _OFTEN)
    given = {"mpesa_base_url": daraja.url, "public_url": "http://shop.test", **limits}
    given |= {"rate_limit_sign_in": _OFTEN, "payout_approval_above": "0"}
    # Nobody posts what became of a refund; whoever asked for it need not wait for that.
    at_once = mock.patch("app.disbursements.engine.RESULT_WAIT_SECONDS", 0)
    try:
        with at_once, application(f"sqlite:///{folder / 'lipa.db'}", folder, **given) as app:
            yield Api(_emptied(app, daraja))
        assert daraja.problems == []
    finally:
        daraja.stop()


def _emptied(app: Flask, daraja: FakeDaraja) -> Shop:
    shop = Shop(app, daraja)
    shop.empty()
    return shop


def changed(body: Json, path: tuple[str | int, ...], value: object) -> Json:
    """Return a copy of a body with one value changed, or taken out by ``...``."""
    result = copy.deepcopy(body)
    place: Any = result
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is ...:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value
    return result
