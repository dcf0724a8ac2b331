"""Money that names nothing of ours: a success from Safaricom under an id that we never got.

It may be the answer to a push of another program on the same shortcode, or a forgery from a
trusted address. Daraja decides: what it confirms is kept as unmatched money, for a person to
assign.
"""

from __future__ import annotations

import logging

from sqlalchemy import select, update

from app.core.clock import now
from app.core.statements import insert_or_nothing, rows_changed
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.mpesa.callbacks import read_stk_callback
from app.mpesa.messages import QueryAnswer, QueryFinal, StkCallback
from app.mpesa.settings import MissingSettings
from app.payments import inbox
from app.payments.evidence import Evidence
from app.payments.models import Credit, InboxMessage, Payment
from app.payments.pace import may_ask
from app.payments.postings import post_credit
from app.payments.provider import mpesa
from app.payments.schedule import pause_after
from app.payments.sealing import SealedBody, opened
from app.payments.states import Standing

logger = logging.getLogger("payments.mpesa")


def due_ids(limit: int) -> list[int]:
    """Return handled callbacks about unknown ids whose turn to be asked about has come."""
    query = (
        select(InboxMessage.id)
        .where(InboxMessage.next_try_at <= now(), InboxMessage.handled_at.is_not(None))
        .order_by(InboxMessage.next_try_at)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def ask(inbox_id: int) -> str:
    """Ask Daraja about the id of a stray callback; keep what it confirms as unmatched money."""
    message = db.session.get_one(InboxMessage, inbox_id, populate_existing=True)
    try:
        callback = read_stk_callback(opened(message.raw))
    except SealedBody as error:
        # Asked about again once somebody replays it: until then every sweep would stumble here.
        return _conclude(inbox_id, str(error))
    if _known_by_now(callback):
        return inbox.handle(inbox_id)
    if not may_ask():
        return "Daraja is asked later: its rate limit is used up"
    if not _claim(message):
        return "not due"
    end_reads()
    try:
        answer = mpesa().query(callback.checkout_request_id)
    except MissingSettings as error:
        return str(error)
    return _learn(inbox_id, callback, answer)


def _known_by_now(callback: StkCallback) -> bool:
    known = select(Payment.id).where(Payment.checkout_request_id == callback.checkout_request_id)
    return db.session.scalar(known) is not None


def _claim(message: InboxMessage) -> bool:
    """Take the right to ask, by moving the next time ahead; after the last try there is none."""
    tries = message.tries + 1
    later = now() + pause_after(tries) if tries < inbox.MOST_TRIES else None
    claim = (
        update(InboxMessage)
        .where(InboxMessage.id == message.id, InboxMessage.next_try_at == message.next_try_at)
        .values(tries=tries, next_try_at=later)
    )
    with transaction() as session:
        return rows_changed(session, claim) == 1


def _learn(inbox_id: int, callback: StkCallback, answer: QueryAnswer) -> str:
    if not isinstance(answer, QueryFinal):
        return f"no end yet: {type(answer).__name__}"
    if answer.result_code != "0":
        return _conclude(inbox_id, f"unknown id: Daraja says {answer.result_code}, no money came")
    with transaction() as session:
        values = {
            "amount_cents": callback.amount_cents,
            "receipt": callback.receipt,
            "phone": callback.phone,
            "standing": Standing.UNMATCHED,
            "evidence": Evidence.CALLBACK_AND_QUERY,
            "created_at": now(),
        }
        kept = insert_or_nothing(session, Credit, values, key=["receipt"])
        if kept is not None:
            post_credit(session, session.get_one(Credit, kept), callback.checkout_request_id)
    if kept is None:
        return _conclude(inbox_id, "unknown id: its receipt is known already")
    logger.warning("money that names nothing of ours came in: credit %s", kept)
    return _conclude(inbox_id, "unmatched money: confirmed by Daraja, a person is asked")


def _conclude(inbox_id: int, verdict: str) -> str:
    with transaction() as session:
        session.execute(
            update(InboxMessage)
            .where(InboxMessage.id == inbox_id)
            .values(verdict=verdict, next_try_at=None)
        )
    return verdict
