"""One row for each setting that the admin page or the command line has set."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.extensions import Model


class Setting(Model):
    """A named value, encrypted at rest with SETTINGS_ENCRYPTION_KEY."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    encrypted_value: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)
    updated_by: Mapped[str | None] = mapped_column(String(255))


class SettingProof(Model):
    """How the newest try to prove something about the account ended; one row for each name.

    ``fingerprint`` is the SHA-256 of what was proven: when a setting changes, its proof is old.
    ``token`` is the secret of the address that an answer which comes later is posted to.
    """

    __tablename__ = "setting_proofs"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    state: Mapped[str] = mapped_column(String(12))
    told: Mapped[str] = mapped_column(String(500))
    proven_by: Mapped[str] = mapped_column(String(255))
    proven_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    environment: Mapped[str] = mapped_column(String(12))
    fingerprint: Mapped[str] = mapped_column(String(64))
    token: Mapped[str | None] = mapped_column(String(64), unique=True)
