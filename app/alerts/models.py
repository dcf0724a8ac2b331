"""The alerts' rows, and the heartbeat of the sweep that writes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model

_OPEN_SQL = text("closed_at IS NULL")


class AlertRow(Model):
    """Something that was wrong from ``opened_at`` until ``closed_at``.

    Of one kind and subject at most one is open, whoever looks at the same moment.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_one_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    #: What it is about, such as an address; "" where it is the shop as a whole.
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[str] = mapped_column(String(255))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Heartbeat(Model):
    """When a part of the background last did its work."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
