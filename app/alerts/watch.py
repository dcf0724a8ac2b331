"""The round that opens and closes alerts, once a minute however many processes sweep."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.alerts.checks import CHECKS, MOST_FINDINGS, Finding
from app.alerts.models import AlertRow, Heartbeat
from app.alerts.service import SWEEP, in_words
from app.core.clock import iso_seconds, now
from app.core.statements import insert_or_nothing, rows_changed
from app.core.unit_of_work import after_commit, transaction
from app.extensions import db
from app.webhooks import delivery
from app.webhooks.events import emit

logger = logging.getLogger("lipa.alerts")

#: Two rounds are so far apart at least.
ROUND = timedelta(seconds=50)
#: Alerts that were closed so long ago are forgotten.
KEPT = timedelta(days=90)
PRUNED_AT_ONCE = 500
MOST_OPEN = 1000


def sweep() -> None:
    """Look at everything once, and forget what is old. Whoever comes too soon does nothing."""
    if not _take_round():
        return
    look()
    delivery.prune()
    _prune()


def look() -> None:
    """Open an alert for everything that is wrong, and close those that are over."""
    found: dict[tuple[str, str], Finding] = {}
    looked: set[str] = set()
    for kind, check in CHECKS.items():
        try:
            for finding in list(check())[:MOST_FINDINGS]:
                found[kind, finding.subject[:80]] = finding
            looked.add(kind)
        except Exception:
            db.session.rollback()
            logger.exception("the check for %s could not look", kind)
    with transaction() as session:
        still_open = select(AlertRow).where(AlertRow.closed_at.is_(None)).limit(MOST_OPEN)
        present = {(row.kind, row.subject): row for row in session.scalars(still_open)}
        for key, finding in found.items():
            if key not in present:
                _raise(session, finding)
            elif present[key].detail != finding.detail[:255]:
                present[key].detail = finding.detail[:255]
        for key, row in present.items():
            if key not in found and row.kind in looked:
                _close(session, row)


def _take_round() -> bool:
    """Tell whether this round is ours: of many who ask within ROUND, one hears yes."""
    with transaction() as session:
        moment = now()
        # A clock that was set back would else stop the watch until it has caught up.
        due = or_(Heartbeat.at <= moment - ROUND, Heartbeat.at > moment + ROUND)
        mine = update(Heartbeat).where(Heartbeat.name == SWEEP, due).values(at=moment)
        if rows_changed(session, mine) == 1:
            return True
        first = {"name": SWEEP, "at": moment}
        return insert_or_nothing(session, Heartbeat, first, key=["name"]) is not None


def _raise(session: Session, finding: Finding) -> None:
    row = AlertRow(kind=finding.kind, subject=finding.subject[:80], detail=finding.detail[:255])
    session.add(row)
    session.flush()
    _tell(session, row, "opened")


def _close(session: Session, row: AlertRow) -> None:
    still_open = AlertRow.id == row.id, AlertRow.closed_at.is_(None)
    if rows_changed(session, update(AlertRow).where(*still_open).values(closed_at=now())) == 1:
        _tell(session, row, "closed")


def _tell(session: Session, row: AlertRow, what: str) -> None:
    alert = in_words(row)
    data = {
        "kind": alert.kind,
        "title": alert.title,
        "subject": alert.subject,
        "detail": alert.detail,
        "advice": alert.advice,
        "since": iso_seconds(alert.since),
    }
    emit(session, f"alert.{what}", data)
    told = f"alert {what}: {alert.title} ({alert.subject or 'the shop'}): {alert.detail}"
    after_commit(lambda: logger.warning("%s", told))


def _prune() -> None:
    old = select(AlertRow.id).where(AlertRow.closed_at < now() - KEPT).limit(PRUNED_AT_ONCE)
    with transaction() as session:
        session.execute(delete(AlertRow).where(AlertRow.id.in_(old)))
