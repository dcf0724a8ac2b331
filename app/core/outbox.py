"""Announcements, staged in the transaction that they speak of and sent after its commit.

What is staged survives a kill between commit and sending. It may be sent twice and never too
early, so whoever hears it must be able to hear it again. Each process sends at once what it has
staged itself, and looks a moment later for what the others have left: several that all sent
everything would tell most of it twice.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, delete, inspect, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.unit_of_work import after_commit, transaction
from app.extensions import Model, db

logger = logging.getLogger(__name__)

BATCH = 200
#: News that nobody could be told in this time is dropped: pages have read the books since.
KEPT_MINUTES = 10
#: What another process has staged is left to it for so long.
LEFT_SECONDS = 1.0
#: What this process has staged and not sent; without anybody who sends, only the newest.
_ours: deque[int] = deque(maxlen=10_000)

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
    row = Announcement(topic=topic, body=body)
    session.add(row)
    after_commit(lambda: _remember(row))
    for listener in _listeners:
        listener(session, topic, body)
    if wake is not None:
        after_commit(wake)


def _remember(row: Announcement) -> None:
    # Not `row.id`, which would be asked of the database anew after the commit.
    identity = inspect(row).identity
    if identity is not None:
        _ours.append(identity[0])


def send_ours(deliver: Deliver, limit: int = BATCH) -> int:
    """Send what this process has staged, and forget what was sent; return how much that was.

    What ``deliver`` fails on is left for ``send_left``.
    """
    ids = [_ours.popleft() for _ in range(min(limit, len(_ours)))]
    return _send(Announcement.id.in_(ids), deliver, limit) if ids else 0


def send_left(deliver: Deliver, limit: int = BATCH) -> int:
    """Send what nobody has sent for a moment, whoever has staged it; return how much that was.

    What ``deliver`` fails on stays for the next time, until it is too old to matter.
    """
    moment = now()
    before = Announcement.created_at < moment - timedelta(seconds=LEFT_SECONDS)
    # Or written before somebody set the clock back.
    return _send(or_(before, Announcement.created_at > moment), deliver, limit)


def _send(which: ColumnElement[bool], deliver: Deliver, limit: int) -> int:
    query = select(Announcement).where(which).order_by(Announcement.id).limit(limit)
    waiting = db.session.scalars(query).all()
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
