"""Turning the rows of a run into payouts, a batch to a transaction.

Each row has a key of its own, so that whoever goes on after a crash writes what is missing and
nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.errors import Conflict, LipaError
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, transaction
from app.disbursements.models import Disbursement, PayoutRun
from app.disbursements.signals import turn_wanted
from app.disbursements.states import OutStatus
from app.extensions import db
from app.suppliers.models import Supplier
from app.suppliers.payouts import Asked, require_payable, write_payout

#: So many rows go into one transaction: others wait no longer than a moment for theirs.
BATCH = 50
#: Only 46,656 names exist a second, so that a large run finds some of them taken.
_NAME_TRIES = 20
#: So many values stand in one question to the database.
_MOST_KEYS = 500


def write(run_id: int) -> None:
    """Write what is missing of a run. Raises Conflict for a draft.

    A row whose supplier has changed since it was asked for is left out, with the reason beside it.
    """
    run = db.session.get_one(PayoutRun, run_id, populate_existing=True)
    if run.asked_at is None:
        raise Conflict(marked("Nobody has asked for this run yet."))
    maker = _Maker(run_id, run.made_by, always_ask=run.approval_why is not None)
    sheet = [dict(row) for row in run.sheet]
    meant = [row for row in sheet if not row["left_out"]]
    for start in range(0, len(meant), BATCH):
        with transaction() as session:
            if not _is_open(session, run_id):
                return
            batch = meant[start : start + BATCH]
            written = _written(session, [key_of(run_id, row) for row in batch])
            for row in batch:
                if key_of(run_id, row) not in written:
                    row["left_out"] = maker.write_one(session, row) or ""
    with transaction() as session:
        _close(session, run_id, sheet)


def stop(run_id: int, why: str) -> int:
    """Leave out whatever of a run has not been written yet; return how many rows that were."""
    with transaction() as session:
        if not _is_open(session, run_id):
            return 0
        run = session.get_one(PayoutRun, run_id, populate_existing=True)
        sheet = [dict(row) for row in run.sheet]
        meant = [row for row in sheet if not row["left_out"]]
        written = _written(session, [key_of(run_id, row) for row in meant])
        stopped = [row for row in meant if key_of(run_id, row) not in written]
        for row in stopped:
            row["left_out"] = said("Called off: {why}", why=why)
        _close(session, run_id, sheet)
    return len(stopped)


def key_of(run_id: int, row: dict[str, Any]) -> str:
    """Return the key under which a row is written once."""
    return f"run:{run_id}:{row['row']}"


@dataclass(frozen=True)
class _Maker:
    """For whom the rows of one run are written, and how."""

    run_id: int
    person_id: int
    always_ask: bool

    def write_one(self, session: Session, row: dict[str, Any]) -> str | None:
        """Write one payout; return why not, where it must be left out."""
        for _ in range(_NAME_TRIES):
            try:
                with session.begin_nested():
                    record = self._record(session, row)
            except IntegrityError:
                continue
            except LipaError as refusal:
                return refusal.message
            _wake(record)
            return None
        raise Conflict(marked("Too many payouts at this very moment. Go on in a second."))

    def _record(self, session: Session, row: dict[str, Any]) -> Disbursement:
        record = write_payout(
            session,
            _asked(session, row),
            self.person_id,
            run_id=self.run_id,
            form_key=key_of(self.run_id, row),
            always_ask=self.always_ask,
        )
        if record.msisdn != row["msisdn"]:
            raise Conflict(marked("The supplier's number has changed since this was asked for."))
        return record


def _asked(session: Session, row: dict[str, Any]) -> Asked:
    supplier = session.get_one(Supplier, row["to"], populate_existing=True)
    asked = Asked(supplier, row["cents"], row["notes"])
    require_payable(asked)
    return asked


def _wake(record: Disbursement) -> None:
    """Have the queue send it, once it is committed."""
    if record.status == OutStatus.QUEUED and record.next_check_at is not None:
        record_id, due = record.id, record.next_check_at
        after_commit(lambda: turn_wanted.send(disbursement_id=record_id, at=due))


def _written(session: Session, keys: Sequence[str]) -> set[str | None]:
    found: set[str | None] = set()
    for start in range(0, len(keys), _MOST_KEYS):
        some = Disbursement.form_key.in_(keys[start : start + _MOST_KEYS])
        found |= set(session.scalars(select(Disbursement.form_key).where(some)))
    return found


def _is_open(session: Session, run_id: int) -> bool:
    """Tell whether rows may still be written, and keep other writers out until this commits."""
    query = select(PayoutRun.id).where(
        PayoutRun.id == run_id, PayoutRun.asked_at.is_not(None), PayoutRun.written_at.is_(None)
    )
    return session.scalar(query.with_for_update()) is not None


def _close(session: Session, run_id: int, sheet: list[dict[str, Any]]) -> None:
    session.execute(
        update(PayoutRun)
        .where(PayoutRun.id == run_id, PayoutRun.written_at.is_(None))
        .values(written_at=now(), sheet=sheet)
        .execution_options(synchronize_session=False)
    )
