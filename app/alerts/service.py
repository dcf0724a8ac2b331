"""Which alerts are open, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from app.alerts.kinds import KINDS, SWEEP_QUIET
from app.alerts.models import AlertRow, Heartbeat
from app.core.clock import now
from app.extensions import db

#: The heartbeat of the sweep, which looks once a minute.
SWEEP = "sweep"
#: A sweep that was not seen for so long does not run.
SWEEP_QUIET_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Alert:
    """Something that is wrong now. ``since`` is UTC, ``link`` where one looks, or ""."""

    kind: str
    title: str
    advice: str
    since: datetime
    subject: str
    link: str
    detail: str = ""


def open_alerts(limit: int = 50) -> list[Alert]:
    """Return what is wrong now, the newest first; at most ``limit``."""
    quiet = _quiet_sweep()
    query = select(AlertRow).where(AlertRow.closed_at.is_(None)).order_by(AlertRow.id.desc())
    rows = db.session.scalars(query.limit(limit)).all()
    found = [in_words(row) for row in rows]
    return ([quiet, *found] if quiet else found)[:limit]


def in_words(row: AlertRow) -> Alert:
    """Return a row as people read it."""
    kind = KINDS[row.kind]
    return Alert(
        kind=row.kind,
        title=kind.title,
        advice=kind.advice,
        since=row.opened_at,
        subject=row.subject,
        link=kind.link.format(subject=row.subject),
        detail=row.detail,
    )


def _quiet_sweep() -> Alert | None:
    """Notice that nobody sweeps, which no sweep can write down."""
    beat = db.session.get(Heartbeat, SWEEP)
    if beat is None or beat.at > now() - SWEEP_QUIET_AFTER:
        return None
    return Alert(SWEEP_QUIET, KINDS[SWEEP_QUIET].title, KINDS[SWEEP_QUIET].advice, beat.at, "", "")
