"""A person, the sign-ins they have open, and the codes for when their phone is away."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.roles import ALLOWED, May, Role
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model


class Person(Model):
    """Somebody with an account. ``email`` is kept in lower case and is unique."""

    __tablename__ = "people"
    __table_args__ = (Index("ix_people_role", "role"), Index("ix_people_phone", "phone"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str | None] = mapped_column(String(12))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default=Role.SHOPPER)
    #: The code of the language that this person has chosen; None for what the browser asks for.
    language: Mapped[str | None] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: Since when this person may not sign in; None for everybody else.
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Since when nothing here says any more who this was; None for everybody else.
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The second factor's secret, sealed with SETTINGS_ENCRYPTION_KEY.
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: Since when the second factor counts; a secret without it was never confirmed by a code.
    totp_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: The newest time step whose code was used. No code counts twice, nor an older one after it.
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def has_second_factor(self) -> bool:
        return self.totp_since is not None

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def is_erased(self) -> bool:
        return self.erased_at is not None

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
    #: When it was last used, to within service.SEEN_EVERY.
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Whether its owner has shown a code of the second factor.
    second_factor: Mapped[bool] = mapped_column(default=False, server_default=false())

    person: Mapped[Person] = relationship()


class RecoveryCode(Model):
    """A code for one sign-in without the phone. Kept as a hash; shown once, when it is made."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("person_id", "code_hash"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
