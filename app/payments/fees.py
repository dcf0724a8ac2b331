"""Course fees: ordering a course and asking for its price in one go, and lists of such payments.

A person has one open order for a course at a time, whichever door it was placed by: so nobody is
asked twice for the same place.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import joinedload, selectinload

from app.accounts.models import Person
from app.core import idempotency
from app.core.errors import AmountMismatch, NotFound
from app.core.money import shillings_number
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.invoices import place_course_order
from app.orders.models import Enrolment, Kind, Order, OrderLine
from app.orders.service import find_product, lock_order
from app.orders.states import OrderStatus
from app.payments.initiate import readable_phone, start
from app.payments.methods import require_payable
from app.payments.models import Payment
from app.payments.queries import live_attempt


def ask_for_fee(
    *,
    person: Person,
    course_id: int,
    phone: str,
    amount_cents: int,
    strict_phone: bool,
    reference: str | None,
    description: str | None,
) -> Payment:
    """Send one prompt for a course's price, or give the live attempt back.

    ``reference`` and ``description`` are the caller's own and kept whole; Daraja gets shorter
    copies. Returns the attempt: pending, or unconfirmed when nobody knows whether the prompt was
    sent. Raises AmountMismatch for any other amount than what is owed, NotFound for what is no
    course, Conflict for one that is paid, and another LipaError when nothing was sent.
    """
    number = readable_phone(phone, strict=strict_phone)
    require_payable(amount_cents)
    order = _begun_order()
    if order is None:
        texts = {"external_reference": reference, "description": description}
        order = _order_for(person, course_id, amount_cents, texts)
    asker = f"person {person.id}"
    return start(order, number, asker=asker, asker_id=person.id, amount_cents=amount_cents)


def listed(page: int, per_page: int, person: Person | None = None) -> Sequence[Payment]:
    """Return one page of a person's payments, or of everybody's, newest first, with their orders
    and payers.
    """
    wanted = select(Payment).options(selectinload(Payment.order), joinedload(Payment.person))
    if person is not None:
        wanted = wanted.where(Payment.person_id == person.id)
    page_of_it = wanted.order_by(Payment.id.desc()).limit(per_page).offset((page - 1) * per_page)
    return db.session.scalars(page_of_it).all()


def course_of(payment: Payment) -> str | None:
    """Return the name of the course that a payment is for; None where it is for none."""
    names = [line.name for line in payment.order.lines if line.kind == Kind.COURSE]
    return ", ".join(names) or None


def _begun_order() -> Order | None:
    """Return the order of the attempt that an interrupted run of this very request had begun."""
    begun = idempotency.subject()
    if begun is None:
        return None
    return db.session.get_one(Payment, int(begun.removeprefix("payment:"))).order


def _order_for(
    person: Person, course_id: int, amount_cents: int, texts: dict[str, str | None]
) -> Order:
    course = find_product(course_id)
    if course.kind != Kind.COURSE:
        raise NotFound(marked("There is no such course."))
    order = _open_order(person.id, course.id)
    if order is not None:
        _call_it(order, {name: text for name, text in texts.items() if text})
        return order
    if course.price_cents != amount_cents:
        # No order shall be made of a wrong amount.
        raise AmountMismatch(shillings_number(course.price_cents))
    return place_course_order(person, course.id, **texts)


def _open_order(person_id: int, course_id: int) -> Order | None:
    """Return the person's unpaid order for one place in this course and nothing else.

    Whoever has a place already has no order that should still be paid.
    """
    other_lines = (OrderLine.product_id != course_id) | (OrderLine.quantity != 1)
    has_place = exists().where(Enrolment.person_id == person_id, Enrolment.product_id == course_id)
    return db.session.scalar(
        select(Order)
        .where(
            Order.person_id == person_id,
            Order.status == OrderStatus.PENDING,
            Order.lines.any(OrderLine.product_id == course_id),
            ~Order.lines.any(other_lines),
            ~has_place,
        )
        .order_by(Order.id.desc())
        .limit(1)
    )


def _call_it(order: Order, texts: dict[str, str]) -> None:
    """Give an open order the names that its caller uses now, unless a prompt bears the old ones."""
    if all(getattr(order, name) == text for name, text in texts.items()):
        return
    with transaction() as session:
        locked = lock_order(session, order.id)
        if locked.status == OrderStatus.PENDING and live_attempt(session, locked.id) is None:
            for name, text in texts.items():
                setattr(locked, name, text)
