"""Links that open one order, or its receipt, to whoever has them; and M-Pesa's QR pictures."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model
from app.orders.models import Order

_OPEN_SQL = text("ended_at IS NULL")


class Opens(StrEnum):
    """What a link opens."""

    PAYING = "pay"
    RECEIPT = "receipt"


def new_seed() -> str:
    """Return 256 random bits, of which a link's token is made together with the shop's key."""
    return secrets.token_urlsafe(32)


class SharedLink(Model):
    """One link to one order. At most one of a kind is open; an ended one never opens again.

    The token itself is not kept: ``digest`` finds the row of one that is shown, and ``seed`` gives
    it back to the owner, though only with the shop's SECRET_KEY. Times are UTC.
    """

    __tablename__ = "shared_links"
    __table_args__ = (
        Index(
            "uq_shared_links_one_open",
            "order_id",
            "opens",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    opens: Mapped[str] = mapped_column(String(16))
    seed: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    order: Mapped[Order] = relationship()


class OrderQr(Model):
    """M-Pesa's picture for paying one order's amount by hand, in cents.

    ``png`` is None while M-Pesa is being asked and where it gave none; ``asked_at`` (UTC) says
    when, so that a page that is looked at often does not ask as often.
    """

    __tablename__ = "order_qrs"
    __table_args__ = (UniqueConstraint("order_id", "amount_cents"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    amount_cents: Mapped[int] = mapped_column(BigId)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    png: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
