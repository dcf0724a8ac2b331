"""What somebody's own lists show: their payments page by page, and what paid for their courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.models import Person
from app.core.errors import NotFound
from app.core.reading import MAX_ID
from app.core.texts import marked
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Enrolment, Order
from app.payments import methods, words
from app.payments.models import Payment
from app.payments.states import UNPAID_ENDS

PER_PAGE = 20


@dataclass(frozen=True)
class Page:
    """Some of somebody's payments, newest first; ``older`` is where the next page begins."""

    payments: Sequence[Payment]
    older: int | None


def kept_number(person: Person, method_id: int) -> str:
    """Return a number that somebody has kept. Raises NotFound, also for somebody else's."""
    kept = {method.id: method.phone for method in methods.methods_of(person)}
    if method_id not in kept:
        raise NotFound(marked("You have not kept such a number, or have removed it."))
    return kept[method_id]


def payments_before(person: Person, before: int | None) -> Page:
    """Return the newest payments of somebody's own, or those before the one with this id."""
    query = select(Payment).where(Payment.person_id == person.id)
    if before is not None:
        query = query.where(Payment.id < min(before, MAX_ID))
    newest = query.options(joinedload(Payment.order)).order_by(Payment.id.desc())
    found = db.session.scalars(newest.limit(PER_PAGE + 1)).all()
    shown = found[:PER_PAGE]
    return Page(shown, shown[-1].id if len(found) > PER_PAGE else None)


def why_unpaid(payment: Payment) -> str | None:
    """Say why a payment ended without money, in a few words; None where it did not."""
    return words.unpaid_end(payment.reason).title if payment.status in UNPAID_ENDS else None


def courses_with_orders(person: Person) -> Sequence[tuple[Enrolment, Order]]:
    """Return the courses somebody has a place in, each with the order that gave it."""
    places = orders.courses_of(person)
    wanted = {place.order_id for place in places}
    found = db.session.scalars(select(Order).where(Order.id.in_(wanted)))
    by_id = {order.id: order for order in found}
    return [(place, by_id[place.order_id]) for place in places]
