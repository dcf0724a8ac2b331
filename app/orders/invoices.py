"""Orders that are not filled from the shelves: a caller's own amount, or one course.

Asking again for what is still open finds the same order, by its ``open_key``: so a repeated
request, however it came to be repeated, never makes a second order or a second prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import Conflict, NotFound
from app.core.money import Kes
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Enrolment, Kind, Order, OrderLine, Product
from app.orders.service import find_product, new_reference, note
from app.orders.states import OrderEvent

_TRIES = 3


def place_invoice(
    *, reference: str, description: str, amount_cents: int, payer: str, person: Person | None = None
) -> Order:
    """Return the open order for a caller's own amount under the caller's own reference.

    ``payer`` is the phone that is to pay, in twelve digits: the same reference may be asked of
    several people.
    """
    person_id = person.id if person else None
    asker = f"person {person.id}" if person else "a caller who is not signed in"

    def new_order() -> Order:
        return Order(
            person_id=person_id,
            total_cents=amount_cents,
            external_reference=reference or None,
            description=description or None,
        )

    return _open_order(_key("invoice", person_id, reference, amount_cents, payer), asker, new_order)


def place_course_order(person: Person, course_id: int, **texts: str | None) -> Order:
    """Return the open order of one person for one course. ``texts`` may give the order an
    ``external_reference`` and a ``description``.

    Raises NotFound for what is no course, and Conflict for one that the person has a place in.
    """
    course = find_product(course_id)
    if course.kind != Kind.COURSE:
        raise NotFound(marked("There is no such course."))
    if _is_enrolled(person.id, course_id):
        raise Conflict(marked("You have a place in this course already. Nothing was charged."))
    person_id, asker = person.id, f"person {person.id}"

    def new_order() -> Order:
        return Order(
            person_id=person_id,
            total_cents=course.price_cents,
            lines=[_line(course)],
            **texts,
        )

    return _open_order(_key("course", person_id, course_id), asker, new_order)


def _open_order(key: str, asker: str, new_order: Callable[[], Order]) -> Order:
    for _ in range(_TRIES):
        known = db.session.scalar(select(Order).where(Order.open_key == key))
        if known is not None:
            return known
        try:
            with transaction() as session:
                return _placed(session, new_order(), key, asker)
        except IntegrityError:
            # Another request has just placed it, or, hardly ever, the reference is taken.
            continue
    raise Conflict(
        marked("This is being ordered at this very moment. Try again."), retry_after_seconds=1
    )


def _placed(session: Session, order: Order, key: str, asker: str) -> Order:
    minutes = current_app.extensions["lipa_settings"].order_hold_minutes
    order.reference = new_reference()
    order.open_key = key
    order.held_until = now() + timedelta(minutes=minutes)
    session.add(order)
    session.flush()
    amount, description = Kes(order.total_cents), order.description
    asked = (
        f"{amount}, {description}"
        if description
        else said("{amount}, no description", amount=amount)
    )
    note(session, order.id, OrderEvent.PLACED, "", order.status, asker, asked)
    return order


def _line(course: Product) -> OrderLine:
    return OrderLine(
        product_id=course.id,
        name=course.name,
        kind=course.kind,
        unit_price_cents=course.price_cents,
        quantity=1,
        held=course.stock is None,
    )


def _is_enrolled(person_id: int, course_id: int) -> bool:
    place = select(Enrolment.id).where(
        Enrolment.person_id == person_id, Enrolment.product_id == course_id
    )
    return db.session.scalar(place) is not None


def _key(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
