"""What Daraja posts about the paybill, and where we have asked it to post."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model
from app.orders.models import Order
from app.payments.models import Credit


class NoticeState(StrEnum):
    """How far what was posted has been acted on."""

    NEW = "new"
    #: Proven, and to be placed; where it may be an open prompt's news, when that has ended.
    WAITING = "waiting"
    #: One proof: Daraja is asked about the receipt.
    ASKING = "asking"
    #: One proof and nobody to ask: a person decides.
    DOUBTED = "doubted"
    DONE = "done"
    #: Nothing came of it: no proof, not readable, or a person has put it aside.
    IGNORED = "ignored"


class C2bRegistration(Model):
    """One try to have Daraja post to addresses of ours, written down before it is sent.

    The secret in the addresses is kept sealed, for whoever must type them into the M-Pesa portal,
    and as a SHA-256 hash, by which a caller is known.
    """

    __tablename__ = "c2b_registrations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shortcode: Mapped[str] = mapped_column(String(12))
    version: Mapped[str] = mapped_column(String(4))
    response_type: Mapped[str] = mapped_column(String(12))
    root: Mapped[str] = mapped_column(String(255))
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(12))
    told: Mapped[str] = mapped_column(String(500), default="")
    asked_by: Mapped[str] = mapped_column(String(255))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: From when its secret proves nothing any more, since newer addresses have taken its place.
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class C2bNotice(Model):
    """A body that was posted about the paybill, as it came, kept before it is understood.

    ``natural_key`` covers body and proofs, so that a forged copy that comes first does not make
    the real one look like a repetition. What the body says is beside it once it has been read.
    """

    __tablename__ = "c2b_notices"
    __table_args__ = (
        Index("ix_c2b_notices_unhandled", "state", "next_try_at"),
        Index("ix_c2b_notices_receipt", "receipt"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    natural_key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(12))
    peer: Mapped[str] = mapped_column(String(64))
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    origin_proven: Mapped[bool] = mapped_column()
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("c2b_registrations.id"))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    state: Mapped[str] = mapped_column(String(12), default=NoticeState.NEW)
    verdict: Mapped[str | None] = mapped_column(String(255))
    receipt: Mapped[str | None] = mapped_column(String(20))
    amount_cents: Mapped[int | None] = mapped_column(BigId)
    account: Mapped[str | None] = mapped_column(String(64))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    credit_id: Mapped[int | None] = mapped_column(ForeignKey("credits.id"))
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: How it is known that the money came; None until it is.
    evidence: Mapped[str | None] = mapped_column(String(32))
    #: The secret of the address that Daraja's answer about the receipt comes to.
    query_token: Mapped[str | None] = mapped_column(String(64), unique=True)

    order: Mapped[Order | None] = relationship()
    credit: Mapped[Credit | None] = relationship()

    @property
    def token_proven(self) -> bool:
        """The address carried a secret of ours."""
        return self.registration_id is not None
