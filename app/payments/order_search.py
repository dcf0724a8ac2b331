"""Finding orders: one box for whatever is at hand, a state and a day, page by page.

What was typed is read in every way that it can be (a number may be an order or a phone), and
each reading is a question of its own that an index answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import joinedload, lazyload

from app.accounts.models import Person
from app.core.clock import NAIROBI
from app.core.errors import NotFound, ValidationError
from app.core.reading import MAX_ID
from app.core.statements import begins_with
from app.core.texts import marked, said
from app.extensions import db
from app.mpesa.phone import msisdn
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.models import Credit, Payment

PER_PAGE = 50
MOST_TEXT = 255
_MOST_PEOPLE = 100
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Filters:
    """What is looked for. ``day`` is one day in Nairobi, on which the order was placed."""

    text: str = ""
    status: OrderStatus | None = None
    day: date | None = None


@dataclass(frozen=True)
class Found:
    """One page, newest first. ``older`` is the number before which the next page begins."""

    orders: Sequence[Order]
    older: int | None


def read_filters(values: Mapping[str, str]) -> Filters:
    """Read a form's ``q``, ``status`` and ``day``. Raises ValidationError, with the field."""
    text, status = values.get("q", "").strip(), values.get("status", "")
    if len(text) > MOST_TEXT:
        raise ValidationError(
            said("Search for {most} characters at most.", most=MOST_TEXT), details={"field": "q"}
        )
    if status and status not in set(OrderStatus):
        raise ValidationError(
            marked("There is no such state. Choose one."), details={"field": "status"}
        )
    return Filters(text, OrderStatus(status) if status else None, _day(values.get("day", "")))


def search(filters: Filters, before: int | None = None) -> Found:
    """Return the newest orders that fit, or those with a lower number than ``before``."""
    conditions = _readings(filters.text) if filters.text else [true()]
    ids: set[int] = set()
    for condition in conditions:
        ids.update(db.session.scalars(_newest(condition, filters, before)))
    newest = sorted(ids, reverse=True)
    older = newest[PER_PAGE - 1] if len(newest) > PER_PAGE else None
    return Found(_loaded(newest[:PER_PAGE]), older)


def find(ref: str) -> Order:
    """Return any order by its UUID. Raises NotFound."""
    try:
        uuid = UUID(ref)
    except ValueError:
        raise NotFound(marked("There is no such order.")) from None
    order = db.session.scalar(select(Order).where(Order.uuid == uuid))
    if order is None:
        raise NotFound(marked("There is no such order."))
    return order


def credits_of(order_id: int) -> Sequence[Credit]:
    """Return the money that came in for an order, oldest first."""
    query = select(Credit).where(Credit.order_id == order_id).options(joinedload(Credit.payment))
    return db.session.scalars(query.order_by(Credit.id).limit(100)).all()


def _newest(condition: Condition, filters: Filters, before: int | None) -> Select[int]:
    # The orders of a day are found by their day and sorted, not sought among all by their number.
    number = Order.id if filters.day is None else Order.id + 0
    query = select(Order.id).where(condition).order_by(number.desc()).limit(PER_PAGE + 1)
    if before is not None:
        query = query.where(Order.id < before)
    if filters.status is not None:
        query = query.where(Order.status == filters.status)
    if filters.day is not None:
        begin = datetime.combine(filters.day, time.min, NAIROBI).astimezone(UTC)
        end = begin + timedelta(days=1)
        query = query.where(Order.created_at >= begin, Order.created_at < end)
    return query


def _loaded(ids: Sequence[int]) -> Sequence[Order]:
    query = select(Order).where(Order.id.in_(ids)).order_by(Order.id.desc())
    # A list tells who ordered and how much, and not what.
    return db.session.scalars(query.options(joinedload(Order.person), lazyload(Order.lines))).all()


def _readings(text: str) -> list[Condition]:
    """Return every way in which a text can name orders."""
    found: list[Condition] = [Order.external_reference == text]
    found += _names(text)
    if "@" in text:
        people = select(Person.id).where(*begins_with(Person.email, text.lower()))
        found.append(Order.person_id.in_(people.limit(_MOST_PEOPLE)))
    if phone := msisdn(text):
        people = select(Person.id).where(Person.phone == phone).limit(_MOST_PEOPLE)
        found.append(Order.person_id.in_(people))
        found.append(Order.id.in_(select(Payment.order_id).where(Payment.phone == phone)))
    return found


def _names(text: str) -> list[Condition]:
    bare = text.removeprefix("#")
    if bare.isascii() and bare.isdigit() and len(bare) < 19:
        number = int(bare)
        # Eight digits may be an account reference as well.
        return [Order.id == number, Order.reference == bare] if number <= MAX_ID else []
    if not (text.isascii() and text.replace("-", "").isalnum()):
        return []
    try:
        return [Order.uuid == UUID(text)]
    except ValueError:
        name = text.upper()
    return [
        Order.reference == name,
        Order.id.in_(select(Payment.order_id).where(Payment.public_ref == name)),
        Order.id.in_(select(Payment.order_id).where(Payment.mpesa_receipt == name)),
        Order.id.in_(select(Credit.order_id).where(Credit.receipt == name)),
    ]


def _day(text: str) -> date | None:
    written = text.strip()
    if not written:
        return None
    try:
        if not _DAY.fullmatch(written):
            raise ValueError(written)
        return date.fromisoformat(written)
    except ValueError as error:
        words = marked("Write the day as 2026-11-21.")
        raise ValidationError(words, details={"field": "day"}) from error
