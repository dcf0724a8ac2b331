"""What Daraja posts about money out: kept first, understood afterwards, believed only with proof.

The secret in the address says what a body is about. A result is acted on when its caller's
address is proven too; with one proof alone Daraja is asked. The answer to a question of ours
comes to an address that only this one question carried, and that is proof enough.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from werkzeug.datastructures import Headers

from app.core.clock import now
from app.core.statements import insert_or_nothing
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.disbursements import funds, provider
from app.disbursements.asking import ask_soon
from app.disbursements.machine import Verdict, conclude, locked, move
from app.disbursements.models import Channel, Disbursement, ResultMessage
from app.disbursements.states import OutEvent
from app.disbursements.timeline import remark, without_numbers
from app.extensions import db
from app.mpesa.bodies import Unreadable
from app.mpesa.out_codes import DECLINED, OutOutcome, out_outcome, transaction_outcome
from app.mpesa.out_messages import OutResult
from app.mpesa.results import (
    charge_cents,
    read_result,
    read_time_out,
    receiver,
    stated_cents,
)
from app.payments.schedule import pause_after
from app.payments.sealing import SealedBody, kept, opened

logger = logging.getLogger("payments.mpesa")

MAX_BODY_BYTES = 64 * 1024
MOST_UNPROVEN = 10_000
MOST_TRIES = 10
HANDLING_SECONDS = 10
_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Forwarded-For")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Addressed:
    """What the secret of an address says: what about, and whose it is."""

    about: str
    id: int | None = None


def addressed(args: Mapping[str, str], *, is_time_out: bool) -> Addressed:
    """Find out what a body that comes to this address is about."""
    token, query, balance = (_secret(args.get(name)) for name in ("token", "query", "balance"))
    about = "time-out" if is_time_out else "result"
    if token:
        held = select(Disbursement.id).where(Disbursement.token == token)
        return Addressed(about, db.session.scalar(held))
    if query:
        held = select(Disbursement.id).where(Disbursement.query_token == query)
        return Addressed("query-time-out" if is_time_out else "status", db.session.scalar(held))
    if balance:
        found = funds.reading_of_token(balance)
        return Addressed("query-time-out" if is_time_out else "balance", found)
    return Addressed(about)


def ingest(
    *, raw: bytes, path: str, peer: str, headers: Headers, origin_proven: bool, to: Addressed
) -> int | None:
    """Keep a body; return its id, or None when the very same one is kept already.

    Raises whatever the database raises: the caller must not acknowledge what was not kept.
    """
    proofs = f"{to.about}|{to.id or ''}|{origin_proven}|".encode()
    values = {
        "natural_key": hashlib.sha256(proofs + raw).hexdigest(),
        "path": path[:255],
        "peer": peer[:64],
        "headers": {name: headers[name][:255] for name in _KEPT_HEADERS if name in headers},
        "raw": kept(raw),
        "origin_proven": origin_proven,
        "about": to.about,
        "token_id": to.id,
        "received_at": now(),
        "tries": 0,
    }
    with transaction() as session:
        return insert_or_nothing(session, ResultMessage, values, key=["natural_key"])


def handle(message_id: int) -> str:
    """Understand a kept body and act on it; return the verdict, which is kept beside it."""
    message = db.session.get_one(ResultMessage, message_id)
    try:
        verdict, disbursement_id = _act(message)
    except (Unreadable, SealedBody) as error:
        verdict, disbursement_id = f"unreadable: {error}", None
    _close(message_id, verdict, disbursement_id)
    return verdict


def handle_again(message_id: int) -> str:
    """Act on a kept body. What goes wrong is noted, and tried again later, up to MOST_TRIES."""
    try:
        return handle(message_id)
    except Exception as error:
        db.session.rollback()
        _note_failure(message_id, error)
        raise


def unhandled_ids(limit: int) -> list[int]:
    """Return what was kept but not acted on: the process ended in between."""
    before = now() - timedelta(seconds=HANDLING_SECONDS)
    due = or_(ResultMessage.next_try_at.is_(None), ResultMessage.next_try_at <= now())
    query = (
        select(ResultMessage.id)
        .where(ResultMessage.handled_at.is_(None), ResultMessage.received_at < before)
        .where(due, ResultMessage.tries < MOST_TRIES)
        .order_by(ResultMessage.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def prune(limit: int = 1000) -> None:
    """Drop the oldest bodies without proof beyond MOST_UNPROVEN."""
    unproven = select(ResultMessage.id).where(
        ResultMessage.origin_proven.is_(False), ResultMessage.token_id.is_(None)
    )
    newest_first = unproven.order_by(ResultMessage.id.desc())
    surplus = list(db.session.scalars(newest_first.offset(MOST_UNPROVEN).limit(limit)))
    if surplus:
        with transaction() as session:
            session.execute(delete(ResultMessage).where(ResultMessage.id.in_(surplus)))


def _act(message: ResultMessage) -> tuple[str, int | None]:
    if message.about == "balance" and message.token_id is not None:
        return funds.learn_from_answer(message.token_id, read_result(opened(message.raw))), None
    if message.about == "status" and message.token_id is not None:
        return _hear_status(message.token_id, message), message.token_id
    if message.about == "time-out":
        return _hear_time_out(message)
    if message.about == "result":
        return _hear_result(message)
    return "an answer that nobody waits for", None


def _hear_result(message: ResultMessage) -> tuple[str, int | None]:
    result = read_result(opened(message.raw))
    named = _named(result.originator_id, result.conversation_id)
    if message.token_id is not None and named in (None, message.token_id):
        fits, disbursement_id = True, message.token_id
    elif named is not None:
        fits, disbursement_id = False, named
    else:
        return "it names nothing of ours", message.token_id
    if not (fits and message.origin_proven):
        told = "token fits, caller not on the list" if fits else "token missing or not fitting"
        return f"{told}: {ask_soon(disbursement_id)}", disbursement_id
    if not _ids_fit(disbursement_id, result):
        return f"its ids are another request's: {ask_soon(disbursement_id)}", disbursement_id
    verdict = conclude(disbursement_id, _verdict(result, message, out_outcome(result.code)))
    _learn_float(disbursement_id, result)
    if DECLINED.get(result.code) == "credentials":
        # A simulator that was started anew has another certificate.
        provider.forget_certificates()
    if out_outcome(result.code) == "unclear":
        verdict = f"{verdict}; {ask_soon(disbursement_id)}"
    return verdict, disbursement_id


def _hear_status(disbursement_id: int, message: ResultMessage) -> str:
    """Hear Daraja's answer to our question. Its own code only says whether the question worked."""
    result = read_result(opened(message.raw))
    if result.code != "0":
        with transaction() as session:
            record = locked(session, disbursement_id)
            told = said(
                "Daraja cannot tell: {code} {words}", code=result.code, words=result.description
            )
            remark(session, record, "no_answer_yet", "daraja: status query", told)
        return f"the question failed: {result.code}"
    status = str(result.parameters.get("TransactionStatus") or "")
    outcome = transaction_outcome(status)
    if outcome == "unclear":
        return f"no end yet: {status or 'no TransactionStatus'}"
    return conclude(disbursement_id, _verdict(result, message, outcome, code="", words=status))


def _hear_time_out(message: ResultMessage) -> tuple[str, int | None]:
    """A request that was not served in time may still be: the money's whereabouts are unknown."""
    originator_id = read_time_out(opened(message.raw))
    if message.token_id is None:
        named = _named(originator_id, None) if message.origin_proven else None
        if named is None:
            return "a time-out that names nothing of ours", None
        return f"token missing: {ask_soon(named)}", named
    with transaction() as session:
        record = locked(session, message.token_id)
        if originator_id not in (None, record.originator_id, record.daraja_originator_id):
            return "its ids are another request's", message.token_id
        why = marked("Daraja's queue ran out of time")
        move(session, record, OutEvent.TIMED_OUT_IN_QUEUE, f"daraja: message {message.id}", why)
    return f"unknown: {ask_soon(message.token_id)}", message.token_id


def _verdict(
    result: OutResult,
    message: ResultMessage,
    outcome: OutOutcome,
    *,
    code: str | None = None,
    words: str | None = None,
) -> Verdict:
    return Verdict(
        outcome=outcome,
        actor=f"daraja: message {message.id} from {message.peer}",
        code=result.code if code is None else code,
        description=words or result.description,
        receipt=result.receipt if outcome == "paid" else None,
        receiver=_masked(receiver(result)),
        amount_cents=stated_cents(result),
        charge_cents=charge_cents(result),
    )


def _named(originator_id: str | None, conversation_id: str | None) -> int | None:
    """Find the record that these ids name."""
    wanted = [
        column == value
        for column, value in (
            (Disbursement.originator_id, originator_id),
            (Disbursement.daraja_originator_id, originator_id),
            (Disbursement.conversation_id, conversation_id),
        )
        if value
    ]
    query = select(Disbursement.id).where(or_(*wanted)).limit(1) if wanted else None
    return db.session.scalar(query) if query is not None else None


def _ids_fit(disbursement_id: int, result: OutResult) -> bool:
    """Tell whether no id that both sides know differs."""
    record = db.session.get_one(Disbursement, disbursement_id, populate_existing=True)
    ours = {record.originator_id, record.daraja_originator_id} - {None}
    by_name = result.originator_id is None or result.originator_id in ours
    by_conversation = None in (result.conversation_id, record.conversation_id) or (
        result.conversation_id == record.conversation_id
    )
    # Before the acknowledgement is written down, Daraja's own names are not known yet.
    unknown_yet = record.conversation_id is None
    return by_conversation and (by_name or unknown_yet)


def _learn_float(disbursement_id: int, result: OutResult) -> None:
    record = db.session.get_one(Disbursement, disbursement_id, populate_existing=True)
    if record.channel == Channel.B2C:
        shortcode = provider.shortcode()
        with transaction() as session:
            funds.learn_from_result(session, shortcode, record, result)


def _masked(name: str | None) -> str | None:
    """Keep a receiver's name without the middle of the number in front of it."""
    return without_numbers(name) if name else None


def _note_failure(message_id: int, error: Exception) -> None:
    with transaction() as session:
        message = session.get_one(ResultMessage, message_id, populate_existing=True)
        message.tries += 1
        message.next_try_at = now() + pause_after(message.tries)
        message.verdict = f"not acted on yet, tried {message.tries}x: {type(error).__name__}"


def _close(message_id: int, verdict: str, disbursement_id: int | None) -> None:
    with transaction() as session:
        session.execute(
            update(ResultMessage)
            .where(ResultMessage.id == message_id)
            .values(
                verdict=without_numbers(verdict)[:255],
                disbursement_id=disbursement_id,
                handled_at=now(),
                next_try_at=None,
            )
        )
    logger.info("M-Pesa result %s: %s", message_id, verdict)


def _secret(text: str | None) -> str | None:
    return text if text and _TOKEN.fullmatch(text) else None
