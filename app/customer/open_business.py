"""What between somebody and the shop is not over yet, so that they cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.texts import Said, marked, said
from app.customer.kept_money import orders_of, refunds_to
from app.disbursements.models import Disbursement
from app.disbursements.states import SENT, UNSENT
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.claims.models import OPEN as OPEN_CLAIMS
from app.payments.claims.models import Claim
from app.payments.models import Credit, ManualSettlement, Payment
from app.payments.states import LIVE, Proposal, Standing, Status

#: So many of a kind are named; with them settled, the next ones come.
MOST_NAMED = 5


@dataclass(frozen=True)
class Open:
    """One reason why not yet, with what to do, and the page where that is done."""

    why: str
    address: str


def still_open(session: Session, person: Person) -> list[Open]:
    """Return what has to be settled before a person can be erased; nothing when all is."""
    found = [_role()] if person.is_staff else []
    named: dict[int, Open] = {}
    for which, words in _QUESTIONS:
        query = select(Order).where(orders_of(person.id), which())
        for order in session.scalars(query.order_by(Order.id).limit(MOST_NAMED)):
            named.setdefault(order.id, Open(words(order.number), f"/orders/{order.uuid}"))
    return [*found, *named.values(), *_refunds(session, person.id)]


def _role() -> Open:
    return Open(
        marked("You work in this shop. Ask an owner to take your role away first."), "/account"
    )


def _has_live_prompt() -> ColumnElement[bool]:
    return Order.id.in_(select(Payment.order_id).where(Payment.status.in_(LIVE)))


def _is_unpaid() -> ColumnElement[bool]:
    return Order.status == OrderStatus.PENDING


def _is_questioned() -> ColumnElement[bool]:
    """Pick the orders about whose money somebody of the shop has something to decide."""
    questions: tuple[Select[int | None], ...] = (
        select(Payment.order_id).where(
            or_(
                Payment.status == Status.REVIEW,
                Payment.review_reason.is_not(None) & Payment.reviewed_at.is_(None),
            )
        ),
        select(Payment.order_id)
        .join(ManualSettlement, ManualSettlement.payment_id == Payment.id)
        .where(ManualSettlement.state == Proposal.WAITING),
        select(Credit.order_id).where(
            Credit.standing != Standing.EXACT, Credit.decided_at.is_(None)
        ),
        select(Claim.order_id).where(Claim.state.in_(OPEN_CLAIMS)),
    )
    asked = (Order.id.in_(question) for question in questions)
    return or_(Order.status == OrderStatus.REVIEW, *asked)


def _live(number: int) -> Said:
    return said(
        "A prompt for order {number} may still be on a phone. Wait until it has ended.",
        number=number,
    )


def _unpaid(number: int) -> Said:
    return said("Order {number} is not paid. Pay it or cancel it.", number=number)


def _questioned(number: int) -> Said:
    return said(
        "The shop is still looking at money for order {number}. Wait until it has answered.",
        number=number,
    )


#: What of an order is told first, where more than one is so.
_QUESTIONS: tuple[tuple[Callable[[], ColumnElement[bool]], Callable[[int], Said]], ...] = (
    (_has_live_prompt, _live),
    (_is_questioned, _questioned),
    (_is_unpaid, _unpaid),
)


def _refunds(session: Session, person_id: int) -> Iterator[Open]:
    flagged = Disbursement.review_reason.is_not(None) & Disbursement.reviewed_at.is_(None)
    unfinished = or_(Disbursement.status.in_(SENT | UNSENT), flagged)
    query = select(Disbursement.public_ref).where(refunds_to(person_id), unfinished)
    for ref in session.scalars(query.order_by(Disbursement.id).limit(MOST_NAMED)):
        why = said("Refund {ref} is on its way. Wait until it has arrived.", ref=ref)
        yield Open(why, "/orders")
