"""One live prompt for each phone, whichever order it is for.

M-Pesa locks a subscriber while a prompt is open: a second one is refused or lost, and confuses
whoever holds the phone. The database decides who is first.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from sqlalchemy import Executable, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.errors import PaymentInProgress
from app.core.statements import rows_changed
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.payments.models import Payment, PhonePrompt
from app.payments.schedule import CLOCK_SET_BACK_SECONDS, LONGEST_PROMPT_SECONDS

PHONE_BUSY = "phone_busy"
PRUNE_BATCH = 500


class PhoneBusy(PaymentInProgress):
    """A prompt for another order may be on this phone. Nothing was sent."""

    message = marked(
        "This phone already has an M-Pesa prompt for another order. Answer or close it there, "
        "then try again, or use another phone. Nothing new was sent."
    )


def take_phone(session: Session, payment: Payment, asker_id: int | None) -> None:
    """Take a phone for an attempt's prompt, in the transaction that writes the attempt.

    ``asker_id`` is the person who asks, who is told the order when it is their own. Raises
    PhoneBusy while another attempt's prompt may be there. One that has long left the phone
    blocks nobody, though its end may not be known.
    """
    moment = now()
    # No prompt lives longer than that: what says so was written before the clock was set back. A
    # little more may be somebody who was faster while we waited for the row.
    never = moment + timedelta(seconds=LONGEST_PROMPT_SECONDS + CLOCK_SET_BACK_SECONDS)
    taking = {
        "phone": payment.phone,
        "payment_id": payment.id,
        "busy_until": payment.prompt_expires_at,
        "moment": moment,
        "never": never,
    }
    taken = session.execute(_taking(session.get_bind().dialect.name), taking)
    if taken.scalar() is None:
        raise _busy(session, payment.phone, asker_id)


@cache
def _taking(dialect: str) -> Executable:
    """Return the statement that takes a phone where it is free, and then returns its attempt."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(PhonePrompt)
    ends = PhonePrompt.busy_until
    is_free = or_(
        ends <= bindparam("moment", type_=ends.type), ends > bindparam("never", type_=ends.type)
    )
    values = {name: statement.excluded[name] for name in ("payment_id", "busy_until")}
    return (
        statement.values({name: bindparam(name) for name in ("phone", "payment_id", "busy_until")})
        .on_conflict_do_update(index_elements=["phone"], set_=values, where=is_free)
        .returning(PhonePrompt.payment_id)
    )


def free_phone(session: Session, payment_id: int) -> None:
    """Let others ask the phone of an attempt that has ended, in the same transaction."""
    session.execute(delete(PhonePrompt).where(PhonePrompt.payment_id == payment_id))


def prune(limit: int = PRUNE_BATCH) -> int:
    """Forget at most ``limit`` numbers whose prompt has left the phone; return how many."""
    is_over = PhonePrompt.busy_until <= now()
    oldest = select(PhonePrompt.phone).where(is_over).limit(limit)
    with transaction() as session:
        # Said once more, so that a number which was just taken again is not forgotten.
        return rows_changed(
            session, delete(PhonePrompt).where(PhonePrompt.phone.in_(oldest), is_over)
        )


def _busy(session: Session, phone: str, asker_id: int | None) -> PhoneBusy:
    there = session.get_one(PhonePrompt, phone, populate_existing=True)
    left = max(1, round((there.busy_until - now()).total_seconds()))
    details: dict[str, object] = {"reason": PHONE_BUSY, "retry_after_seconds": left}
    order = session.get_one(Payment, there.payment_id).order
    if asker_id is not None and order.person_id == asker_id:
        details["other_order_url"] = f"/orders/{order.uuid}"
    return PhoneBusy(details=details, retry_after_seconds=left)
