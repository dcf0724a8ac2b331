"""Finding out what became of money that was sent and of which nothing is heard.

Daraja is asked by our own id, patiently; its answer comes to an address of its own. What it does
not know is put before a person, and never sent again.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.errors import ProviderUnavailable
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.disbursements import provider
from app.disbursements.machine import locked, move
from app.disbursements.models import Channel, Disbursement, new_token
from app.disbursements.provider import Doors, NotConfigured
from app.disbursements.signals import turn_wanted
from app.disbursements.states import SENT, OutEvent, OutStatus
from app.disbursements.timeline import flag, remark
from app.mpesa.out_messages import OutAccepted, StatusQuestion

#: Pauses after each question, in seconds; the last one goes on.
_BACK_OFF_SECONDS = (30, 60, 120, 300, 600, 1800, 3600)
#: After so many questions (about a day) only a person can find out.
MAX_CHECKS = 30
#: A person is shown what nothing is known of after so many questions; asking goes on.
CHECKS_BEFORE_A_PERSON = 3
#: However many people want to know, one record is asked about this seldom.
MINIMUM_PAUSE_SECONDS = 10


def ask(disbursement_id: int) -> str:
    """Have Daraja asked about a record whose end is due; return what came of it."""
    try:
        out, doors = provider.money_out(), provider.doors()
    except (NotConfigured, ProviderUnavailable) as error:
        return str(error)
    question = _claim(disbursement_id, out.settings.version, doors)
    if isinstance(question, str):
        return question
    end_reads()
    answer = out.ask_status(question)
    if isinstance(answer, OutAccepted):
        return marked("Daraja is asked")
    with transaction() as session:
        record = locked(session, disbursement_id)
        remark(session, record, "not_asked", "machine", str(answer)[:500])
    return said("Daraja could not be asked: {answer}", answer=str(answer))


def ask_soon(disbursement_id: int) -> str:
    """Have Daraja asked as soon as the pause allows."""
    with transaction() as session:
        record = locked(session, disbursement_id)
        if record.status not in SENT:
            return said("it is {status}", status=said(record.status))
        due = now()
        if record.last_asked_at is not None:
            due = max(due, record.last_asked_at + timedelta(seconds=MINIMUM_PAUSE_SECONDS))
        record.next_check_at = due
        after_commit(lambda: turn_wanted.send(disbursement_id=disbursement_id, at=due))
    return marked("Daraja is asked")


def _claim(disbursement_id: int, version: str, doors: Doors) -> StatusQuestion | str:
    with transaction() as session:
        record = locked(session, disbursement_id)
        if record.status not in SENT or record.next_check_at is None:
            return said("it is {status}", status=said(record.status))
        if record.next_check_at > now():
            return "not due"
        if record.status == OutStatus.PROCESSING:
            why = marked("no result has come; Daraja is asked")
            move(session, record, OutEvent.WENT_QUIET, "machine", why)
        ask_by = _known_as(record, version)
        if ask_by is None:
            return _give_up(session, record)
        _count(session, record)
        record.query_token = new_token()
        addresses = doors.with_secret("query", record.query_token)
        is_reversal = record.channel == Channel.REVERSAL
        return StatusQuestion(ask_by, record.public_ref, addresses, is_reversal=is_reversal)


def _known_as(record: Disbursement, version: str) -> str | None:
    """Return the id that Daraja knows a request by, if we can know it."""
    if record.daraja_originator_id is not None:
        return record.daraja_originator_id
    travels = record.channel == Channel.B2C and version == "v3"
    return record.originator_id if travels else None


def _give_up(session: Session, record: Disbursement) -> str:
    record.next_check_at = None
    why = marked("Daraja never answered and gave no id to ask by")
    flag(session, record, "no_answer", "machine", why)
    return "before a person: there is nothing to ask by"


def _count(session: Session, record: Disbursement) -> None:
    record.checks += 1
    record.last_asked_at = now()
    pause = _BACK_OFF_SECONDS[min(record.checks, len(_BACK_OFF_SECONDS)) - 1]
    due = now() + timedelta(seconds=pause) if record.checks < MAX_CHECKS else None
    record.next_check_at = due
    if record.checks == CHECKS_BEFORE_A_PERSON and not record.needs_review:
        why = said("asked {count} times, and nothing is known yet", count=record.checks)
        flag(session, record, "no_end", "machine", why)
    if due is not None:
        record_id = record.id
        after_commit(lambda: turn_wanted.send(disbursement_id=record_id, at=due))
