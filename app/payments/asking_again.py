"""Plans to send a prompt once more by itself, where it certainly was never seen.

Only what was begun on a page of ours is planned: there somebody sees that the prompt comes again,
and can stop it. The repeated attempt plans nothing, so it happens once in a row at most. What is
due is found in the rows; repeating.py does it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.statements import rows_changed
from app.core.unit_of_work import after_commit, transaction
from app.extensions import db
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.claims.models import OPEN as OPEN_CLAIMS
from app.payments.claims.models import Claim
from app.payments.models import Payment
from app.payments.queries import attempts_of
from app.payments.schedule import CLOCK_SET_BACK_SECONDS, LONGEST_ASK_AGAIN_SECONDS
from app.payments.signals import repeat_wanted
from app.payments.states import UNPAID_ENDS
from app.payments.timeline import note
from app.payments.words import is_sure
from app.settings.service import settings

#: The subscriber was locked, or Daraja could not send the prompt (Safaricom's documents): in both
#: cases no prompt was on the phone, so no PIN can have been entered.
_NEVER_SEEN_CODES = frozenset({"1001", "1025"})
_NEVER_SEEN_REASONS = frozenset({"refused_busy_phone"})
#: So long after a prompt of which money may still come, no other is sent unasked: by then Daraja
#: has been asked about it once more.
DOUBT_SECONDS = 180
#: Whoever waited has gone after so long: no phone rings out of the blue.
STALE_SECONDS = 120


def plan(session: Session, payment: Payment) -> None:
    """Plan to ask again where that is allowed, in the transaction that ended the attempt."""
    seconds = settings().ask_again_seconds
    never_seen = payment.result_code in _NEVER_SEEN_CODES or payment.reason in _NEVER_SEEN_REASONS
    is_open = payment.order.status == OrderStatus.PENDING
    if not (seconds and payment.may_ask_again and never_seen and is_open):
        return
    if is_claimed(session, payment.order_id) or _may_have_paid(payment):
        return
    due, payment_id = now() + timedelta(seconds=seconds), payment.id
    session.execute(update(Payment).where(Payment.id == payment_id).values(ask_again_at=due))
    why = f"the prompt was never seen; it is sent once more in {seconds} seconds"
    _note(session, payment, "ask_again_planned", "engine", why)
    after_commit(lambda: repeat_wanted.send(payment_id=payment_id, at=due))


def planned_at(payment: Payment, order: Order) -> datetime | None:
    """Return when the prompt is sent once more, or None where it is not."""
    due = payment.ask_again_at
    if due is None or order.status != OrderStatus.PENDING or is_stale(due):
        return None
    return due


def is_stale(due: datetime) -> bool:
    """Tell whether nobody can be waiting any more for what was planned for then."""
    moment = now()
    late = moment - due > timedelta(seconds=STALE_SECONDS)
    return late or due > _never(moment)


def stop_asking_again(order: Order, asker: str = "the payer") -> bool:
    """Have no prompt sent again by itself; return whether one was planned.

    ``asker`` is who wants it, as timelines name people.
    """
    newest = next(iter(attempts_of(order)), None)
    if newest is None or newest.ask_again_at is None:
        return False
    with transaction() as session:
        return take_plan(session, newest, "ask_again_stopped", asker, "somebody asked for that")


def take_plan(session: Session, payment: Payment, event: str, actor: str, why: str) -> bool:
    """Take an attempt's plan away, by compare-and-set; return whether there still was one."""
    taken = (
        update(Payment)
        .where(Payment.id == payment.id, Payment.ask_again_at.is_not(None))
        .values(ask_again_at=None)
    )
    if rows_changed(session, taken) != 1:
        return False
    _note(session, payment, event, actor, why)
    return True


def is_claimed(session: Session, order_id: int) -> bool:
    """Tell whether somebody says that the order is paid, and nobody knows yet whether it is so."""
    of_order = select(Claim.id).where(Claim.order_id == order_id, Claim.state.in_(OPEN_CLAIMS))
    return session.scalar(of_order.limit(1)) is not None


def _may_have_paid(payment: Payment) -> bool:
    """Tell whether an earlier prompt may hold the phone still, and be paid after all."""
    since = now() - timedelta(seconds=DOUBT_SECONDS)
    return any(
        earlier.status in UNPAID_ENDS
        and earlier.prompt_expires_at > since
        and not is_sure(earlier.reason, earlier.evidence)
        for earlier in attempts_of(payment.order)
        if earlier.id < payment.id
    )


def due_ids(limit: int) -> list[int]:
    """Return attempts whose prompt is to be sent once more now, whatever the queue has lost."""
    query = select(Payment.id).where(is_due(now())).order_by(Payment.ask_again_at).limit(limit)
    return list(db.session.scalars(query))


def is_due(moment: datetime) -> ColumnElement[bool]:
    """Hold for what is due, and for what only a clock that was set back keeps from being due."""
    return or_(Payment.ask_again_at <= moment, Payment.ask_again_at > _never(moment))


def _never(moment: datetime) -> datetime:
    return moment + timedelta(seconds=LONGEST_ASK_AGAIN_SECONDS + CLOCK_SET_BACK_SECONDS)


def _note(session: Session, payment: Payment, event: str, actor: str, why: str) -> None:
    note(session, payment.id, event, payment.status, payment.status, actor, why)
