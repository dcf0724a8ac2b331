"""Attempts to collect, their timeline, and the inbox of everything the provider posts."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.request_ids import current_request_id
from app.extensions import Model
from app.orders.models import Order
from app.payments.states import LIVE, Decision, Proposal, Standing, Status

_OPEN_SQL = text(f"standing != '{Standing.EXACT}' AND decided_at IS NULL")
_TO_SEND_BACK_SQL = text(f"decision = '{Decision.SET_ASIDE}' AND returned_cents < amount_cents")
#: Written out, since a planner takes an index for this question only where it knows the words.
NEEDS_PERSON_SQL = text(
    f"status = '{Status.REVIEW}' OR (review_reason IS NOT NULL AND reviewed_at IS NULL)"
)
_WAITING_SQL = text("state = 'waiting'")
_PLANNED_SQL = text("ask_again_at IS NOT NULL")
_TO_BE_ASKED_SQL = text("next_check_at IS NOT NULL")
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
        # Only what is still asked about, whatever its state: a sweep reads no more than that.
        Index(
            "ix_payments_to_be_asked",
            "next_check_at",
            sqlite_where=_TO_BE_ASKED_SQL,
            postgresql_where=_TO_BE_ASKED_SQL,
        ),
        Index("ix_payments_person_newest", "person_id", "id"),
        Index("ix_payments_newest", "created_at", "id"),
        Index("ix_payments_phone_newest", "phone", "created_at", "id"),
        Index("ix_payments_status_newest", "status", "created_at", "id"),
        Index("ix_payments_amount_newest", "amount_cents", "created_at", "id"),
        Index(
            "ix_payments_needs_person",
            "created_at",
            "id",
            sqlite_where=NEEDS_PERSON_SQL,
            postgresql_where=NEEDS_PERSON_SQL,
        ),
        Index(
            "ix_payments_ask_again",
            "ask_again_at",
            sqlite_where=_PLANNED_SQL,
            postgresql_where=_PLANNED_SQL,
        ),
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
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Begun on a page of ours, where somebody sees that the prompt comes once more by itself.
    may_ask_again: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: When the engine sends the prompt once more; None where it does not.
    ask_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    order: Mapped[Order] = relationship()
    person: Mapped[Person | None] = relationship()
    credit: Mapped[Credit | None] = relationship(back_populates="payment", lazy="joined")

    @property
    def received_cents(self) -> int | None:
        """What came in by this attempt, in cents; None while nothing did."""
        return self.credit.amount_cents if self.credit else None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_settled(self) -> bool:
        """Money has arrived, whether it fits (completed) or a person must look (review)."""
        return self.status in (Status.COMPLETED, Status.REVIEW)

    @property
    def needs_review(self) -> bool:
        """A person has something to decide or to look at here."""
        flagged = self.review_reason is not None and self.reviewed_at is None
        return self.status == Status.REVIEW or flagged

    @property
    def is_completed(self) -> bool:
        return self.status == Status.COMPLETED


class PhonePrompt(Model):
    """The attempt whose prompt may be on a phone until ``busy_until`` (UTC): one for each phone.

    M-Pesa locks a subscriber while a prompt is open, so another one would be lost.
    """

    __tablename__ = "phone_prompts"

    phone: Mapped[str] = mapped_column(String(12), primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    busy_until: Mapped[datetime] = mapped_column(UtcDateTime)


class Credit(Model):
    """Money that arrived, once, whichever road its news took.

    What an order has been paid is the sum of its credits. ``standing`` says how the money fits;
    all but exact money waits for a person's decision. Money that names nothing of ours has
    neither payment nor order until somebody assigns it.
    """

    __tablename__ = "credits"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="some_money"),
        Index("ix_credits_open", "id", sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index(
            "ix_credits_to_send_back",
            "id",
            sqlite_where=_TO_SEND_BACK_SQL,
            postgresql_where=_TO_SEND_BACK_SQL,
        ),
        Index("ix_credits_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    amount_cents: Mapped[int] = mapped_column(BigId)
    receipt: Mapped[str | None] = mapped_column(String(20), unique=True)
    phone: Mapped[str | None] = mapped_column(String(64))
    #: What the payer typed at the paybill; None where a prompt brought the money.
    account: Mapped[str | None] = mapped_column(String(64))
    #: What of it has gone back, by every refund that was paid. Money out keeps this.
    returned_cents: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    standing: Mapped[str] = mapped_column(String(16))
    evidence: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    decision: Mapped[str | None] = mapped_column(String(16))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decided_why: Mapped[str | None] = mapped_column(Text)

    order: Mapped[Order | None] = relationship()
    payment: Mapped[Payment | None] = relationship(back_populates="credit")


class ManualSettlement(Model):
    """What one person has seen of a payment in the M-Pesa statement, until another one agrees.

    ``amount_cents``, ``receipt`` and ``paid_at`` (UTC) are the statement's. Nothing is credited
    before ``state`` is approved.
    """

    __tablename__ = "manual_settlements"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="some_money"),
        Index(
            "uq_manual_settlements_one_waiting",
            "payment_id",
            unique=True,
            sqlite_where=_WAITING_SQL,
            postgresql_where=_WAITING_SQL,
        ),
        Index(
            "uq_manual_settlements_receipt_waiting",
            "receipt",
            unique=True,
            sqlite_where=_WAITING_SQL,
            postgresql_where=_WAITING_SQL,
        ),
        Index("ix_manual_settlements_payment", "payment_id", "id"),
        Index("ix_manual_settlements_lapsing", "state", "approve_until"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    state: Mapped[str] = mapped_column(String(16), default=Proposal.WAITING)
    receipt: Mapped[str] = mapped_column(String(20))
    amount_cents: Mapped[int] = mapped_column(BigId)
    paid_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    approve_until: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_why: Mapped[str | None] = mapped_column(Text)

    payment: Mapped[Payment] = relationship()
    proposer: Mapped[Person] = relationship(foreign_keys=[proposed_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])


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
    #: The request that did it, by which the log's lines are found; None for the background.
    request_id: Mapped[str | None] = mapped_column(String(64), default=current_request_id)


class InboxMessage(Model):
    """A callback as it came, kept before it is understood.

    ``natural_key`` covers body and proofs: a forged copy that comes first must not make the real
    one look like a repetition.
    """

    __tablename__ = "callback_inbox"
    __table_args__ = (
        Index("ix_callback_inbox_unhandled", "handled_at", "id"),
        Index("ix_callback_inbox_due", "next_try_at"),
        Index("ix_callback_inbox_token_payment_id", "token_payment_id"),
        Index(
            "ix_callback_inbox_unproven",
            "id",
            sqlite_where=text("origin_proven IS 0 AND token_payment_id IS NULL"),
            postgresql_where=text("origin_proven IS false AND token_payment_id IS NULL"),
        ),
    )

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
    #: How often acting on it went wrong, or Daraja was asked about an id that we do not know.
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
