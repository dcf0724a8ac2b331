"""Finding payments: one box for whatever is at hand, with filters, page by page.

What was typed is read in every way that it can be (a number may be an amount, an order or a
phone), and each reading is a question of its own that an index answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy import text as sql
from sqlalchemy.orm import joinedload, lazyload

from app.core.clock import NAIROBI
from app.core.errors import LipaError, ValidationError
from app.core.money import cents_from_shillings
from app.core.reading import MAX_ID
from app.core.texts import marked, said
from app.extensions import db
from app.mpesa.bodies import read_receipt
from app.mpesa.phone import msisdn
from app.orders.models import Order
from app.payments.models import NEEDS_PERSON_SQL, Payment
from app.payments.states import Status

PAGE_ROWS = 50
MOST_TEXT = 128
_MOST_ORDERS = 100
_ID = re.compile(r"[1-9][0-9]{0,18}")
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_MONEY = re.compile(r"(?:KES|KSH|SH)?\.?\s*([0-9][0-9,]*(?:\.00?)?)\s*(?:/[=-])?", re.IGNORECASE)


@dataclass(frozen=True)
class Filters:
    """What is looked for. ``first`` and ``last`` are days in Nairobi, both included."""

    text: str = ""
    status: Status | None = None
    first: date | None = None
    last: date | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Found:
    """One page, newest first: ``older`` leads to the next, ``read_as`` says how text was read."""

    payments: Sequence[Payment]
    older: int | None
    read_as: tuple[str, ...]


def read_filters(values: Mapping[str, str]) -> Filters:
    """Read a form's ``q``, ``status``, ``from``, ``to`` and ``person``. Raises ValidationError."""
    text, status = values.get("q", "").strip(), values.get("status", "").strip()
    if len(text) > MOST_TEXT:
        raise ValidationError(
            said("Search for {most} characters at most.", most=MOST_TEXT), details=_at("q")
        )
    if status and status not in set(Status):
        raise ValidationError(marked("There is no such state. Choose one."), details=_at("status"))
    first, last = read_days(values)
    person = bool(values.get("person", ""))
    return Filters(text, Status(status) if status else None, first, last, person)


def read_days(values: Mapping[str, str]) -> tuple[date | None, date | None]:
    """Read the days ``from`` and ``to``, each as 2026-11-21. Raises ValidationError."""
    first, last = _day(values, "from"), _day(values, "to")
    if first and last and last < first:
        raise ValidationError(marked("The last day is before the first one."), details=_at("to"))
    return first, last


def _day(values: Mapping[str, str], name: str) -> date | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValidationError(marked("Write a day as 2026-11-21."), details=_at(name)) from error


def _at(field: str) -> dict[str, str]:
    return {"field": field}


def read_before(values: Mapping[str, str]) -> int | None:
    """Read ``before``, the id of the payment after which a page begins. Raises ValidationError."""
    text = values.get("before", "")
    if not text:
        return None
    if not _ID.fullmatch(text) or int(text) > MAX_ID:
        raise ValidationError(
            marked("before must be the number of a payment."), details=_at("before")
        )
    return int(text)


def begin_of(day: date) -> datetime:
    """Return the moment in UTC at which a day begins in Nairobi."""
    return datetime.combine(day, time.min, NAIROBI).astimezone(UTC)


def search(filters: Filters, before: int | None = None, limit: int = PAGE_ROWS) -> Found:
    """Return the newest payments that fit, or those before one of them (its integer id)."""
    readings = _readings(filters.text)
    ids = _ids([where for _, where in readings], filters, before, limit + 1)
    payments = _loaded(ids[:limit])
    older = ids[limit - 1] if len(ids) > limit else None
    return Found(payments, older, tuple(name for name, _ in readings))


def id_pages(filters: Filters, limit: int) -> Iterator[list[int]]:
    """Yield the ids of everything that fits, newest first, so many at a time."""
    wheres, before = [where for _, where in _readings(filters.text)], None
    while ids := _ids(wheres, filters, before, limit):
        yield ids
        before = ids[-1]


def _ids(
    readings: list[ColumnElement[bool]], filters: Filters, before: int | None, limit: int
) -> list[int]:
    if filters.text and not readings:
        return []
    rows: dict[int, datetime] = {}
    wheres: list[ColumnElement[bool] | None] = [*readings] or [None]
    for where in wheres:
        query = _filtered(filters, before, is_narrow=where is not None).limit(limit)
        if where is not None:
            query = query.where(where)
        rows |= {row.id: row.created_at for row in db.session.execute(query)}
    newest = sorted(rows, key=lambda row_id: (rows[row_id], row_id), reverse=True)
    return newest[:limit]


def _filtered(
    filters: Filters, before: int | None, *, is_narrow: bool = False
) -> Select[int, datetime]:
    query = select(Payment.id, Payment.created_at)
    query = query.order_by(Payment.created_at.desc(), Payment.id.desc())
    if filters.status:
        # Where something finds few rows, the index by status, which SQLite prefers, finds many.
        is_narrow = is_narrow or filters.needs_person
        status = Payment.status.concat("") if is_narrow else Payment.status
        query = query.where(status == filters.status)
    if filters.first:
        query = query.where(Payment.created_at >= begin_of(filters.first))
    if filters.last:
        query = query.where(Payment.created_at < begin_of(filters.last + timedelta(days=1)))
    if filters.needs_person:
        query = query.where(sql(f"({NEEDS_PERSON_SQL.text})"))
    if before is not None:
        at = db.session.scalar(select(Payment.created_at).where(Payment.id == before))
        if at is not None:
            query = query.where(_older_than(at, before))
    return query


def _older_than(at: datetime, row_id: int) -> ColumnElement[bool]:
    mine = tuple_(Payment.created_at, Payment.id)
    return mine < tuple_(at, row_id, types=[Payment.created_at.type, Payment.id.type])


def _loaded(ids: list[int]) -> list[Payment]:
    if not ids:
        return []
    query = select(Payment).where(Payment.id.in_(ids))
    order = joinedload(Payment.order)
    rows = db.session.scalars(query.options(order, order.options(lazyload(Order.lines))))
    found = {payment.id: payment for payment in rows.unique()}
    return [found[row_id] for row_id in ids if row_id in found]


def _readings(text: str) -> list[tuple[str, ColumnElement[bool]]]:
    """Return every way to read what was typed: its name for people, and what it asks."""
    if not text:
        return []
    found = [*_by_name(text), *_by_number(text), *_by_order(text)]
    phone, receipt = msisdn(text), read_receipt(text)
    if phone:
        found.append((marked("a phone number"), Payment.phone == phone))
    if receipt and not receipt.isdigit():
        found.append((marked("an M-Pesa code"), Payment.mpesa_receipt == receipt))
    return found


def _by_name(text: str) -> Iterator[tuple[str, ColumnElement[bool]]]:
    name = text.upper()
    if name.startswith("TXN") and len(name) == 20:
        yield marked("a payment"), Payment.public_ref == name
    if text.startswith("ws_CO_"):
        yield marked("a CheckoutRequestID"), Payment.checkout_request_id == text
    if uuid := _uuid(text):
        yield marked("a payment"), Payment.uuid == uuid


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _by_number(text: str) -> Iterator[tuple[str, ColumnElement[bool]]]:
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit() and int(number) <= MAX_ID:
        yield marked("an order's number"), Payment.order_id == int(number)
    money = _MONEY.fullmatch(text)
    if money:
        try:
            cents = cents_from_shillings(money[1].replace(",", ""))
        except LipaError:
            return
        yield marked("an amount"), Payment.amount_cents == cents


def _by_order(text: str) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Read it as what an order is called: its reference, the caller's own, or its UUID."""
    named = [Order.reference == text.upper(), Order.external_reference == text]
    if uuid := _uuid(text):
        named.append(Order.uuid == uuid)
    ids: list[int] = []
    for where in named:
        query = select(Order.id).where(where).order_by(Order.id.desc()).limit(_MOST_ORDERS)
        ids += db.session.scalars(query)
    if ids:
        yield marked("an order's reference"), Payment.order_id.in_(ids)
