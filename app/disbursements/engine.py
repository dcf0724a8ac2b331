"""The background's share of money out: sending what is queued, asking what is silent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import select

from app.core.clock import now
from app.core.unit_of_work import end_reads
from app.disbursements import approvals, asking, results, sending
from app.disbursements.models import Disbursement
from app.disbursements.references import find
from app.disbursements.states import SENT, OutStatus
from app.extensions import db
from app.ledger.service import carry_forward

logger = logging.getLogger("payments.mpesa")

SWEEP_LIMIT = 200
_LOOK_EVERY_SECONDS = 0.1
#: How long a caller who was promised "processed" waits for the result; it comes later else.
RESULT_WAIT_SECONDS = 4.0


def take_turn(disbursement_id: int) -> str:
    """Do what a record is due for: send it, or ask about it."""
    record = db.session.get(Disbursement, disbursement_id, populate_existing=True)
    if record is None or record.next_check_at is None or record.next_check_at > now():
        return "not due"
    if record.status == OutStatus.QUEUED:
        return sending.send(disbursement_id)
    return asking.ask(disbursement_id) if record.status in SENT else "nothing to do"


def sweep() -> int:
    """Find everything that is due, whatever the queue has lost; return how much was done."""
    unhandled = results.unhandled_ids(SWEEP_LIMIT)
    lapsed = approvals.lapsed_ids(SWEEP_LIMIT)
    for message_id in unhandled:
        _guarded(results.handle_again, message_id)
    for disbursement_id in lapsed:
        _guarded(approvals.lapse, disbursement_id)
    due = _due_ids()
    for disbursement_id in due:
        _guarded(take_turn, disbursement_id)
    results.prune()
    carry_forward()
    return len(unhandled) + len(lapsed) + len(due)


def refund_now(record: Disbursement) -> Disbursement:
    """Send a refund that nobody has to agree to, and wait a little for its end."""
    return wait_for_end(send_now(record), RESULT_WAIT_SECONDS)


def send_now(record: Disbursement) -> Disbursement:
    """Send a record that nobody has to agree to, for whoever waits for the acknowledgement.

    It stands already, so whatever goes wrong here must not look as if it had not been asked for:
    who asks again may pay twice. The sweep comes back to it.
    """
    record_id = record.id
    if record.status == OutStatus.QUEUED:
        _guarded(sending.send, record_id)
    return find(record_id)


def wait_for_end(record: Disbursement, seconds: float) -> Disbursement:
    """Wait a little for a result, without holding a transaction; return how it stands then."""
    deadline, record_id = time.monotonic() + seconds, record.id
    found = find(record_id)
    while found.status in SENT and time.monotonic() < deadline:
        end_reads()
        time.sleep(_LOOK_EVERY_SECONDS)
        found = find(record_id)
    return found


def _due_ids() -> list[int]:
    query = select(Disbursement.id).where(Disbursement.next_check_at <= now())
    return list(db.session.scalars(query.order_by(Disbursement.next_check_at).limit(SWEEP_LIMIT)))


def _guarded(work: Callable[[int], object], row_id: int) -> None:
    # What is wrong with one row must not keep the others waiting.
    try:
        work(row_id)
    except Exception:
        db.session.rollback()
        name = getattr(work, "__name__", work)
        logger.exception("%s(%s) could not be finished; the sweep comes back", name, row_id)
