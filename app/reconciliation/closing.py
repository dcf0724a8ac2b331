"""The daily close: what a day in Nairobi came to, as a person saw it, kept as it was.

Money belongs to the day on which our books got it, so that every shilling stands in one close.
What a closed day's prompts brought afterwards is told beside that close, and counts on its own day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import NAIROBI, nairobi, now
from app.core.errors import Conflict, ValidationError
from app.core.statements import insert_or_nothing
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.disbursements import questions as out_questions
from app.disbursements.models import Disbursement, Kind
from app.disbursements.states import OutStatus
from app.extensions import db
from app.ledger.models import FEES_SQL, Transfer
from app.payments import questions
from app.payments.models import Credit, Payment
from app.reconciliation.models import DailyClose, Difference, Phase, Source, Statement
from app.settings.service import mpesa_settings

MOST_WORDS = 500
MOST_LATE = 50
#: Among so many statements of a day there is one that is whole, or a person has to look.
_LOOKED_AT = 20
#: A day that is longer ago is history, and its statement too.
MOST_DAYS_BACK = 366


@dataclass(frozen=True)
class Day:
    """What a day came to, in cents. ``statement`` is what it is compared with, where one covers
    it; ``difference_cents`` are theirs less ours on that day.
    """

    day: date
    collected_count: int
    collected_cents: int
    refunded_cents: int
    paid_out_cents: int
    fees_cents: int
    open_questions: int
    statement: Statement | None
    difference_cents: int | None


def bounds(day: date) -> tuple[datetime, datetime]:
    """Return when a day in Nairobi begins, and when the next one does, in UTC."""
    begins = datetime.combine(day, time(), NAIROBI)
    return begins.astimezone(UTC), (begins + timedelta(days=1)).astimezone(UTC)


def figures(day: date) -> Day:
    """Add a day up as the books have it now."""
    since, until = bounds(day)
    count, collected = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Credit.amount_cents), 0)).where(
            Credit.created_at >= since, Credit.created_at < until
        )
    ).one()
    statement = covering(since, until)
    return Day(
        day=day,
        collected_count=int(count),
        collected_cents=int(collected),
        refunded_cents=_paid(Kind.REFUND, since, until),
        paid_out_cents=_paid(Kind.PAYOUT, since, until),
        fees_cents=_fees(since, until),
        open_questions=len(questions.open_questions()) + len(out_questions.open_questions()),
        statement=statement,
        difference_cents=_difference(statement, since, until) if statement else None,
    )


def _paid(kind: Kind, since: datetime, until: datetime) -> int:
    query = select(func.coalesce(func.sum(Disbursement.amount_cents), 0)).where(
        Disbursement.kind == kind,
        Disbursement.status == OutStatus.COMPLETED,
        Disbursement.completed_at >= since,
        Disbursement.completed_at < until,
    )
    return int(db.session.scalar(query) or 0)


def _fees(since: datetime, until: datetime) -> int:
    query = select(func.coalesce(func.sum(Transfer.amount_cents), 0)).where(
        FEES_SQL, Transfer.at >= since, Transfer.at < until
    )
    return int(db.session.scalar(query) or 0)


def covering(since: datetime, until: datetime) -> Statement | None:
    """Return the newest whole statement of what we collect that covers a whole day."""
    query = (
        select(Statement)
        .where(
            Statement.phase == Phase.DONE,
            Statement.source == Source.FILE,
            Statement.shortcode == (mpesa_settings().shortcode or ""),
            Statement.period_from <= since,
            # The last second of a day is its end, in a statement.
            Statement.period_to >= until - timedelta(seconds=1),
        )
        .order_by(Statement.id.desc())
        .limit(_LOOKED_AT)
    )
    return next((found for found in db.session.scalars(query) if found.is_whole), None)


def _difference(statement: Statement, since: datetime, until: datetime) -> int:
    query = select(
        func.coalesce(func.sum(Difference.theirs_cents - Difference.ours_cents), 0)
    ).where(
        Difference.statement_id == statement.id,
        Difference.at >= since,
        Difference.at < until,
        Difference.resolved_at.is_(None),
    )
    return int(db.session.scalar(query) or 0)


def close(day: date, person: Person, note: str) -> DailyClose:
    """Close a day, once. Raises Conflict for one that is closed, ValidationError for one that is
    not over or too long ago.
    """
    words, today = note.strip(), nairobi(now()).date()
    if day >= today:
        raise ValidationError(marked("A day can be closed once it is over in Nairobi."))
    if (today - day).days > MOST_DAYS_BACK:
        raise ValidationError(said("That day is more than {days} days ago.", days=MOST_DAYS_BACK))
    if len(words) > MOST_WORDS:
        raise ValidationError(said("A note has at most {most} characters.", most=MOST_WORDS))
    found = figures(day)
    with transaction() as session:
        return _written(session, found, person, words)


def _written(session: Session, found: Day, person: Person, note: str) -> DailyClose:
    values: dict[str, Any] = {
        "day": found.day,
        "collected_count": found.collected_count,
        "collected_cents": found.collected_cents,
        "refunded_cents": found.refunded_cents,
        "paid_out_cents": found.paid_out_cents,
        "fees_cents": found.fees_cents,
        "open_questions": found.open_questions,
        "statement_id": found.statement.id if found.statement else None,
        "difference_cents": found.difference_cents,
        "note": note,
        "closed_by": person.id,
    }
    made = insert_or_nothing(session, DailyClose, values, key=["day"])
    if made is None:
        raise Conflict(marked("Somebody has closed that day already."))
    told = {name: value for name, value in values.items() if name not in ("day", "closed_by")}
    audit.record(session, person, "day.closed", f"day {found.day.isoformat()}", **told)
    return session.get_one(DailyClose, made)


def closed(day: date) -> DailyClose | None:
    """Return how a day was closed, if it was."""
    return db.session.scalar(select(DailyClose).where(DailyClose.day == day))


def closes(before: date | None, limit: int) -> Sequence[DailyClose]:
    """Return the newest closed days, or those before one."""
    query = select(DailyClose).order_by(DailyClose.day.desc()).limit(limit)
    if before is not None:
        query = query.where(DailyClose.day < before)
    return db.session.scalars(query).all()


def waiting(days: int = 14) -> list[date]:
    """Return which of the last days are over and not closed, newest first, from the first one on
    that had money.
    """
    today = nairobi(now()).date()
    known = set(
        db.session.scalars(
            select(DailyClose.day).where(DailyClose.day >= today - timedelta(days=days))
        )
    )
    first = db.session.scalar(select(func.min(Credit.created_at)))
    if first is None:
        return []
    since = nairobi(first).date()
    past = (today - timedelta(days=number) for number in range(1, days + 1))
    return [day for day in past if day not in known and day >= since]


def came_after(closed_day: DailyClose) -> Sequence[Credit]:
    """Return the money of that day's prompts that our books got after it was closed."""
    since, until = bounds(closed_day.day)
    query = (
        select(Credit)
        .join(Payment, Payment.id == Credit.payment_id)
        .where(
            Payment.created_at >= since,
            Payment.created_at < until,
            Credit.created_at > closed_day.closed_at,
        )
        .order_by(Credit.id)
        .limit(MOST_LATE)
    )
    return db.session.scalars(query).all()
