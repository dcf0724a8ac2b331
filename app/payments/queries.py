"""Questions that only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.errors import NotFound
from app.core.texts import marked
from app.extensions import db
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.models import Credit, Payment, TimelineEntry
from app.payments.states import LIVE

_MOST_ATTEMPTS = 100
#: Money of no prompt. Its column has an index, by which SQLite would find that of every order.
_UNPROMPTED = func.coalesce(Credit.payment_id, 0) == 0


def live_attempt(session: Session, order_id: int) -> Payment | None:
    """Return the one attempt of an order whose prompt may be on a phone."""
    return session.scalar(
        select(Payment).where(Payment.order_id == order_id, Payment.status.in_(LIVE))
    )


def amount_paid_cents(session: Session, order_id: int) -> int:
    """Return what an order has been paid: the sum of its credits, never a flag.

    While it is not paid in full, what has gone back counts no more, and is due again. A refund of
    an order that was paid is a record of its own, and the order was paid all the same.
    """
    return int(session.scalar(PAID_CENTS, {"order_id": order_id}) or 0)


def kept_cents() -> ColumnElement[int]:
    """Sum up credits, joined to their orders, as ``amount_paid_cents`` counts them."""
    gone = case((Order.status == OrderStatus.PAID, 0), else_=Credit.returned_cents)
    return func.coalesce(func.sum(Credit.amount_cents - gone), 0)


#: What ``amount_paid_cents`` asks, of ``order_id``: often, so it is put together once.
PAID_CENTS = select(kept_cents()).join(Order).where(Credit.order_id == bindparam("order_id"))


def paid_by_hand(order_id: int) -> Sequence[Credit]:
    """Return an order's money that is no prompt's, newest first: sent to the paybill, known from a
    statement, or assigned by a person.
    """
    return db.session.scalars(
        select(Credit)
        .where(Credit.order_id == order_id, _UNPROMPTED)
        .order_by(Credit.id.desc())
        .limit(_MOST_ATTEMPTS)
    ).all()


@dataclass
class Money:
    """What there is of money about one order: newest attempts and credits without one first."""

    attempts: list[Payment] = field(default_factory=list)
    by_hand: list[Credit] = field(default_factory=list)
    paid_cents: int = 0


def money_of(orders: Sequence[Order]) -> dict[int, Money]:
    """Return the money of each of these orders by its id, with as many questions as for one."""
    found = {order.id: Money() for order in orders}
    most = _MOST_ATTEMPTS * len(found)
    attempts = select(Payment).where(Payment.order_id.in_(found)).order_by(Payment.id.desc())
    for payment in db.session.scalars(attempts.limit(most)):
        found[payment.order_id].attempts.append(payment)
    of_orders = Credit.order_id.in_(found)
    unprompted = select(Credit).where(of_orders, _UNPROMPTED)
    for credit in db.session.scalars(unprompted.order_by(Credit.id.desc()).limit(most)):
        found[credit.order_id or 0].by_hand.append(credit)
    sums = select(Credit.order_id, kept_cents()).join(Order).where(of_orders)
    for order_id, cents in db.session.execute(sums.group_by(Credit.order_id)):
        found[order_id or 0].paid_cents = int(cents)
    return found


def attempts_of(order: Order) -> Sequence[Payment]:
    """Return every attempt for an order, newest first."""
    return db.session.scalars(
        select(Payment)
        .where(Payment.order_id == order.id)
        .order_by(Payment.id.desc())
        .limit(_MOST_ATTEMPTS)
    ).all()


def telling_attempt(attempts: Sequence[Payment]) -> Payment | None:
    """Pick the attempt that says how an order stands: a completed one, else the newest.

    While the rest of an order is still to be paid, the newest tells what has become of that.
    """
    newest = attempts[0] if attempts else None
    if newest is None or newest.order.status == OrderStatus.PENDING:
        return newest
    return next((attempt for attempt in attempts if attempt.is_completed), newest)


def find_payment(ref: object, person: Person | None = None) -> Payment:
    """Return a payment by integer, UUID or ``TXN…``.

    With a person, raises NotFound for somebody else's unless the person is an admin.
    """
    payment = db.session.scalar(select(Payment).where(_named(ref)))
    foreign = payment is not None and person is not None and payment.person_id != person.id
    if payment is None or (foreign and not (person and person.is_admin)):
        raise NotFound(marked("There is no such payment, or it is not yours."))
    return payment


def timeline_of(payment: Payment) -> Sequence[TimelineEntry]:
    """Return what happened to a payment, oldest first."""
    return db.session.scalars(
        select(TimelineEntry)
        .where(TimelineEntry.payment_id == payment.id)
        .order_by(TimelineEntry.id)
        .limit(500)
    ).all()


def recent(limit: int = 50) -> Sequence[Payment]:
    """Return the newest payments of the whole shop."""
    return db.session.scalars(select(Payment).order_by(Payment.id.desc()).limit(limit)).all()


def _named(ref: object):  # type: ignore[no-untyped-def]
    text = str(ref).strip() if isinstance(ref, (str, int, UUID)) else ""
    if text.startswith("TXN") and len(text) == 20 and text.isalnum():
        return Payment.public_ref == text
    if text.isascii() and text.isdigit() and len(text) < 19:
        return Payment.id == int(text)
    try:
        return Payment.uuid == UUID(text)
    except ValueError as error:
        raise NotFound(marked("There is no such payment, or it is not yours.")) from error
