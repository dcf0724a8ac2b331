"""One movement of money, from one account to another. Never changed and never deleted."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model


class Account(StrEnum):
    """Where money can be. A balance is what was debited less what was credited."""

    #: Held for us by M-Pesa.
    MPESA = "mpesa"
    #: Sent, and nobody knows yet whether it arrived.
    IN_TRANSIT = "in_transit"
    #: What orders have brought; its balance is negative, as income's is.
    SALES = "sales"
    #: Came in and belongs to no order yet: unmatched, late, short, too much. Owed to somebody.
    UNPLACED = "unplaced"
    #: Went back to shoppers out of sales.
    REFUNDS = "refunds"
    #: Went to suppliers.
    SUPPLIERS = "suppliers"
    #: What M-Pesa charged for moving money, where it said so.
    FEES = "fees"


#: Written out, since a planner takes an index for this question only where it knows the words.
FEES_SQL = text(f"debit = '{Account.FEES}'")


class Transfer(Model):
    """Cents that one account gave and another got, so that debits and credits cannot differ.

    ``key`` says what happened and makes writing it twice impossible; ``subject`` is the public
    name of what it happened to. A correction is a transfer of its own.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="some_money"),
        CheckConstraint("debit != credit", name="two_accounts"),
        Index("ix_ledger_transfers_subject", "subject"),
        Index("ix_ledger_transfers_fees", "at", sqlite_where=FEES_SQL, postgresql_where=FEES_SQL),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    debit: Mapped[str] = mapped_column(String(16))
    credit: Mapped[str] = mapped_column(String(16))
    amount_cents: Mapped[int] = mapped_column(BigId)
    subject: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(160))


class Balance(Model):
    """What every transfer up to ``through_id`` has left on one account, in cents.

    Transfers are never changed, so such a sum stays right for good; the rows of all accounts go
    ahead together.
    """

    __tablename__ = "ledger_balances"

    account: Mapped[str] = mapped_column(String(16), primary_key=True)
    through_id: Mapped[int] = mapped_column(BigId)
    cents: Mapped[int] = mapped_column(BigId)
