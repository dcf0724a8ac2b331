"""A supplier, and every M-Pesa number it has had."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model


class Supplier(Model):
    """Whom the shop pays. ``mpesa_number`` is twelve digits, and changed in one way only."""

    __tablename__ = "suppliers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    name: Mapped[str] = mapped_column(String(120))
    mpesa_number: Mapped[str] = mapped_column(String(12), index=True)
    email: Mapped[str | None] = mapped_column(String(254))
    notes: Mapped[str] = mapped_column(Text, default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    created_by: Mapped[int] = mapped_column(ForeignKey("people.id"))

    @property
    def subject(self) -> str:
        """Return how the audit trail calls it."""
        return f"supplier {self.uuid}"


class NumberChange(Model):
    """One line of a supplier's number history. ``previous`` is None for the first number."""

    __tablename__ = "supplier_number_changes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("suppliers.id"), index=True)
    previous: Mapped[str | None] = mapped_column(String(12))
    number: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: A second admin has proved the number, which ends the cooling-off before its time.
    proved_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    supplier: Mapped[Supplier] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[changed_by])
