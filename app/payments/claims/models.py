"""What shoppers say they have paid."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model
from app.orders.models import Order


class ClaimState(StrEnum):
    #: The books and M-Pesa are asked.
    CHECKING = "checking"
    #: The code's money is this order's.
    SETTLED = "settled"
    #: No machine can tell: somebody of the shop decides.
    WITH_PERSON = "with_person"
    REFUSED = "refused"
    #: The order was paid by another road while nobody could say what the code was.
    CLOSED = "closed"


#: Somebody waits for an answer.
OPEN = (ClaimState.CHECKING, ClaimState.WITH_PERSON)
_OPEN_SQL = text("state IN ('checking', 'with_person')")
_CHECKING_SQL = text("state = 'checking'")
_PERSON_SQL = text("state = 'with_person'")
_SETTLED_SQL = text("state = 'settled'")


class Claim(Model):
    """One M-Pesa code that somebody says has paid an order, with the text that they pasted.

    ``amount_cents``, ``paid_at`` (UTC), ``paid_to`` and ``account`` are what the text says, and
    ``found_…`` what M-Pesa said of the receipt. ``text`` is for staff only; its numbers are masked.
    """

    __tablename__ = "claims"
    __table_args__ = (
        Index(
            "uq_claims_one_open_per_order",
            "order_id",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
        Index(
            "uq_claims_code_settled",
            "code",
            unique=True,
            sqlite_where=_SETTLED_SQL,
            postgresql_where=_SETTLED_SQL,
        ),
        Index("ix_claims_order", "order_id", "id"),
        Index(
            "ix_claims_due",
            "next_try_at",
            sqlite_where=_CHECKING_SQL,
            postgresql_where=_CHECKING_SQL,
        ),
        Index("ix_claims_waiting", "id", sqlite_where=_PERSON_SQL, postgresql_where=_PERSON_SQL),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    #: Who sent it, where they were signed in; ``door`` is where it came in.
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    door: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(20))
    amount_cents: Mapped[int | None] = mapped_column(BigId)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_to: Mapped[str | None] = mapped_column(String(80))
    account: Mapped[str | None] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12), default=ClaimState.CHECKING)
    #: Why it stands as it does, as a short name; ``words.py`` says it to the shopper.
    reason: Mapped[str | None] = mapped_column(String(32))
    #: What a person of the shop tells the shopper.
    answer: Mapped[str | None] = mapped_column(String(500))
    #: What was found out, for staff.
    verdict: Mapped[str | None] = mapped_column(String(255))
    found_cents: Mapped[int | None] = mapped_column(BigId)
    found_phone: Mapped[str | None] = mapped_column(String(12))
    found_receiver: Mapped[str | None] = mapped_column(String(80))
    found_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The secret of the address that M-Pesa's answer comes to.
    query_token: Mapped[str | None] = mapped_column(String(64), unique=True)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(80))

    order: Mapped[Order] = relationship()
    person: Mapped[Person | None] = relationship()
