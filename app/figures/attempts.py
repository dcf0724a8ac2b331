"""How the attempts of a period ended, how fast, and whether Daraja told us: two queries.

Both walk one range of the index on ``payments.created_at`` and come back as small distributions,
so that what Python adds up does not grow with the shop.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.figures.periods import Period
from app.figures.sql import seconds_between, step_of
from app.payments.models import InboxMessage, Payment
from app.payments.states import UNPAID_ENDS, Status

#: A callback that has not come by then is late: it comes within about 20 seconds as a rule.
CALLBACK_SECONDS = 60


@dataclass
class Seconds:
    """How long things took: a count for each whole second."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def average(self) -> float | None:
        total = self.counts.total()
        return sum(took * n for took, n in self.counts.items()) / total if total else None

    def percentile(self, percent: int) -> int | None:
        """Return what so many percent took at most (nearest rank); None for nothing."""
        rank = -(-self.counts.total() * percent // 100)
        for took in sorted(self.counts):
            rank -= self.counts[took]
            if rank <= 0:
                return took
        return None


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def percent(self) -> float | None:
        """To one decimal, cut off: only all of them are 100 percent."""
        return self.part * 1000 // self.whole / 10 if self.whole else None

    def __str__(self) -> str:
        return "–" if self.percent is None else f"{self.percent:g}%"


@dataclass
class Ends:
    """The attempts that began in some time, by how they stand now."""

    initiated: int = 0
    successful: int = 0
    failed: int = 0
    in_review: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    took: Seconds = field(default_factory=Seconds)
    callback_took: Seconds = field(default_factory=Seconds)
    callbacks_due: int = 0
    callbacks_received: int = 0

    @property
    def open(self) -> int:
        return self.initiated - self.successful - self.failed - self.in_review

    @property
    def success(self) -> Share:
        """Of the attempts that were paid or failed, those that were paid."""
        return Share(self.successful, self.successful + self.failed)

    @property
    def callbacks(self) -> Share:
        """Of the callbacks that should have come by now, those that came."""
        return Share(self.callbacks_received, self.callbacks_due)

    def __iadd__(self, other: Ends) -> Ends:
        self.initiated += other.initiated
        self.successful += other.successful
        self.failed += other.failed
        self.in_review += other.in_review
        self.reasons += other.reasons
        self.took.counts += other.took.counts
        self.callback_took.counts += other.callback_took.counts
        self.callbacks_due += other.callbacks_due
        self.callbacks_received += other.callbacks_received
        return self


def ends_by_step(session: Session, period: Period) -> list[Ends]:
    """Return how the attempts of each step of a period ended, oldest step first."""
    steps = [Ends() for _ in period.moments]
    _count_ends(session, period, steps)
    _count_callbacks(session, period, steps)
    return steps


def _count_ends(session: Session, period: Period, steps: list[Ends]) -> None:
    rows = (
        select(
            step_of(Payment.created_at, period).label("step"),
            Payment.status.label("status"),
            Payment.reason.label("reason"),
            seconds_between(Payment.created_at, Payment.completed_at).label("took"),
        )
        .where(Payment.created_at >= period.start, Payment.created_at < period.end)
        .subquery()
    )
    columns = (rows.c.step, rows.c.status, rows.c.reason, rows.c.took)
    for step, status, reason, took, count in session.execute(
        select(*columns, func.count()).group_by(*columns)
    ):
        ends = steps[step]
        ends.initiated += count
        if status == Status.COMPLETED:
            ends.successful += count
            ends.took.counts[took or 0] += count
        elif status == Status.REVIEW:
            ends.in_review += count
        elif status in UNPAID_ENDS:
            ends.failed += count
            ends.reasons[reason or status] += count


def _count_callbacks(session: Session, period: Period, steps: list[Ends]) -> None:
    """Count the attempts that Daraja took on, by when their first vouched-for callback came."""
    vouched_for = or_(InboxMessage.origin_proven, InboxMessage.token_payment_id == Payment.id)
    # A join, since a correlated question would be put again for each place that names its answer.
    came = (
        select(
            Payment.created_at.label("began_at"),
            func.min(InboxMessage.received_at).label("came_at"),
        )
        .outerjoin(InboxMessage, and_(InboxMessage.payment_id == Payment.id, vouched_for))
        .where(
            Payment.checkout_request_id.is_not(None),
            Payment.created_at >= period.start,
            Payment.created_at < period.end,
        )
        .group_by(Payment.id, Payment.created_at)
        .subquery()
    )
    due_before = period.end - timedelta(seconds=CALLBACK_SECONDS)
    rows = select(
        step_of(came.c.began_at, period).label("step"),
        (came.c.began_at < due_before).label("is_due"),
        seconds_between(came.c.began_at, came.c.came_at).label("took"),
    ).subquery()
    columns = (rows.c.step, rows.c.is_due, rows.c.took)
    for step, is_due, took, count in session.execute(
        select(*columns, func.count()).group_by(*columns)
    ):
        ends = steps[step]
        if took is not None:
            ends.callback_took.counts[took] += count
        if is_due:
            ends.callbacks_due += count
            ends.callbacks_received += count if took is not None else 0
