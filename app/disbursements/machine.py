"""The one place where the status of money going out changes.

All evidence ends here: an acknowledgement, a result, the answer to a question, a person's word. A
status moves by compare-and-set along an edge of states.py; timeline, ledger and announcement are
written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import outbox
from app.core.clock import now
from app.core.money import Kes, kes
from app.core.statements import rows_changed
from app.core.texts import said
from app.core.unit_of_work import transaction
from app.disbursements import postings
from app.disbursements.models import Disbursement, Kind
from app.disbursements.states import NOT_PAID, SENT, OutEvent, OutStatus, target_of
from app.disbursements.timeline import flag, note, remark
from app.mpesa.out_codes import ALREADY_REVERSED, DECLINED, OutOutcome
from app.payments import credits
from app.payments.signals import announcement_staged

#: The topic of news about money out, and the name of its Socket.IO event.
PAYOUT_UPDATE = "payout_update"
#: Put before a person: it had been called unpaid, and was paid all the same.
PAID_AFTER_ALL = "paid_after_all"
_TRIES = 5
Result = TypeVar("Result")


class LostRace(Exception):
    """What stood there a moment ago was changed by somebody else."""


@dataclass(frozen=True)
class Verdict:
    """What Daraja, or a person with evidence, says became of the money."""

    outcome: OutOutcome
    actor: str
    code: str = ""
    description: str = ""
    receipt: str | None = None
    receiver: str | None = None
    amount_cents: int | None = None
    charge_cents: int | None = None

    @property
    def words(self) -> str:
        return " ".join(part for part in (self.code, self.description) if part) or self.outcome


def conclude(disbursement_id: int, verdict: Verdict) -> str:
    """Apply proven evidence to money that went out, once; return in a few words what it changed."""
    return persistently(lambda session: conclude_in(session, disbursement_id, verdict))


def persistently(work: Callable[[Session], Result]) -> Result:
    """Do ``work`` in a transaction of its own, again where another writer came in between.

    Raises RuntimeError after _TRIES.
    """
    for _ in range(_TRIES):
        try:
            with transaction() as session:
                return work(session)
        except (IntegrityError, LostRace):
            continue
    raise RuntimeError(f"somebody else was faster {_TRIES} times")


def locked(session: Session, disbursement_id: int) -> Disbursement:
    """Read a record anew and keep others from moving it until the transaction ends."""
    query = select(Disbursement).where(Disbursement.id == disbursement_id)
    query = query.with_for_update(of=Disbursement).execution_options(populate_existing=True)
    return session.scalars(query).one()


def move(
    session: Session, record: Disbursement, event: OutEvent, actor: str, why: str, **changes: Any
) -> bool:
    """Move a record along the edge that ``event`` names, by compare-and-set.

    Writes timeline and ledger and stages the announcement. Returns False where the event changes
    nothing from the present status. Raises LostRace when another writer was in between.
    """
    source, target = OutStatus(record.status), target_of(record.status, event)
    if target is None:
        return False
    compare_and_set = (
        update(Disbursement)
        .where(Disbursement.id == record.id, Disbursement.status == source)
        .values(status=target, **changes)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, compare_and_set) != 1:
        raise LostRace
    session.refresh(record)
    note(session, record, event, source, target, actor, why)
    postings.post_move(session, record, source, target)
    announce(session, record)
    return True


def announce(session: Session, record: Disbursement) -> None:
    """Stage the news of a record beside its change."""
    body = {
        "payout_id": str(record.uuid),
        "reference": record.public_ref,
        "kind": record.kind,
        "status": record.status,
        "held": record.held,
        "receipt": record.receipt,
        "run_id": str(record.run.uuid) if record.run else None,
    }
    outbox.stage(session, PAYOUT_UPDATE, {"update": body}, announcement_staged.send)


def conclude_in(session: Session, disbursement_id: int, verdict: Verdict) -> str:
    """Apply proven evidence in the caller's transaction; see ``conclude``."""
    record = locked(session, disbursement_id)
    if verdict.outcome == "paid":
        return _pay(session, record, verdict)
    if verdict.outcome == "declined":
        return _decline(session, record, verdict)
    if verdict.code == ALREADY_REVERSED and record.status in SENT:
        flag(session, record, "already_reversed", verdict.actor, verdict.words)
    return f"it says nothing about the money: {verdict.words}"


def _pay(session: Session, record: Disbursement, verdict: Verdict) -> str:
    if record.is_completed:
        return _learn_more(session, record, verdict)
    taken = _is_taken(session, record, verdict.receipt)
    source, late = record.status, record.status in NOT_PAID
    event = OutEvent.LATE_CONFIRMATION if late else OutEvent.CONFIRMED
    told = [verdict.words, verdict.receipt, kes(record.amount_cents)]
    moved = move(
        session,
        record,
        event,
        verdict.actor,
        ", ".join(part for part in told if part),
        receipt=None if taken else verdict.receipt,
        receiver_name=verdict.receiver or record.receiver_name,
        result_code=verdict.code[:32] or None,
        result_desc=verdict.description[:500] or None,
        failure=None,
        held=None,
        completed_at=now(),
        next_check_at=None,
        query_token=None,
        charge_cents=verdict.charge_cents,
    )
    if not moved:
        why = said("{words}, while it was waiting", words=verdict.words)
        flag(session, record, "paid_unsent", verdict.actor, why)
        return "before a person: paid, but it was not sent"
    if record.kind == Kind.REFUND:
        credits.note_returned(
            session,
            payment_id=record.payment_id,
            credit_id=record.credit_id,
            cents=record.amount_cents,
        )
    if late:
        # Somebody may have paid again by now.
        why = said("paid although it had ended as {status}", status=said(source))
        flag(session, record, PAID_AFTER_ALL, verdict.actor, why)
    _question_what_differs(session, record, verdict, taken=taken)
    return str(event)


def _question_what_differs(
    session: Session, record: Disbursement, verdict: Verdict, *, taken: bool
) -> None:
    if taken:
        flag(
            session,
            record,
            "receipt_reused",
            verdict.actor,
            said("names {receipt}", receipt=verdict.receipt),
        )
    if verdict.amount_cents not in (None, record.amount_cents):
        told = said("Daraja names {amount}", amount=Kes(verdict.amount_cents or 0))
        flag(session, record, "amount_differs", verdict.actor, told)


def _decline(session: Session, record: Disbursement, verdict: Verdict) -> str:
    moved = move(
        session,
        record,
        OutEvent.DECLINED,
        verdict.actor,
        verdict.words,
        result_code=verdict.code[:32] or None,
        result_desc=verdict.description[:500] or None,
        failure=DECLINED.get(verdict.code, "declined"),
        # A question may be under way: its secret stays good, for money is believed to the last.
        next_check_at=None,
    )
    if moved:
        return str(OutEvent.DECLINED)
    why = said("{words}: it is {status}", words=verdict.words, status=said(record.status))
    remark(session, record, "ignored", verdict.actor, why)
    return f"ignored: it is {record.status}"


def _learn_more(session: Session, record: Disbursement, verdict: Verdict) -> str:
    """Take from later news what a completed record lacks."""
    learned: dict[str, Any] = {}
    if record.receipt is None and not _is_taken(session, record, verdict.receipt):
        learned["receipt"] = verdict.receipt
    if record.charge_cents is None:
        learned["charge_cents"] = verdict.charge_cents
    if record.receiver_name is None:
        learned["receiver_name"] = verdict.receiver
    learned = {name: value for name, value in learned.items() if value is not None}
    if not learned:
        return f"repeated: it is {record.status}"
    for name, value in learned.items():
        setattr(record, name, value)
    session.flush()
    postings.post_charge(session, record)
    remark(session, record, "learned", verdict.actor, ", ".join(learned))
    return f"learned {', '.join(learned)}"


def _is_taken(session: Session, record: Disbursement, receipt: str | None) -> bool:
    """Tell whether another record holds this receipt."""
    if receipt is None:
        return False
    holder = session.scalar(select(Disbursement.id).where(Disbursement.receipt == receipt))
    return holder is not None and holder != record.id
