"""Asking Daraja what became of a receipt: for paybill money that came with one proof only.

The question needs the initiator of money out; its answer comes to an address that only this one
question carried, and that is proof enough. Without an initiator a person decides.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from app.core.clock import now
from app.core.errors import ProviderUnavailable
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads
from app.disbursements import provider
from app.disbursements.provider import NotConfigured
from app.extensions import db
from app.mpesa.c2b import C2b
from app.mpesa.out_codes import transaction_outcome
from app.mpesa.out_messages import Addresses, OutAccepted
from app.mpesa.results import read_result, stated_cents
from app.payments.evidence import Evidence
from app.payments.paybill import inbox
from app.payments.paybill.models import C2bNotice, NoticeState
from app.payments.provider import transport
from app.settings.service import mpesa_settings, public_root, settings

logger = logging.getLogger("payments.mpesa")

RESULT_PREFIX = "/pay/result"
SWEEP_LIMIT = 100
#: Pauses between questions about one receipt, in seconds; after the last a person decides.
_PAUSES = (60, 120, 300, 900, 3600)
_ASKING = (NoticeState.ASKING,)


def sweep() -> int:
    """Act on all paybill news that is due, and ask about what is doubted; return how much."""
    kept = inbox.due_ids(SWEEP_LIMIT)
    for notice_id in kept:
        _guarded(inbox.handle_again, notice_id)
    doubted = _due_ids(SWEEP_LIMIT)
    for notice_id in doubted:
        _guarded(ask, notice_id)
    inbox.prune()
    return len(kept) + len(doubted)


def ask(notice_id: int) -> str:
    """Have Daraja asked about the receipt of a notice; return what came of it."""
    try:
        out, root = provider.money_out(), public_root()
    except (NotConfigured, ProviderUnavailable) as error:
        why = said("one proof, and Daraja cannot be asked: {error}", error=error.args[0])
        return _give_up(notice_id, why)
    notice = db.session.get_one(C2bNotice, notice_id, populate_existing=True)
    if notice.tries >= len(_PAUSES):
        why = said("one proof; Daraja was asked {count} times in vain", count=notice.tries)
        return _give_up(notice_id, why)
    receipt, token = notice.receipt or "", secrets.token_urlsafe(32)
    later = now() + timedelta(seconds=_PAUSES[notice.tries])
    turn = {"tries": notice.tries + 1, "query_token": token, "next_try_at": later}
    if not inbox.change(notice_id, _ASKING, turn):
        return "not due"
    end_reads()
    service = C2b(settings().daraja_root, transport(mpesa_settings()))
    answer = service.ask_receipt(out.settings, receipt, addresses(root, token))
    logger.info("C2B notice %s: Daraja is asked about %s: %s", notice_id, receipt, answer)
    return "Daraja is asked" if isinstance(answer, OutAccepted) else f"not asked: {answer}"


def hear(token: str, raw: bytes) -> str | None:
    """Hear the answer to a question about a receipt; None for a secret that is not of one.

    Raises Unreadable.
    """
    notice = db.session.scalar(select(C2bNotice).where(C2bNotice.query_token == token))
    if notice is None:
        return None
    result = read_result(raw)
    if result.code != "0":
        return f"Daraja cannot tell: {result.code} {result.description}"
    named, cents = result.receipt, stated_cents(result)
    outcome = transaction_outcome(str(result.parameters.get("TransactionStatus") or ""))
    if outcome == "unclear" or cents is None:
        return "no end yet"
    if outcome != "paid" or named not in (None, notice.receipt):
        return _give_up(notice.id, marked("Daraja says that this receipt brought no money"))
    sources = (NoticeState.ASKING, NoticeState.DOUBTED)
    evidence = Evidence.CALLBACK_AND_QUERY
    if not inbox.confirm(notice.id, sources, evidence, {"amount_cents": cents}):
        return "repeated: it was decided already"
    return inbox.handle(notice.id)


def addresses(root: str, token: str) -> Addresses:
    """Return where Daraja shall post the answer to one question, and news of its time-out."""
    base = f"{root}{RESULT_PREFIX}/{token}"
    return Addresses(base, f"{base}/timeout")


def _due_ids(limit: int) -> list[int]:
    query = select(C2bNotice.id).where(
        C2bNotice.state == NoticeState.ASKING, C2bNotice.next_try_at <= now()
    )
    return list(db.session.scalars(query.order_by(C2bNotice.next_try_at).limit(limit)))


def _give_up(notice_id: int, why: str) -> str:
    values = {"state": NoticeState.DOUBTED, "verdict": why[:255], "next_try_at": None}
    inbox.change(notice_id, _ASKING, values)
    return why


def _guarded(work: Callable[[int], object], notice_id: int) -> None:
    # One row that cannot be worked on must not keep the others waiting.
    try:
        work(notice_id)
    except Exception:
        db.session.rollback()
        logger.exception("the sweep could not finish C2B notice %s", notice_id)
