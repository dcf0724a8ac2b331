"""Announcements, staged in the transaction that they speak of and sent after its commit.

What is staged survives a kill between commit and sending. It may be sent twice and never too
early, so whoever hears it must be able to hear it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.unit_of_work import after_commit, transaction
from app.extensions import Model, db

logger = logging.getLogger(__name__)

BATCH = 200
#: News that nobody could be told in this time is dropped: pages have read the books since.
KEPT_MINUTES = 10

Deliver = Callable[[str, dict[str, Any]], None]
#: Told of what is staged, inside its transaction: what a listener writes stands or falls with it.
Listener = Callable[[Session, str, dict[str, Any]], None]
_listeners: list[Listener] = []


class Announcement(Model):
    """A topic and what is to be told, until it has been told."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic: Mapped[str] = mapped_column(String(32))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


def listen(listener: Listener) -> None:
    """Have a listener told of everything that is staged from now on, once however often asked."""
    if listener not in _listeners:
        _listeners.append(listener)


def stage(
    session: Session, topic: str, body: dict[str, Any], wake: Callable[[], object] | None = None
) -> None:
    """Put an announcement beside the change that it speaks of, in the caller's transaction.

    ``wake`` is called once that has been committed.
    """
    session.add(Announcement(topic=topic, body=body))
    for listener in _listeners:
        listener(session, topic, body)
    if wake is not None:
        after_commit(wake)


def send_staged(deliver: Deliver, limit: int = BATCH) -> int:
    """Send what is staged, oldest first, and forget what was sent; return how much that was.

    What ``deliver`` fails on stays for the next time, until it is too old to matter.
    """
    waiting = db.session.scalars(select(Announcement).order_by(Announcement.id).limit(limit)).all()
    if not waiting:
        return 0
    sent = [row.id for row in waiting if _sent(row, deliver)]
    too_old = now() - timedelta(minutes=KEPT_MINUTES)
    with transaction() as session:
        done = or_(Announcement.id.in_(sent), Announcement.created_at < too_old)
        session.execute(delete(Announcement).where(done))
    return len(sent)


def _sent(row: Announcement, deliver: Deliver) -> bool:
    try:
        deliver(row.topic, row.body)
    except Exception:
        logger.exception("announcement %s (%s) was not sent", row.id, row.topic)
        return False
    return True
