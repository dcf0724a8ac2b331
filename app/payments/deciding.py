"""What a person decides about money that did not simply fit.

The money itself is proven; what is decided is where it belongs. Each decision is made once, by
compare-and-set, with who and why beside it, and moves payment and order in the same transaction.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import Conflict, NotFound, PaymentInProgress, ValidationError
from app.core.money import kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.monitoring import redact
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderEvent, OrderStatus
from app.payments.models import Credit, Payment
from app.payments.paybill.crediting import announce_money
from app.payments.postings import post_placed
from app.payments.queries import amount_paid_cents, live_attempt
from app.payments.settle import move, persistently
from app.payments.states import Decision, Event, Standing
from app.payments.timeline import note
from app.settings.service import settings

MOST_WORDS = 500


def accept(credit_id: int, person: Person, why: str) -> None:
    """Take money for the order after all, and fulfil it. Raises Conflict when it is not enough."""
    words = _readable(why)

    def work(session: Session, credit: Credit, order: Order) -> None:
        _require_standing(credit, Standing.OVER, Standing.LATE, Standing.SHORT)
        if amount_paid_cents(session, order.id) < order.total_cents:
            raise Conflict(marked("This does not cover the order. Ask for the rest instead."))
        _clear_payment(session, credit, person, words)
        _pay_order(session, order, _name(person), words)

    _decide(credit_id, Decision.ACCEPTED, person, words, work)


def ask_for_rest(credit_id: int, person: Person, why: str) -> None:
    """Keep what came and let the shopper pay what is missing."""
    words = _readable(why)

    def work(session: Session, credit: Credit, order: Order) -> None:
        _require_standing(credit, Standing.SHORT)
        if order.status != OrderStatus.REVIEW:
            raise Conflict(
                said("The order is {status}: there is no rest to ask for.", status=order.status)
            )
        _clear_payment(session, credit, person, words)
        _reopen(session, order, _name(person), words)

    _decide(credit_id, Decision.REST_ASKED, person, words, work)


def set_aside(credit_id: int, person: Person, why: str) -> None:
    """Keep money out of its order, to be sent back: it stays listed until it has been."""

    def work(session: Session, credit: Credit, order: Order) -> None:
        _require_standing(credit, Standing.OVER, Standing.LATE, Standing.SECOND, Standing.SHORT)

    _decide(credit_id, Decision.SET_ASIDE, person, why, work)


def assign(credit_id: int, order_ref: object, person: Person | str, why: str) -> None:
    """Give unmatched money to an order. Raises Conflict when that order is paid already.

    ``person`` is the name of a machine where the evidence left nothing to decide.
    """
    words, order_id = _readable(why), orders.any_order(order_ref).id

    def work(session: Session) -> None:
        order = orders.lock_order(session, order_id)
        credit = session.get(Credit, credit_id, populate_existing=True)
        if credit is None:
            raise NotFound(marked("There is no such money."))
        _require_standing(credit, Standing.UNMATCHED)
        if order.status == OrderStatus.PAID:
            raise Conflict(marked("That order is paid already. Set this money aside for a refund."))
        if live_attempt(session, order_id) is not None:
            raise PaymentInProgress(marked("A prompt for that order is open. Wait for its end."))
        _mark(session, credit, Decision.ASSIGNED, person, words, order_id=order_id)
        questioned = f"{kes(credit.amount_cents)} assigned"
        changes = {"review_reason": Standing.UNMATCHED}
        orders.move_order(
            session, order, OrderEvent.MONEY_QUESTIONED, _name(person), questioned, **changes
        )
        if amount_paid_cents(session, order_id) >= order.total_cents:
            _pay_order(session, order, _name(person), words)
        else:
            _reopen(session, order, _name(person), words)
        session.refresh(credit)
        announce_money(session, order, credit)
        _record_money(session, person, Decision.ASSIGNED, credit, words)

    persistently(work)


def acknowledge(payment_id: int, person: Person, why: str) -> None:
    """Take a payment that was only to be looked at off the list."""
    words = _readable(why)
    with transaction() as session:
        payment = session.get(Payment, payment_id, populate_existing=True)
        if payment is None:
            raise NotFound(marked("There is no such payment."))
        if payment.is_live or payment.reviewed_at is not None:
            raise Conflict(marked("There is nothing to acknowledge here."))
        payment.reviewed_at = now()
        note(session, payment_id, "seen", payment.status, payment.status, _name(person), words)
        record(session, person, "payment.seen", f"payment {payment.public_ref}", why=words)


def delivered(order_id: int, person: Person, why: str) -> None:
    """Note that a paid order whose goods were gone has been settled with the shopper."""
    words = _readable(why)
    orders.any_order(order_id)
    with transaction() as session:
        if not orders.acknowledge(session, order_id, _name(person), words):
            raise Conflict(marked("Somebody has settled this already."))
        record(session, person, "order.settled_with_shopper", f"order {order_id}", why=words)


def more_time(order_id: int, person: Person, why: str) -> None:
    """Let the shopper pay the rest of an order whose time was over."""
    words = _readable(why)
    orders.any_order(order_id)
    with transaction() as session:
        order = orders.lock_order(session, order_id)
        if order.review_reason != "part_paid":
            raise Conflict(marked("Somebody has settled this already."))
        _reopen(session, order, _name(person), words)
        record(session, person, "order.given_more_time", f"order {order_id}", why=words)


def _decide(credit_id: int, decision: Decision, person: Person, why: str, work) -> None:  # type: ignore[no-untyped-def]
    words = _readable(why)

    def decided(session: Session) -> None:
        found = session.get(Credit, credit_id)
        if found is None or found.order_id is None:
            raise NotFound(marked("There is no such money, or it belongs to no order yet."))
        order = orders.lock_order(session, found.order_id)
        credit = session.get_one(Credit, credit_id, populate_existing=True)
        _mark(session, credit, decision, person, words)
        work(session, credit, order)
        _record_money(session, person, decision, credit, words)

    persistently(decided)


def _record_money(
    session: Session, person: Person | str, decision: Decision, credit: Credit, why: str
) -> None:
    """Write a decision about money into the audit trail, last of all."""
    session.refresh(credit, ["order_id"])
    about = f"payment {credit.payment.public_ref}" if credit.payment else f"order {credit.order_id}"
    record(
        session,
        person,
        f"payment.{decision}",
        about,
        credit=credit.id,
        order=credit.order_id,
        amount=kes(credit.amount_cents),
        why=why,
    )


def _mark(
    session: Session,
    credit: Credit,
    decision: Decision,
    person: Person | str,
    why: str,
    **changes: int,
) -> None:
    """Write a decision down, once. Raises Conflict when somebody was faster."""
    decided = (
        update(Credit)
        .where(Credit.id == credit.id, Credit.decided_at.is_(None))
        .values(
            decision=decision,
            decided_at=now(),
            decided_by=_name(person),
            decided_why=why,
            **changes,
        )
    )
    if rows_changed(session, decided) != 1:
        raise Conflict(marked("Somebody has decided this already."))
    if decision is not Decision.SET_ASIDE:
        post_placed(session, session.get_one(Credit, credit.id, populate_existing=True))


def _clear_payment(session: Session, credit: Credit, person: Person, why: str) -> None:
    if credit.payment_id is not None:
        move(
            session, credit.payment_id, Event.MONEY_ACCEPTED, _name(person), why, reviewed_at=now()
        )


def _pay_order(session: Session, order: Order, actor: str, why: str) -> None:
    event = OrderEvent.MONEY_ACCEPTED
    if orders.move_order(session, order, event, actor, why, paid_at=now(), review_reason=None):
        orders.fulfil(session, order)


def _reopen(session: Session, order: Order, actor: str, why: str) -> None:
    held_until = now() + timedelta(minutes=settings().order_hold_minutes)
    orders.move_order(
        session,
        order,
        OrderEvent.REST_ASKED,
        actor,
        why,
        review_reason=None,
        held_until=held_until,
    )


def _require_standing(credit: Credit, *allowed: Standing) -> None:
    if credit.standing not in allowed:
        raise Conflict(marked("That cannot be done with money of this kind."))


def _readable(why: str) -> str:
    """Return a reason as it is kept: a number that somebody typed into it is masked."""
    words = redact(why.strip())
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            said("Say why, in {least} to {most} characters.", least=1, most=MOST_WORDS)
        )
    return words


def _name(person: Person | str) -> str:
    return person if isinstance(person, str) else f"person {person.id}"
