"""Attempts to collect, their timeline, and the inbox of everything the provider posts."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model
from app.orders.models import Order
from app.payments.states import LIVE, Status

_LIVE_SQL = text("status IN ({})".format(", ".join(f"'{status}'" for status in sorted(LIVE))))


def new_callback_token() -> str:
    """Return an attempt's own secret: 256 bits that only its callback address carries."""
    return secrets.token_urlsafe(32)


class Payment(Model):
    """One attempt to collect one order's money by one prompt.

    It exists, with all three of its names (integer, UUID, ``TXN…``) and its callback token,
    before Daraja is called. ``phone`` is twelve digits, money is cents, times are UTC.
    """

    __tablename__ = "payments"
    __table_args__ = (
        Index(
            "uq_payments_one_live_per_order",
            "order_id",
            unique=True,
            sqlite_where=_LIVE_SQL,
            postgresql_where=_LIVE_SQL,
        ),
        Index("ix_payments_due", "status", "next_check_at"),
        Index("ix_payments_person_newest", "person_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    public_ref: Mapped[str] = mapped_column(String(20), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    phone: Mapped[str] = mapped_column(String(12))
    amount_cents: Mapped[int] = mapped_column(BigId)
    currency: Mapped[str] = mapped_column(String(3), default="KES")
    status: Mapped[str] = mapped_column(String(16), default=Status.CREATED)
    callback_token: Mapped[str] = mapped_column(String(64), unique=True, default=new_callback_token)
    merchant_request_id: Mapped[str | None] = mapped_column(String(128))
    checkout_request_id: Mapped[str | None] = mapped_column(String(128), unique=True)
    mpesa_receipt: Mapped[str | None] = mapped_column(String(20), unique=True)
    received_cents: Mapped[int | None] = mapped_column(BigId)
    result_code: Mapped[str | None] = mapped_column(String(32))
    result_desc: Mapped[str | None] = mapped_column(String(500))
    reason: Mapped[str | None] = mapped_column(String(32))
    review_reason: Mapped[str | None] = mapped_column(String(64))
    evidence: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    prompt_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_check_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checks: Mapped[int] = mapped_column(default=0)

    order: Mapped[Order] = relationship()
    person: Mapped[Person | None] = relationship()

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_settled(self) -> bool:
        """Money has arrived, whether it fits (completed) or a person must look (review)."""
        return self.status in (Status.COMPLETED, Status.REVIEW)

    @property
    def is_completed(self) -> bool:
        return self.status == Status.COMPLETED


class TimelineEntry(Model):
    """One thing that happened to a payment: who, what, when and why. Never changed."""

    __tablename__ = "payment_timeline"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    event: Mapped[str] = mapped_column(String(32))
    from_status: Mapped[str] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(80))
    why: Mapped[str] = mapped_column(Text)


class InboxMessage(Model):
    """A callback as it came, kept before it is understood.

    ``natural_key`` covers body and proofs: a forged copy that comes first must not make the real
    one look like a repetition.
    """

    __tablename__ = "callback_inbox"
    __table_args__ = (Index("ix_callback_inbox_unhandled", "handled_at", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    natural_key: Mapped[str] = mapped_column(String(64), unique=True)
    path: Mapped[str] = mapped_column(String(255))
    peer: Mapped[str] = mapped_column(String(64))
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    origin_proven: Mapped[bool] = mapped_column()
    token_payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), index=True)
    checkout_request_id: Mapped[str | None] = mapped_column(String(128), index=True)
    verdict: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
