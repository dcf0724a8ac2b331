"""Money in sum: what came in, what is on its way in or out, and the float. Cents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import ProviderUnavailable
from app.disbursements import funds, provider
from app.disbursements.models import Disbursement, FloatReading
from app.disbursements.states import OutStatus
from app.figures.periods import DAY, Period, midnight
from app.figures.sql import step_of
from app.payments.models import Credit, Payment
from app.payments.states import LIVE, Status

#: A prompt has long ended by then, so somebody may have paid and nobody knows.
LONG_MINUTES = 5


@dataclass(frozen=True)
class Sum:
    """How many, how much in cents, and since when the oldest of them is there."""

    count: int = 0
    cents: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True)
class Takings:
    """What came in today, and yesterday up to this time of day and in whole. Cents."""

    today: int
    yesterday_so_far: int
    yesterday: int


@dataclass(frozen=True)
class Standing:
    """What is neither here nor there at this moment."""

    prompted: Sum
    unconfirmed: Sum
    long_pending: Sum
    out_waiting: Sum
    out_sent: Sum
    out_unknown: Sum
    float_cents: int | None
    float_reading: FloatReading | None


def takings_by_step(session: Session, period: Period) -> list[Sum]:
    """Return what came in during each step of a period, whatever it turned out to be for."""
    rows = (
        select(step_of(Credit.created_at, period).label("step"), Credit.amount_cents.label("cents"))
        .where(Credit.created_at >= period.start, Credit.created_at < period.end)
        .subquery()
    )
    sums = [Sum() for _ in period.moments]
    query = select(rows.c.step, func.count(), func.sum(rows.c.cents)).group_by(rows.c.step)
    for step, count, cents in session.execute(query):
        sums[step] = Sum(count, int(cents))
    return sums


def takings(session: Session, moment: datetime) -> Takings:
    """Return the takings of the Nairobi day up to a moment, beside those of the day before."""
    today = midnight(moment)
    before = today - DAY
    return Takings(
        _credited(session, today, moment),
        _credited(session, before, moment - DAY),
        _credited(session, before, today),
    )


def standing(session: Session, moment: datetime) -> Standing:
    """Return what waits at this moment, on either side."""
    long_ago = moment - timedelta(minutes=LONG_MINUTES)
    float_cents, reading = _float(session)
    return Standing(
        prompted=_in_prompts(session, LIVE - {Status.UNCONFIRMED}),
        unconfirmed=_in_prompts(session, {Status.UNCONFIRMED}),
        long_pending=_in_prompts(session, LIVE, long_ago),
        out_waiting=_going_out(session, {OutStatus.AWAITING_APPROVAL, OutStatus.QUEUED}),
        out_sent=_going_out(session, {OutStatus.PROCESSING}),
        out_unknown=_going_out(session, {OutStatus.UNKNOWN}),
        float_cents=float_cents,
        float_reading=reading,
    )


def _float(session: Session) -> tuple[int | None, FloatReading | None]:
    """Return what can still leave, and who said so; None where nobody knows whose float it is."""
    try:
        shortcode = provider.shortcode()
    except ProviderUnavailable:
        # A stored setting cannot be read. Whoever is to mend that has to see the back office.
        return None, None
    return funds.available_cents(session, shortcode), funds.latest(session, shortcode)


def _credited(session: Session, start: datetime, end: datetime) -> int:
    total = select(func.sum(Credit.amount_cents)).where(
        Credit.created_at >= start, Credit.created_at < end
    )
    return int(session.scalar(total) or 0)


def _in_prompts(
    session: Session, statuses: Collection[Status], before: datetime | None = None
) -> Sum:
    query = select(func.count(), func.sum(Payment.amount_cents), func.min(Payment.created_at))
    query = query.where(Payment.status.in_(sorted(statuses)))
    if before is not None:
        query = query.where(Payment.created_at < before)
    count, cents, oldest = session.execute(query).one()
    return Sum(count, int(cents or 0), oldest)


def _going_out(session: Session, statuses: Collection[OutStatus]) -> Sum:
    since = func.min(func.coalesce(Disbursement.sent_at, Disbursement.created_at))
    query = select(func.count(), func.sum(Disbursement.amount_cents), since)
    count, cents, oldest = session.execute(
        query.where(Disbursement.status.in_(sorted(statuses)))
    ).one()
    return Sum(count, int(cents or 0), oldest)
