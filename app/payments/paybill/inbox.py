"""What Daraja posts about the paybill: kept first, understood afterwards, believed with proof.

Two proofs exist, as for prompts: the secret in the address that we registered, and the caller's
address. Both together credit at once. One has Daraja asked about the receipt. None changes
nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from app.core.clock import now
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.bodies import Unreadable
from app.mpesa.c2b import C2bNews, read_c2b
from app.payments.evidence import Evidence
from app.payments.models import Credit
from app.payments.paybill.crediting import place
from app.payments.paybill.models import C2bNotice, NoticeState
from app.payments.schedule import pause_after
from app.payments.sealing import SealedBody, kept, opened

logger = logging.getLogger("payments.mpesa")

CONFIRMATION, VALIDATION, ANSWER = "confirmation", "validation", "answer"
#: Only so many bodies that brought no money are kept; the oldest make room.
MOST_IDLE = 10_000
MOST_TRIES = 10
HANDLING_SECONDS = 10
#: How often it is looked whether a prompt that the news may be of has ended.
WAIT_SECONDS = 5
Also = Callable[[Session], object]
_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Forwarded-For")


def ingest(
    *,
    kind: str,
    raw: bytes,
    peer: str,
    headers: Headers,
    origin_proven: bool,
    registration_id: int | None,
) -> int | None:
    """Keep a body; return its id, or None when the very same one is kept already.

    Raises whatever the database raises: the caller must not acknowledge what was not kept.
    """
    proofs = f"{kind}|{registration_id or ''}|{origin_proven}|".encode()
    values: dict[str, Any] = {
        "natural_key": hashlib.sha256(proofs + raw).hexdigest(),
        "kind": kind,
        "peer": peer[:64],
        "headers": {name: headers[name][:255] for name in _KEPT_HEADERS if name in headers},
        "raw": kept(raw),
        "origin_proven": origin_proven,
        "registration_id": registration_id,
        "received_at": now(),
        "state": NoticeState.NEW,
        "tries": 0,
    }
    with transaction() as session:
        return insert_or_nothing(session, C2bNotice, values, key=["natural_key"])


def handle(notice_id: int) -> str:
    """Understand a kept confirmation and act on it; return the verdict, kept beside it."""
    notice = db.session.get_one(C2bNotice, notice_id, populate_existing=True)
    try:
        news = read_c2b(opened(notice.raw))
    except (Unreadable, SealedBody) as error:
        return _close(notice_id, _state_of_unreadable(notice), f"unreadable: {error}")
    learned = {"receipt": news.receipt, "amount_cents": news.amount_cents, "account": news.account}
    if notice.evidence is not None:
        return _settle(notice, replace(news, amount_cents=notice.amount_cents))
    proofs = notice.origin_proven + notice.token_proven
    if proofs == 0:
        return _close(notice_id, NoticeState.IGNORED, "not proven", **learned)
    if news.receipt is None or news.amount_cents is None:
        why = news.amount_problem or "no readable receipt"
        return _close(notice_id, _state_of_unreadable(notice), f"unreadable: {why}", **learned)
    if proofs == 1:
        return _doubt(notice, news, learned)
    confirm(notice_id, (NoticeState.NEW,), Evidence.PROVEN_CALLBACK, learned)
    return _settle(notice, news)


def close_validation(notice_id: int, raw: bytes, code: str) -> None:
    """Write down what was answered to the question whether something may be paid."""
    try:
        news = read_c2b(raw)
        learned = {"amount_cents": news.amount_cents, "account": news.account}
    except Unreadable:
        learned = {}
    verdict = "accepted" if code == "0" else f"refused: {code}"
    _close(notice_id, NoticeState.IGNORED, f"may it be paid: {verdict}", **learned)


def close_answer(notice_id: int, verdict: str) -> None:
    """Write down what came of Daraja's answer to a question of ours."""
    _close(notice_id, NoticeState.IGNORED, verdict)


def handle_again(notice_id: int) -> str:
    """Act on a kept body. What goes wrong is noted, and tried again later, up to MOST_TRIES."""
    try:
        return handle(notice_id)
    except Exception as error:
        db.session.rollback()
        _note_failure(notice_id, error)
        raise


def confirm(
    notice_id: int,
    sources: tuple[NoticeState, ...],
    evidence: Evidence,
    learned: Mapping[str, Any],
    also: Also | None = None,
) -> bool:
    """Write down, once, how it is known that the money came; False when somebody was faster.

    What is left to do for it is found by the sweep too. ``amount_cents`` may be corrected here:
    what Daraja says has moved counts before what was posted.
    """
    proven = {"evidence": evidence, "state": NoticeState.WAITING, "next_try_at": now()}
    return change(notice_id, sources, {**learned, **proven}, also)


def due_ids(limit: int) -> list[int]:
    """Return what was kept and not acted on, and what waits for a prompt's end."""
    moment = now()
    forgotten = (C2bNotice.state == NoticeState.NEW) & (
        C2bNotice.received_at < moment - timedelta(seconds=HANDLING_SECONDS)
    )
    due = or_(C2bNotice.next_try_at.is_(None), C2bNotice.next_try_at <= moment)
    query = (
        select(C2bNotice.id)
        .where(or_(forgotten, C2bNotice.state == NoticeState.WAITING), due)
        .where(C2bNotice.kind == CONFIRMATION)
        .where(or_(C2bNotice.tries < MOST_TRIES, C2bNotice.state == NoticeState.WAITING))
        .order_by(C2bNotice.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def prune(limit: int = 1000) -> None:
    """Drop the oldest bodies that brought no money beyond MOST_IDLE."""
    idle = select(C2bNotice.id).where(
        C2bNotice.state == NoticeState.IGNORED, C2bNotice.credit_id.is_(None)
    )
    surplus = idle.order_by(C2bNotice.id.desc()).offset(MOST_IDLE).limit(limit)
    found = list(db.session.scalars(surplus))
    if found:
        with transaction() as session:
            session.execute(delete(C2bNotice).where(C2bNotice.id.in_(found)))


def change(
    notice_id: int,
    sources: tuple[NoticeState, ...],
    values: Mapping[str, Any],
    also: Also | None = None,
) -> bool:
    """Change a notice that is still in one of these states; False when somebody was faster.

    ``also`` writes what belongs to the change, in its transaction.
    """
    with transaction() as session:
        compare_and_set = (
            update(C2bNotice)
            .where(C2bNotice.id == notice_id, C2bNotice.state.in_(sources))
            .values(**values)
        )
        changed = rows_changed(session, compare_and_set) == 1
        if changed and also is not None:
            also(session)
        return changed


def _doubt(notice: C2bNotice, news: C2bNews, learned: dict[str, Any]) -> str:
    """Have Daraja asked about a receipt that came with one proof, unless it is known already."""
    known = db.session.scalar(select(Credit).where(Credit.receipt == news.receipt))
    if known is not None:
        ids = {"order_id": known.order_id, "credit_id": known.id}
        told = marked("one proof; its receipt is credited already")
        return _close(notice.id, NoticeState.DONE, told, **learned, **ids)
    verdict = marked("one proof (caller on the list): Daraja will be asked")
    if notice.token_proven:
        verdict = marked("one proof (token fits, caller not on the list): Daraja will be asked")
    return _close(notice.id, NoticeState.ASKING, verdict, **learned, next_try_at=now())


def _settle(notice: C2bNotice, news: C2bNews) -> str:
    notice_id, evidence = notice.id, Evidence(notice.evidence or Evidence.PROVEN_CALLBACK)
    actor = f"daraja: C2B notice {notice_id}"
    placed = place(news, evidence, actor, notice.received_at)
    ids = {"order_id": placed.order_id, "credit_id": placed.credit_id}
    if not placed.waits:
        return _close(notice_id, NoticeState.DONE, placed.verdict, **ids)
    later = now() + timedelta(seconds=WAIT_SECONDS)
    return _close(notice_id, NoticeState.WAITING, placed.verdict, **ids, next_try_at=later)


def _close(notice_id: int, state: NoticeState, verdict: str, **values: Any) -> str:
    settled = {"next_try_at": None} | values | {"state": state, "verdict": verdict[:255]}
    with transaction() as session:
        session.execute(update(C2bNotice).where(C2bNotice.id == notice_id).values(**settled))
    logger.info("C2B notice %s: %s", notice_id, verdict)
    return verdict


def _state_of_unreadable(notice: C2bNotice) -> NoticeState:
    """Put what Safaricom has sent and nobody can read before a person; drop what anybody may."""
    both = notice.origin_proven and notice.token_proven
    return NoticeState.DOUBTED if both else NoticeState.IGNORED


def _note_failure(notice_id: int, error: Exception) -> None:
    with transaction() as session:
        notice = session.get_one(C2bNotice, notice_id, populate_existing=True)
        notice.tries += 1
        notice.next_try_at = now() + pause_after(notice.tries)
        notice.verdict = f"not acted on yet, tried {notice.tries}x: {type(error).__name__}"
        if notice.state == NoticeState.NEW and notice.tries >= MOST_TRIES:
            # The sweep leaves it alone from now on. What anybody may have sent is nobody's work.
            is_proven = notice.origin_proven or notice.token_proven
            notice.state = NoticeState.DOUBTED if is_proven else NoticeState.IGNORED
            notice.next_try_at = None
