"""Fills a shop's tables with so many orders and payments, by plain SQL, in chunks."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, create_engine, insert, select, text

from app.accounts.models import Person
from app.core.clock import now
from app.ledger.models import Account, Transfer
from app.orders.models import Order, OrderLine, Product
from app.payments.models import Credit, Payment, TimelineEntry
from app.payments.states import Standing, Status
from tests.support.live_shop import SHOPPER

CHUNK = 5_000
PRICE_CENTS = 150_000
SPREAD_DAYS = 180


def fill(database_url: str, count: int, *, status: str) -> list[dict[str, Any]]:
    """Add so many orders with a payment each; return what the last 20,000 of them are.

    ``status`` is pending, as if their prompts were just sent, or completed, paid over half a year.
    """
    engine = create_engine(database_url)
    kept: list[dict[str, Any]] = []
    with engine.connect() as connection:
        person = int(connection.scalar(select(Person.id).where(Person.email == SHOPPER)) or 0)
        product = _first(connection, Product.id)
        order_id = (_first(connection, Order.id, newest=True) or 0) + 1
        payment_id = (_first(connection, Payment.id, newest=True) or 0) + 1
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            rows = [
                _row(order_id + start + n, payment_id + start + n, person, product, status, count)
                for n in range(size)
            ]
            _insert(connection, rows, status)
            connection.commit()
            kept = (kept + rows)[-20_000:]
        _mend_sequences(connection)
        connection.commit()
    engine.dispose()
    return kept


def _first(connection: Connection, column: Any, *, newest: bool = False) -> int:
    query = select(column).order_by(column.desc() if newest else column).limit(1)
    return int(connection.scalar(query) or 0)


def _row(
    order_id: int, payment_id: int, person: int, product: int, status: str, count: int
) -> dict[str, Any]:
    is_paid = status == Status.COMPLETED
    age = timedelta(days=SPREAD_DAYS * secrets.randbelow(count + 1) / count if is_paid else 0)
    return {
        "order_id": order_id,
        "payment_id": payment_id,
        "order_uuid": uuid.uuid4(),
        "person": person,
        "product": product,
        "token": secrets.token_urlsafe(32),
        "checkout": f"ws_CO_BENCH{payment_id:012d}",
        "receipt": f"B{_base36(payment_id):0>9}" if is_paid else None,
        "phone": f"2547{payment_id % 100_000_000:08d}",
        "at": now() - age,
    }


def _base36(number: int) -> str:
    digits, text = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text


def _insert(connection: Connection, rows: list[dict[str, Any]], status: str) -> None:
    is_paid = status == Status.COMPLETED
    order_status = "paid" if is_paid else "pending"
    connection.execute(insert(Order), [_order(row, order_status) for row in rows])
    connection.execute(insert(OrderLine), [_line(row) for row in rows])
    connection.execute(insert(Payment), [_payment(row, status) for row in rows])
    entries = [
        {"payment_id": row["payment_id"], "at": row["at"], "event": event, "from_status": was,
         "to_status": to, "actor": "bench", "why": "seeded"}
        for row in rows
        for event, was, to in (("created", "", "created"), ("push_accepted", "created", status))
    ]  # fmt: skip
    connection.execute(insert(TimelineEntry), entries)
    if is_paid:
        connection.execute(insert(Credit), [_credit(row) for row in rows])
        connection.execute(insert(Transfer), [_transfer(row) for row in rows])


def _order(row: dict[str, Any], status: str) -> dict[str, Any]:
    at: datetime = row["at"]
    return {
        "id": row["order_id"],
        "uuid": row["order_uuid"],
        "reference": f"B{_base36(row['order_id']):0>8}",
        "person_id": row["person"],
        "status": status,
        "total_cents": PRICE_CENTS,
        "currency": "KES",
        "created_at": at,
        "held_until": at + timedelta(hours=1),
        "paid_at": at if status == "paid" else None,
    }


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "order_id": row["order_id"],
        "product_id": row["product"],
        "name": "Kiondo",
        "kind": "goods",
        "unit_price_cents": PRICE_CENTS,
        "quantity": 1,
        "held": False,
    }


def _payment(row: dict[str, Any], status: str) -> dict[str, Any]:
    at: datetime = row["at"]
    is_paid = status == Status.COMPLETED
    return {
        "id": row["payment_id"],
        "uuid": uuid.uuid4(),
        "public_ref": f"TXNBENCH{row['payment_id']:010d}",
        "order_id": row["order_id"],
        "person_id": row["person"],
        "phone": row["phone"],
        "amount_cents": PRICE_CENTS,
        "status": status,
        "callback_token": row["token"],
        "merchant_request_id": f"bench-{row['payment_id']}",
        "checkout_request_id": row["checkout"],
        "mpesa_receipt": row["receipt"],
        "result_code": "0" if is_paid else None,
        "evidence": "proven_callback" if is_paid else None,
        "created_at": at,
        "prompt_expires_at": at + timedelta(seconds=60 if is_paid else 3000),
        "completed_at": at + timedelta(seconds=12) if is_paid else None,
        "next_check_at": None if is_paid else at + timedelta(seconds=3000),
    }


def _credit(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "order_id": row["order_id"],
        "payment_id": row["payment_id"],
        "amount_cents": PRICE_CENTS,
        "receipt": row["receipt"],
        "phone": row["phone"],
        "standing": Standing.EXACT,
        "evidence": "proven_callback",
        "created_at": row["at"] + timedelta(seconds=12),
    }


def _transfer(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": f"bench:{row['payment_id']}",
        "at": row["at"] + timedelta(seconds=12),
        "debit": Account.MPESA,
        "credit": Account.SALES,
        "amount_cents": PRICE_CENTS,
        "subject": f"TXNBENCH{row['payment_id']:010d}",
        "what": "seeded",
    }


def _mend_sequences(connection: Connection) -> None:
    """Have PostgreSQL count on from the ids that were given here."""
    if connection.dialect.name != "postgresql":
        return
    for table in ("orders", "payments"):
        last = f"SELECT max(id) FROM {table}"  # noqa: S608  (two names of our own)
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), ({last}))")
        )
    connection.commit()
