"""Money going out: one record for each refund and each payout, beside what it pays for."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.request_ids import current_request_id
from app.core.texts import marked
from app.disbursements.states import NOT_PAID, SENT, OutStatus
from app.extensions import Model
from app.payments.models import Credit, Payment
from app.suppliers.models import Supplier


class Kind(StrEnum):
    REFUND = marked("refund")
    PAYOUT = marked("payout")


class Channel(StrEnum):
    """By which of Daraja's roads the money goes."""

    B2C = "b2c"
    REVERSAL = "reversal"


#: A refund is of a payment, or of money that no payment of ours brought; a payout is a supplier's.
ONE_PURPOSE = (
    "(CASE WHEN payment_id IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN credit_id IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN supplier_id IS NULL THEN 0 ELSE 1 END) = 1"
)


_UNWRITTEN_SQL = text("written_at IS NULL")
_FLAGGED_SQL = text("review_reason IS NOT NULL AND reviewed_at IS NULL")


def new_token() -> str:
    """Return a secret of 256 bits that only one address given to Daraja carries."""
    return secrets.token_urlsafe(32)


class PayoutRun(Model):
    """Payouts that came together from one file and are approved together.

    It is a draft until somebody has asked for it, and complete once every row has been written.
    """

    __tablename__ = "payout_runs"
    __table_args__ = (
        Index(
            "ix_payout_runs_unwritten",
            "id",
            sqlite_where=_UNWRITTEN_SQL,
            postgresql_where=_UNWRITTEN_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    name: Mapped[str] = mapped_column(String(120))
    #: Of the rows, so that the same file is noticed when it comes again.
    digest: Mapped[str] = mapped_column(String(64), index=True)
    total_cents: Mapped[int] = mapped_column(BigId)
    rows: Mapped[int] = mapped_column()
    #: What stands in the file, row by row; read only where a page is about it.
    sheet: Mapped[list[dict[str, Any]]] = mapped_column(JSON, deferred=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Why a second person has to agree; None when nobody has to.
    approval_why: Mapped[str | None] = mapped_column(String(200))
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    approver: Mapped[Person | None] = relationship(foreign_keys=[approved_by])


class Disbursement(Model):
    """One payment that the shop makes, by one request to Daraja.

    It stands here with all its names, its number and its token before anything is sent:
    ``originator_id`` goes out as OriginatorConversationID. ``msisdn`` is the number that was on
    file when it was asked for, and what is approved; it is empty where money that came without a
    whole number is reversed. Money is cents, times are UTC.
    """

    __tablename__ = "disbursements"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="some_money"),
        CheckConstraint(ONE_PURPOSE, name="one_purpose"),
        CheckConstraint("msisdn != '' OR channel = 'reversal'", name="some_number"),
        Index("ix_disbursements_due", "next_check_at"),
        Index("ix_disbursements_status_newest", "status", "id"),
        Index("ix_disbursements_kind_newest", "kind", "id"),
        # With the amounts, so that what stands in each state is summed up without the rows.
        Index("ix_disbursements_kind_status", "kind", "status", "id", "amount_cents"),
        Index("ix_disbursements_status_age", "status", "created_at"),
        Index("ix_disbursements_completed", "status", "completed_at"),
        Index("ix_disbursements_kind_completed", "kind", "status", "completed_at"),
        Index(
            "ix_disbursements_flagged",
            "id",
            sqlite_where=_FLAGGED_SQL,
            postgresql_where=_FLAGGED_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    public_ref: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), index=True)
    #: Money that was paid by hand; once a payment has turned out to own it, it stays here.
    credit_id: Mapped[int | None] = mapped_column(ForeignKey("credits.id"), index=True)
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("suppliers.id"), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("payout_runs.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(BigId)
    charge_cents: Mapped[int | None] = mapped_column(BigId)
    msisdn: Mapped[str] = mapped_column(String(12))
    channel: Mapped[str] = mapped_column(String(16))
    #: Why this road was chosen, in words for people.
    channel_why: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(24))
    #: Why it waits although nothing forbids it, such as ``float_short``; else None.
    held: Mapped[str | None] = mapped_column(String(32))
    asked_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    #: Why a second person has to agree; None when nobody has to.
    approval_why: Mapped[str | None] = mapped_column(String(200))
    approve_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: A form that is sent twice names the same key, and makes one record.
    form_key: Mapped[str | None] = mapped_column(String(64), unique=True)

    token: Mapped[str] = mapped_column(String(64), unique=True, default=new_token)
    originator_id: Mapped[str] = mapped_column(String(64), unique=True)
    conversation_id: Mapped[str | None] = mapped_column(String(128), index=True)
    #: What Daraja called the request by itself, where our own name does not travel (v1, reversal).
    daraja_originator_id: Mapped[str | None] = mapped_column(String(128))
    receipt: Mapped[str | None] = mapped_column(String(20), unique=True)
    receiver_name: Mapped[str | None] = mapped_column(String(160))
    result_code: Mapped[str | None] = mapped_column(String(32))
    result_desc: Mapped[str | None] = mapped_column(String(500))
    failure: Mapped[str | None] = mapped_column(String(32))

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    sends: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_check_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checks: Mapped[int] = mapped_column(default=0)
    last_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The secret of the newest question about it: an answer with it is Daraja's own word.
    query_token: Mapped[str | None] = mapped_column(String(64), unique=True)
    review_reason: Mapped[str | None] = mapped_column(String(64))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    payment: Mapped[Payment | None] = relationship()
    credit: Mapped[Credit | None] = relationship()
    supplier: Mapped[Supplier | None] = relationship()
    run: Mapped[PayoutRun | None] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[asked_by])
    approver: Mapped[Person | None] = relationship(foreign_keys=[approved_by])

    @property
    def receipt_back(self) -> str | None:
        """The M-Pesa receipt of the money that goes back; None where it is not known."""
        money = self.payment or self.credit
        if money is None:
            return None
        return money.mpesa_receipt if isinstance(money, Payment) else money.receipt

    @property
    def is_sent(self) -> bool:
        """The request may be at M-Pesa, and its end is not known."""
        return self.status in SENT

    @property
    def is_completed(self) -> bool:
        return self.status == OutStatus.COMPLETED

    @property
    def is_over(self) -> bool:
        return self.status in NOT_PAID or self.is_completed

    @property
    def needs_review(self) -> bool:
        return self.review_reason is not None and self.reviewed_at is None


class OutEntry(Model):
    """One thing that happened to money going out: who, what, when and why. Never changed."""

    __tablename__ = "disbursement_timeline"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    disbursement_id: Mapped[int] = mapped_column(ForeignKey("disbursements.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    event: Mapped[str] = mapped_column(String(32))
    from_status: Mapped[str] = mapped_column(String(24))
    to_status: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(80))
    why: Mapped[str] = mapped_column(Text)
    #: The request that did it, by which the log's lines are found; None for the background.
    request_id: Mapped[str | None] = mapped_column(String(64), default=current_request_id)


class ResultMessage(Model):
    """What Daraja posted about money going out, kept as it came before it is understood."""

    __tablename__ = "result_inbox"
    __table_args__ = (
        Index("ix_result_inbox_unhandled", "handled_at", "id"),
        Index(
            "ix_result_inbox_unproven",
            "id",
            sqlite_where=text("origin_proven IS 0 AND token_id IS NULL"),
            postgresql_where=text("origin_proven IS false AND token_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    natural_key: Mapped[str] = mapped_column(String(64), unique=True)
    path: Mapped[str] = mapped_column(String(255))
    peer: Mapped[str] = mapped_column(String(64))
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    origin_proven: Mapped[bool] = mapped_column()
    #: What the address was given out for: ``result``, ``time-out``, ``status`` or ``balance``.
    about: Mapped[str] = mapped_column(String(16))
    #: Whose secret the address carried; of a balance, the reading's id.
    token_id: Mapped[int | None] = mapped_column(BigId)
    disbursement_id: Mapped[int | None] = mapped_column(ForeignKey("disbursements.id"), index=True)
    verdict: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FloatReading(Model):
    """What a shortcode's accounts held at a moment, in cents; None while Daraja is being asked."""

    __tablename__ = "float_readings"
    __table_args__ = (
        Index("ix_float_readings_newest", "shortcode", "answered_at"),
        Index("ix_float_readings_asked", "shortcode", "asked_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shortcode: Mapped[str] = mapped_column(String(12))
    token: Mapped[str] = mapped_column(String(64), unique=True, default=new_token)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    utility_cents: Mapped[int | None] = mapped_column(BigId)
    working_cents: Mapped[int | None] = mapped_column(BigId)
    charges_cents: Mapped[int | None] = mapped_column(BigId)
    source: Mapped[str] = mapped_column(String(40))
    problem: Mapped[str | None] = mapped_column(String(255))
