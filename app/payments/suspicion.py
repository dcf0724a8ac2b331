"""What looks like somebody trying: told in the log once an hour, and on the admin's page.

Counted from what is kept anyway, over the newest rows only. Nothing is blocked by it: a shop with
a new proxy, or a shopper with a flat battery, looks the same from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, false, func, or_, select

from app.core.clock import now
from app.core.limiting import spend
from app.core.texts import marked
from app.extensions import db
from app.mpesa.phone import masked
from app.payments.models import InboxMessage, Payment
from app.payments.states import UNPAID_ENDS

logger = logging.getLogger("payments.mpesa")

WINDOW = timedelta(hours=1)
#: So many within the window are a pattern.
MANY_CALLBACKS = 10
MANY_FAILURES = 5
#: No more rows than these are looked at, the newest first.
NEWEST_ROWS = 5000
MOST_PATTERNS = 20
#: What failed at our end or at Daraja's says nothing about a phone.
_NOT_THE_PHONE = ("refused_unreachable", "refused_throttled", "refused_credentials")


@dataclass(frozen=True)
class Pattern:
    """Too much of one thing from one subject: an address, or a phone with its middle masked."""

    kind: str
    title: str
    subject: str
    count: int
    since: datetime
    advice: str


def patterns() -> list[Pattern]:
    """Return what looks suspicious within the last hour, the most of each kind first."""
    return [*_callbacks(), *_failures()]


def warn() -> None:
    """Write every pattern to the log, each at most once an hour."""
    for pattern in patterns():
        if spend("1/hour", "suspicion", pattern.kind, pattern.subject):
            logger.warning(
                "suspicious: %s, %s: %s since %s",
                pattern.title,
                pattern.subject,
                pattern.count,
                pattern.since.strftime("%H:%M:%SZ"),
            )


def _callbacks() -> Iterator[Pattern]:
    """Find addresses whose callbacks lack a proof. Repetitions of one body count once."""
    newest = (
        select(
            InboxMessage.peer.label("subject"),
            InboxMessage.received_at.label("at"),
            or_(
                InboxMessage.origin_proven == false(), InboxMessage.token_payment_id.is_(None)
            ).label("counts"),
        )
        .order_by(InboxMessage.id.desc())
        .limit(_callbacks_of_the_window())
    )
    for subject, count, since in _grouped(newest, MANY_CALLBACKS):
        yield Pattern(
            "callbacks",
            marked("callbacks that lack a proof, from one address"),
            subject,
            count,
            since,
            marked(
                "They changed nothing that Daraja did not confirm. Block the address, or, if it is "
                "Safaricom's, put it on MPESA_CALLBACK_ALLOWLIST beside the others."
            ),
        )


def _failures() -> Iterator[Pattern]:
    """Find phones that were prompted again and again and never paid."""
    newest = (
        select(
            Payment.phone.label("subject"),
            Payment.created_at.label("at"),
            and_(
                Payment.status.in_(UNPAID_ENDS),
                func.coalesce(Payment.reason, "").not_in(_NOT_THE_PHONE),
            ).label("counts"),
        )
        .where(Payment.created_at >= now() - WINDOW)
        .order_by(Payment.created_at.desc())
        .limit(NEWEST_ROWS)
    )
    for subject, count, since in _grouped(newest, MANY_FAILURES):
        yield Pattern(
            "failures",
            marked("failed payments on one phone"),
            masked(subject),
            count,
            since,
            marked("Ask its owner: somebody may be sending prompts to a phone that is not theirs."),
        )


def _callbacks_of_the_window() -> int:
    """Return how many of the newest callbacks hold all of the window; NEWEST_ROWS at most.

    They have no index by their time, which each callback would have to pay for.
    """
    received = select(InboxMessage.received_at).order_by(InboxMessage.id.desc()).limit(1)
    for rows in (NEWEST_ROWS // 20, NEWEST_ROWS // 4):
        at = db.session.scalar(received.offset(rows))
        if at is None or at < now() - WINDOW:
            return rows
    return NEWEST_ROWS


def _grouped(newest: Select[str, datetime, bool], many: int) -> list[tuple[str, int, datetime]]:
    rows = newest.subquery()
    count = func.count()
    query = (
        select(rows.c.subject, count, func.min(rows.c.at))
        .where(rows.c.counts, rows.c.at >= now() - WINDOW)
        .group_by(rows.c.subject)
        .having(count >= many)
        .order_by(count.desc(), rows.c.subject)
        .limit(MOST_PATTERNS)
    )
    return [(subject, number, since) for subject, number, since in db.session.execute(query)]
