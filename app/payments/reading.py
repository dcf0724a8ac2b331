"""What the books say of one order, read at one moment for whoever describes it.

A page that waits for its payment asks every few seconds, and hardly ever is there anything else
than one open prompt: that is read by one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.orm import contains_eager

from app.accounts.models import Person
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.claims.models import Claim
from app.payments.models import Credit, Payment
from app.payments.queries import amount_paid_cents, attempts_of
from app.payments.states import LIVE


@dataclass(frozen=True)
class Reading:
    """An order, its attempts with the newest first, and what has come in.

    ``only_waits`` is True where an open prompt is all there is: no money, and no claim to have
    paid.
    """

    order: Order
    attempts: Sequence[Payment]
    paid_cents: int
    only_waits: bool = False


def read(order: Order, attempts: Sequence[Payment] | None = None) -> Reading:
    """Read how an order stands; ``attempts`` are those that may be told of, by default all."""
    attempts = attempts_of(order) if attempts is None else attempts
    return Reading(order, attempts, amount_paid_cents(db.session(), order.id))


def read_order(ref: object, person: Person) -> Reading:
    """Find an order of this person's by its number or UUID, and read how it stands.

    Raises NotFound, also for somebody else's.
    """
    return _waiting(ref, person) or read(orders.find_order(ref, person))


def _waiting(ref: object, person: Person) -> Reading | None:
    """Read an order that waits for an open prompt; None for any other, which is read in parts."""
    try:
        uuid = UUID(str(ref).strip())
    except ValueError:
        return None
    payment = db.session.scalar(_WAITING, {"uuid": uuid, "person_id": person.id})
    return Reading(payment.order, [payment], 0, only_waits=True) if payment else None


#: Holds for an open prompt, joined to its order, where that is all there is. An order has one at
#: most, and while there is one it is the newest attempt.
ONLY_WAITS = and_(
    Order.status == OrderStatus.PENDING,
    Payment.status.in_(LIVE),
    ~exists().where(Credit.order_id == Order.id),
    ~exists().where(Claim.order_id == Order.id),
)
_WAITING = (
    select(Payment)
    .join(Payment.order)
    .options(contains_eager(Payment.order).lazyload(Order.lines))
    .where(
        Order.uuid == bindparam("uuid"),
        Order.person_id == bindparam("person_id"),
        ONLY_WAITS,
    )
)
