"""The one yes, and the one no, to all payouts of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, LipaError
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.disbursements import approvals
from app.disbursements.machine import locked, move, persistently
from app.disbursements.models import Disbursement, PayoutRun
from app.disbursements.states import UNSENT, OutEvent, OutStatus
from app.extensions import db
from app.suppliers.run_writing import BATCH, stop

#: So many reasons are told at once; there are seldom two.
MOST_TOLD = 5


@dataclass(frozen=True)
class Outcome:
    """What came of agreeing to a run: how many were agreed to, and what kept others waiting."""

    done: int
    kept_back: int
    reasons: tuple[str, ...]


def approve(run: PayoutRun, person: Person) -> Outcome:
    """Agree to every payout of a run that waits for it; they are queued.

    One that this person may not agree to is left waiting, and told. Raises Forbidden for the
    run's maker, and Conflict when nothing waits or rows are still missing.
    """
    if run.made_by == person.id:
        raise Forbidden(marked("You asked for this run yourself: another person has to agree."))
    if run.written_at is None:
        raise Conflict(marked("Not every row of this run has been written yet."))
    run_id = run.id
    waiting = _ids(run_id, OutStatus.AWAITING_APPROVAL)
    if not waiting:
        raise Conflict(marked("Nothing in this run waits for a yes."))
    reasons: dict[str, None] = {}

    def agree(session: Session, disbursement_id: int) -> bool:
        try:
            approvals.approve_in(session, disbursement_id, person)
        except LipaError as refusal:
            reasons[refusal.message] = None
            return False
        return True

    done = _in_batches(waiting, agree)
    if done:
        _sign(run_id, person, done)
    return Outcome(done, len(waiting) - done, tuple(reasons)[:MOST_TOLD])


def call_off(run: PayoutRun, person: Person, why: str) -> int:
    """Cancel whatever of a run has not been sent; return how many payouts that were.

    Raises ValidationError without a reason, and Conflict when everything has been sent.
    """
    words, actor = approvals.readable(why), f"person {person.id}"

    def cancel(session: Session, disbursement_id: int) -> bool:
        record = locked(session, disbursement_id)
        event = OutEvent.CALLED_OFF
        return move(session, record, event, actor, words, next_check_at=None, held=None)

    run_id = run.id
    done = stop(run_id, words) if run.asked_at is not None else 0
    done += _in_batches(_ids(run_id, *UNSENT), cancel)
    if not done:
        raise Conflict(marked("Nothing of this run can be called off any more."))
    with transaction() as session:
        subject = f"run {session.get_one(PayoutRun, run_id).uuid}"
        audit.record(session, person, "run.called_off", subject, why=words, payouts=done)
    return done


def _in_batches(ids: Sequence[int], work: Callable[[Session, int], bool]) -> int:
    """Do ``work`` for each record, a batch to a transaction; return how many it changed."""

    def do(batch: Sequence[int]) -> int:
        return persistently(lambda session: sum(work(session, one) for one in batch))

    return sum(do(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH))


def _ids(run_id: int, *statuses: OutStatus) -> Sequence[int]:
    query = select(Disbursement.id).where(
        Disbursement.run_id == run_id, Disbursement.status.in_(statuses)
    )
    return db.session.scalars(query.order_by(Disbursement.id)).all()


def _sign(run_id: int, person: Person, payouts: int) -> None:
    with transaction() as session:
        session.execute(
            update(PayoutRun)
            .where(PayoutRun.id == run_id, PayoutRun.approved_by.is_(None))
            .values(approved_by=person.id, approved_at=now())
            .execution_options(synchronize_session=False)
        )
        run = session.get_one(PayoutRun, run_id)
        audit.record(session, person, "run.approved", f"run {run.uuid}", payouts=payouts)
