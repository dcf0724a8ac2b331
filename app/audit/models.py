"""The audit trail's rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.columns import BigId, UtcDateTime
from app.extensions import Model

#: The one row that every writer locks, so that no two rows follow the same one.
HEAD_ID = 1
#: What the first row follows.
GENESIS = "0" * 64


class AuditEntry(Model):
    """One thing that a person or a machine did in the back office. Never changed.

    ``hash`` covers every other column, ``previous_hash`` included: whoever changes, drops or
    inserts a row breaks the chain from there on.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_subject", "subject", "id"),
        Index("ix_audit_entries_actor", "actor_id", "id"),
        Index("ix_audit_entries_actor_name", "actor", "id"),
        # Read by how an action begins, which PostgreSQL's usual order of letters cannot.
        Index(
            "ix_audit_entries_action",
            "action",
            "id",
            postgresql_ops={"action": "varchar_pattern_ops"},
        ),
        Index("ix_audit_entries_at", "at"),
    )

    #: Gapless, from 1: a missing number is a missing row.
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(48))
    #: What it was done to, such as ``payment TXN…``; "" where it was the shop as a whole.
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: The request that did it, by which the log's lines are found; None for commands.
    request_id: Mapped[str | None] = mapped_column(String(64))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Model):
    """Where the chain ends. Kept apart, so that rows cut off at the end are missed too."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_id: Mapped[int] = mapped_column(BigId)
    last_hash: Mapped[str] = mapped_column(String(64))
