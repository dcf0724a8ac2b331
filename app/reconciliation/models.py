"""Statements of Safaricom's, their rows, how they differ from our books, and closed days."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model
from app.payments.models import Credit


class Source(StrEnum):
    FILE = "file"
    #: Asked of Daraja: the last 48 hours of what customers paid.
    PULL = "pull"


class Phase(StrEnum):
    """How far a statement is. What is neither done nor refused has work left."""

    WAITING = "waiting"
    READING = "reading"
    COMPARING = "comparing"
    DONE = "done"
    REFUSED = "refused"


UNFINISHED = frozenset({Phase.WAITING, Phase.READING, Phase.COMPARING})


class RowKind(StrEnum):
    IN = "in"
    OUT = "out"
    CHARGE = "charge"


class DifferenceKind(StrEnum):
    """In what way both sides differ. Money that our books lack comes first."""

    IN_NOT_OURS = "in_not_ours"
    STATUS_DIFFERS = "status_differs"
    OUT_NOT_OURS = "out_not_ours"
    AMOUNT_DIFFERS = "amount_differs"
    NOT_THEIRS = "not_theirs"
    RECEIPT_TWICE = "receipt_twice"
    CHARGE_DIFFERS = "charge_differs"
    #: Both sides have the money, and only our receipt is missing.
    RECEIPT_MISSING = "receipt_missing"


#: These are told, and are no reason to doubt the sums.
HARMLESS = frozenset({DifferenceKind.RECEIPT_MISSING})


class Resolution(StrEnum):
    ASSIGNED = "assigned"
    EXPLAINED = "explained"


class Statement(Model):
    """One statement: a file that a person sent, or what Daraja answered when asked.

    ``digest`` is the file's SHA-256; it is given up when the file is refused, so that it can be
    sent again. Sums are cents, those of money out positive. ``ours`` are sums of our books over
    what this statement should tell.
    """

    __tablename__ = "statements"
    __table_args__ = (Index("ix_statements_phase", "phase", "claimed_until"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    source: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(160))
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    shortcode: Mapped[str] = mapped_column(String(12))
    account: Mapped[str | None] = mapped_column(String(60))
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    phase: Mapped[str] = mapped_column(String(16), default=Phase.WAITING)
    #: Each worker that takes it up counts one further: an earlier one then writes no more.
    claims: Mapped[int] = mapped_column(default=0)
    #: How often it was taken up since it last was done.
    tries: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bytes_total: Mapped[int] = mapped_column(BigId, default=0)
    bytes_done: Mapped[int] = mapped_column(BigId, default=0)
    rows_read: Mapped[int] = mapped_column(default=0)
    #: Why it was refused, in words; else None.
    problem: Mapped[str | None] = mapped_column(Text)
    #: What keeps it from being believed whole: a cut file, rows that cannot be read.
    doubts: Mapped[list[str]] = mapped_column(JSON, default=list)

    period_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    period_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opening_cents: Mapped[int | None] = mapped_column(BigId)
    closing_cents: Mapped[int | None] = mapped_column(BigId)
    in_count: Mapped[int] = mapped_column(default=0)
    in_cents: Mapped[int] = mapped_column(BigId, default=0)
    out_count: Mapped[int] = mapped_column(default=0)
    out_cents: Mapped[int] = mapped_column(BigId, default=0)
    charges_cents: Mapped[int] = mapped_column(BigId, default=0)
    our_in_count: Mapped[int] = mapped_column(default=0)
    our_in_cents: Mapped[int] = mapped_column(BigId, default=0)
    our_out_count: Mapped[int] = mapped_column(default=0)
    our_out_cents: Mapped[int] = mapped_column(BigId, default=0)
    #: There were more differences than are kept.
    cut_short: Mapped[bool] = mapped_column(default=False)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    uploader: Mapped[Person] = relationship()

    @property
    def is_done(self) -> bool:
        return self.phase == Phase.DONE

    @property
    def is_working(self) -> bool:
        return self.phase in UNFINISHED

    @property
    def is_whole(self) -> bool:
        """Everything in it was read, and its own sums bear it out."""
        return self.is_done and not self.doubts and not self.cut_short


class StatementRow(Model):
    """One row of a statement. ``cents`` is positive; ``kind`` says which way the money went."""

    __tablename__ = "statement_rows"
    __table_args__ = (Index("ix_statement_rows_of", "statement_id", "kind", "receipt"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("statements.id"))
    line: Mapped[int] = mapped_column()
    receipt: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(8))
    cents: Mapped[int] = mapped_column(BigId)
    completed: Mapped[bool] = mapped_column()
    details: Mapped[str] = mapped_column(String(255))
    party: Mapped[str] = mapped_column(String(160))
    account_ref: Mapped[str] = mapped_column(String(40))
    linked: Mapped[str] = mapped_column(String(20))


class Difference(Model):
    """One thing on which a statement and our books do not agree, until a person has dealt with it.

    ``theirs_cents`` and ``ours_cents`` say what moved by either side, 0 where it did not; money
    out is negative. ``subject`` is our own name of what it is about, where there is one.
    """

    __tablename__ = "statement_differences"
    __table_args__ = (Index("ix_statement_differences_of", "statement_id", "kind", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("statements.id"))
    kind: Mapped[str] = mapped_column(String(20))
    receipt: Mapped[str | None] = mapped_column(String(20), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    theirs_cents: Mapped[int] = mapped_column(BigId)
    ours_cents: Mapped[int] = mapped_column(BigId)
    subject: Mapped[str | None] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(400))
    resolution: Mapped[str | None] = mapped_column(String(16))
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why: Mapped[str | None] = mapped_column(Text)
    credit_id: Mapped[int | None] = mapped_column(ForeignKey("credits.id"))

    statement: Mapped[Statement] = relationship()
    resolver: Mapped[Person | None] = relationship()
    credit: Mapped[Credit | None] = relationship()

    @property
    def difference_cents(self) -> int:
        return self.theirs_cents - self.ours_cents

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None and self.kind not in HARMLESS


class DailyClose(Model):
    """A day in Nairobi as a person closed it. The database refuses to change or delete one."""

    __tablename__ = "daily_closes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date] = mapped_column(Date, unique=True)
    collected_count: Mapped[int] = mapped_column()
    collected_cents: Mapped[int] = mapped_column(BigId)
    refunded_cents: Mapped[int] = mapped_column(BigId)
    paid_out_cents: Mapped[int] = mapped_column(BigId)
    fees_cents: Mapped[int] = mapped_column(BigId)
    open_questions: Mapped[int] = mapped_column()
    statement_id: Mapped[int | None] = mapped_column(ForeignKey("statements.id"))
    #: Theirs less ours on that day, by the statement; None where it was compared with none.
    difference_cents: Mapped[int | None] = mapped_column(BigId)
    note: Mapped[str] = mapped_column(Text, default="")
    closed_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    closer: Mapped[Person] = relationship()
    statement: Mapped[Statement | None] = relationship()


#: What is handed to the database for one row, without the id that it gives.
RowValues = dict[str, Any]
