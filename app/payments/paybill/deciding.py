"""What a person decides about paybill news that one proof alone speaks for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.models import Person
from app.audit.service import record
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.texts import marked, said
from app.extensions import db
from app.orders.models import Order
from app.payments.evidence import Evidence
from app.payments.paybill import inbox
from app.payments.paybill.models import C2bNotice, NoticeState

PAGE_ROWS = 50
MOST_WORDS = 500
_UNDECIDED = (NoticeState.DOUBTED, NoticeState.ASKING)


def believe(notice_id: int, person: Person, why: str) -> str:
    """Credit money that a person has seen in the statement; return what came of it.

    Raises Conflict where somebody was faster, or where nothing can be read in it.
    """
    notice = _found(notice_id)
    if notice.receipt is None or notice.amount_cents is None:
        raise Conflict(marked("This names no money that could be credited. Put it aside."))
    words = _readable(why)
    write = _written(person, "paybill.believed", notice, words)
    if not inbox.confirm(notice_id, _UNDECIDED, Evidence.CALLBACK, {}, write):
        raise Conflict(marked("Somebody has decided this already."))
    return inbox.handle(notice_id)


def put_aside(notice_id: int, person: Person, why: str) -> str:
    """Take news that brought no money off the list. Raises Conflict where somebody was faster."""
    notice, words = _found(notice_id), _readable(why)
    verdict = said("put aside by person {id}", id=person.id)
    values = {"state": NoticeState.IGNORED, "verdict": verdict, "next_try_at": None}
    write = _written(person, "paybill.put_aside", notice, words)
    if not inbox.change(notice_id, _UNDECIDED, values, write):
        raise Conflict(marked("Somebody has decided this already."))
    return verdict


def page(before: int | None = None) -> Sequence[C2bNotice]:
    """Return the newest news about the paybill, or what is older than ``before``."""
    orders = joinedload(C2bNotice.order).lazyload(Order.lines)
    query = select(C2bNotice).where(C2bNotice.kind == inbox.CONFIRMATION).options(orders)
    if before is not None:
        query = query.where(C2bNotice.id < before)
    return db.session.scalars(query.order_by(C2bNotice.id.desc()).limit(PAGE_ROWS)).all()


def undecided() -> Sequence[C2bNotice]:
    """Return what waits for a person, oldest first."""
    query = select(C2bNotice).where(C2bNotice.state == NoticeState.DOUBTED)
    return db.session.scalars(query.order_by(C2bNotice.id).limit(PAGE_ROWS)).all()


def _found(notice_id: int) -> C2bNotice:
    notice = db.session.get(C2bNotice, notice_id) if notice_id < 2**63 else None
    if notice is None:
        raise NotFound(marked("There is no such news."))
    return notice


def _written(person: Person, action: str, notice: C2bNotice, why: str) -> inbox.Also:
    """Return what writes a decision into the audit trail, in the decision's transaction."""
    about, receipt = f"paybill news {notice.id}", notice.receipt
    return lambda session: record(session, person, action, about, receipt=receipt, why=why)


def _readable(why: str) -> str:
    words = why.strip()
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            said("Say why, in {least} to {most} characters.", least=1, most=MOST_WORDS)
        )
    return words
