"""A person and the sign-ins they have open."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.roles import ALLOWED, May, Role
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model


class Person(Model):
    """Somebody with an account. ``email`` is kept in lower case and is unique."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str | None] = mapped_column(String(12))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default=Role.SHOPPER)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def is_staff(self) -> bool:
        """Whether the back office is open to this person at all."""
        return self.may(May.SEE)

    def may(self, what: May) -> bool:
        """Tell whether this person's role allows something."""
        return what in ALLOWED[Role(self.role)]


class SignIn(Model):
    """One signed-in browser or program. Ending it ends every token that was given for it."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    address: Mapped[str | None] = mapped_column(String(64))
    program: Mapped[str | None] = mapped_column(String(255))

    person: Mapped[Person] = relationship()
