"""Sending money: the record stands, is claimed, leaves once, and what was said is written down.

Who claims a record is decided by compare-and-set. After that moment the machine never sends it
again unless Daraja's gateway turned it away unread.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.errors import Busy, ProviderUnavailable
from app.core.money import Kes, whole_shillings
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.disbursements import funds, provider
from app.disbursements.machine import announce, locked, move, persistently
from app.disbursements.models import Channel, Disbursement
from app.disbursements.provider import Doors, NotConfigured
from app.disbursements.signals import turn_wanted
from app.disbursements.states import OutEvent, OutStatus
from app.disbursements.timeline import remark
from app.mpesa.money_out import MoneyOut
from app.mpesa.out_messages import (
    Addresses,
    B2cPayment,
    OutAccepted,
    OutAnswer,
    OutDuplicate,
    OutNotSent,
    OutRefused,
    Reversal,
)

logger = logging.getLogger("payments.mpesa")

#: When a result that has not come is asked for the first time.
FIRST_ASK_SECONDS = 30
#: Pauses before something that could not be sent is tried again.
_AGAIN_SECONDS = (15, 30, 60, 120, 300, 600)
#: How long something waits for float, or for settings, before it is looked at again.
HELD_SECONDS = 300
#: The word for waiting until there is enough money to send.
FLOAT_SHORT = "float_short"


def send(disbursement_id: int) -> str:
    """Send what is queued, once; return in a few words what came of it."""
    try:
        out, doors = provider.money_out(), provider.doors()
    except (NotConfigured, ProviderUnavailable) as error:
        return _hold(disbursement_id, _Wait("not_configured", str(error)))
    claimed = _claim(disbursement_id, out.settings.shortcode, doors)
    if isinstance(claimed, str):
        return claimed
    if isinstance(claimed, _Wait):
        if claimed.word == FLOAT_SHORT:
            _ask_for_float()
        return claimed.why
    end_reads()
    answer = claimed.go(out)
    return record_answer(disbursement_id, answer)


def record_answer(disbursement_id: int, answer: OutAnswer) -> str:
    """Write down what Daraja said to a request. The result may have been faster."""
    try:
        return persistently(lambda session: _apply(session, disbursement_id, answer))
    except (OperationalError, Busy):
        # The money may be on its way. The record stays claimed, and its result finds it.
        logger.exception("what Daraja answered for %s could not be written", disbursement_id)
        return "not written down: its result is awaited"


@dataclass(frozen=True)
class _Wait:
    """Why a record that may be sent had better wait: a word for programs, and a sentence."""

    word: str
    why: str


class _Request:
    """What leaves, taken out of the transaction that claimed it."""

    def __init__(self, record: Disbursement, addresses: Addresses) -> None:
        self._channel = record.channel
        self._receipt = record.receipt_back
        self._amount = whole_shillings(record.amount_cents)
        self._originator_id = record.originator_id
        self._phone = record.msisdn
        self._remarks = record.reason
        self._addresses = addresses

    def go(self, out: MoneyOut) -> OutAnswer:
        if self._channel == Channel.REVERSAL:
            receipt = self._receipt or ""
            return out.reverse(Reversal(receipt, self._amount, self._remarks, self._addresses))
        return out.pay(
            B2cPayment(
                self._originator_id, self._amount, self._phone, self._remarks, self._addresses
            )
        )


def _claim(disbursement_id: int, shortcode: str, doors: Doors) -> _Request | _Wait | str:
    """Take the right to send. Returns why not, where it must wait or somebody else has it."""
    with transaction() as session:
        record = locked(session, disbursement_id)
        if record.status != OutStatus.QUEUED:
            return f"it is {record.status}"
        waits = _waits_for(session, record, shortcode)
        if waits is not None:
            _write_hold(session, record, waits)
            return waits
        addresses = doors.with_secret("token", record.token)
        move(
            session,
            record,
            OutEvent.SENDING,
            "machine",
            said("{amount} by {channel}", amount=Kes(record.amount_cents), channel=record.channel),
            sends=record.sends + 1,
            sent_at=now(),
            held=None,
            next_check_at=_turn(session, record, FIRST_ASK_SECONDS),
        )
        return _Request(record, addresses)


def _waits_for(session: Session, record: Disbursement, shortcode: str) -> _Wait | None:
    if record.supplier is not None and not record.supplier.is_active:
        return _Wait("supplier_inactive", marked("The supplier is not active any more."))
    if record.channel != Channel.B2C:
        return None
    left = funds.available_cents(session, shortcode, locked=True)
    if left is None or left >= record.amount_cents:
        return None
    missing = record.amount_cents - max(left, 0)
    return _Wait(
        FLOAT_SHORT,
        said(
            "The float holds {left}. Move {missing} into the utility account of {shortcode}; it is "
            "sent by itself then.",
            left=Kes(max(left, 0)),
            missing=Kes(missing),
            shortcode=shortcode,
        ),
    )


def _ask_for_float() -> None:
    try:
        funds.ask()
    except (NotConfigured, ProviderUnavailable) as error:
        logger.warning("the float cannot be asked for: %s", error)


def _hold(disbursement_id: int, wait: _Wait) -> str:
    with transaction() as session:
        record = locked(session, disbursement_id)
        if record.status != OutStatus.QUEUED:
            return f"it is {record.status}"
        _write_hold(session, record, wait)
    return wait.why


def _write_hold(session: Session, record: Disbursement, wait: _Wait) -> None:
    if record.held != wait.word:
        remark(session, record, "held", "machine", wait.why)
    record.held = wait.word
    record.next_check_at = _turn(session, record, HELD_SECONDS)
    announce(session, record)


def _apply(session: Session, disbursement_id: int, answer: OutAnswer) -> str:
    record, actor = locked(session, disbursement_id), "daraja: answer"
    if isinstance(answer, OutAccepted):
        return _accept(session, record, answer, actor)
    if isinstance(answer, OutDuplicate):
        why = said("{answer} Its result is awaited.", answer=answer.description)
        remark(session, record, "duplicate", actor, why)
        return "Daraja has it already"
    if isinstance(answer, OutNotSent):
        pause = _AGAIN_SECONDS[min(record.sends, len(_AGAIN_SECONDS)) - 1]
        later = _turn(session, record, HELD_SECONDS if answer.kind == "credentials" else pause)
        changes = {"held": answer.kind, "next_check_at": later}
        move(session, record, OutEvent.NOT_SENT, actor, answer.description, **changes)
        return f"not sent: {answer.description}"
    if isinstance(answer, OutRefused):
        return _refuse(session, record, answer, actor)
    move(session, record, OutEvent.UNANSWERED, actor, answer.why)
    return f"unanswered: {answer.why}"


def _accept(session: Session, record: Disbursement, answer: OutAccepted, actor: str) -> str:
    record.conversation_id = record.conversation_id or answer.conversation_id
    if answer.originator_id != record.originator_id:
        record.daraja_originator_id = answer.originator_id or None
    why = said("Daraja queued it as {id}", id=answer.conversation_id)
    remark(session, record, "accepted", actor, why)
    announce(session, record)
    return "accepted"


def _refuse(session: Session, record: Disbursement, answer: OutRefused, actor: str) -> str:
    why = f"{answer.code} {answer.description}"
    move(
        session,
        record,
        OutEvent.REFUSED,
        actor,
        why,
        result_code=answer.code[:32],
        result_desc=answer.description[:500],
        failure="refused",
        next_check_at=None,
    )
    return f"refused: {why}"


def _turn(session: Session, record: Disbursement, seconds: float) -> datetime:
    """Return when to come back, and have the queue wake us then."""
    due = now() + timedelta(seconds=seconds)
    record_id = record.id
    after_commit(lambda: turn_wanted.send(disbursement_id=record_id, at=due))
    return due
