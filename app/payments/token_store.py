"""Daraja's access token in the shop's own database, for every web process and worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary, String, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.columns import UtcDateTime
from app.core.errors import Busy
from app.core.statements import rows_changed
from app.core.unit_of_work import end_reads, transaction
from app.extensions import Model, db
from app.mpesa.tokens import LONGEST_SECONDS, AccessToken, Shelf, ShelfUnavailable
from app.settings.cipher import NoEncryptionKey, UnreadableSetting, cipher, unseal
from app.settings.service import settings

#: No lease is longer: one that ends later was written before somebody set the clock back.
LONGEST_LEASE_SECONDS = 120.0


class SharedToken(Model):
    """The one token of a Daraja account, and who is fetching the next one.

    ``account`` is the SHA-256, in hex, of token address and consumer key. ``encrypted_value`` is
    empty while there is none, ``expires_at`` when it is no longer used: a minute before its end.
    """

    __tablename__ = "access_tokens"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    encrypted_value: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fetching_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DatabaseShelf:
    """The shelf of app/mpesa/tokens.py as a table. Needs an application context."""

    def look(self, account: str) -> Shelf:
        query = select(
            SharedToken.encrypted_value, SharedToken.expires_at, SharedToken.fetching_until
        ).where(SharedToken.account == account)
        with _telling():
            row = db.session.execute(query).one_or_none()
            end_reads()
        if row is None:
            return Shelf("", 0.0, "none", None)
        sealed, expires_at, fetching_until = row
        left = (expires_at - now()).total_seconds()
        value = _opened(sealed) if 0 < left <= LONGEST_SECONDS else ""
        return Shelf(value, left, _lease_state(fetching_until), (sealed, fetching_until))

    def claim(self, account: str, shelf: Shelf, seconds: float) -> datetime | None:
        until = now() + timedelta(seconds=min(seconds, LONGEST_LEASE_SECONDS))
        # What decides the race: value and lease as they were seen, or None where no row was.
        seen: Any = shelf.seen
        with _telling():
            won = _insert(account, until) if seen is None else _take(account, seen, until)
        return until if won else None

    def put(self, account: str, lease: object, token: AccessToken) -> None:
        with _telling():
            sealed = _cipher().encrypt(token.value.encode())
            expires_at = now() + timedelta(seconds=token.usable_seconds)
            _end_lease(account, lease, encrypted_value=sealed, expires_at=expires_at)

    def release(self, account: str, lease: object) -> None:
        with _telling():
            _end_lease(account, lease)

    def forget(self, account: str, value: str) -> None:
        query = select(SharedToken.encrypted_value).where(SharedToken.account == account)
        with _telling():
            sealed = db.session.scalar(query)
            end_reads()
            if sealed is None or _opened(sealed) != value:
                return
            empty = (
                update(SharedToken)
                .where(SharedToken.account == account, SharedToken.encrypted_value == sealed)
                .values(encrypted_value=b"")
            )
            with transaction() as session:
                session.execute(empty)


@contextmanager
def _telling() -> Iterator[None]:
    """Turn the database's troubles into the one that the cache knows how to live with."""
    try:
        _cipher()
        yield
    except NoEncryptionKey as error:
        raise ShelfUnavailable("SETTINGS_ENCRYPTION_KEY is not set, or not a key") from error
    except (SQLAlchemyError, Busy) as error:
        with suppress(SQLAlchemyError):
            db.session.rollback()
        raise ShelfUnavailable(f"the database does not answer ({type(error).__name__})") from error


def _insert(account: str, until: datetime) -> bool:
    row = SharedToken(account=account, encrypted_value=b"", expires_at=now(), fetching_until=until)
    try:
        with transaction() as session:
            session.add(row)
    except IntegrityError:
        return False
    return True


def _take(account: str, seen: tuple[bytes, datetime | None], until: datetime) -> bool:
    sealed, fetching_until = seen
    claim = (
        update(SharedToken)
        .where(
            SharedToken.account == account,
            SharedToken.encrypted_value == sealed,
            SharedToken.fetching_until == fetching_until,
        )
        .values(fetching_until=until)
    )
    with transaction() as session:
        return rows_changed(session, claim) == 1


def _end_lease(account: str, lease: object, **values: Any) -> None:
    end = (
        update(SharedToken)
        .where(SharedToken.account == account, SharedToken.fetching_until == lease)
        .values(fetching_until=None, **values)
    )
    with transaction() as session:
        session.execute(end)


def _lease_state(until: datetime | None) -> Literal["none", "held", "ended"]:
    if until is None:
        return "none"
    left = (until - now()).total_seconds()
    return "held" if 0 < left <= LONGEST_LEASE_SECONDS else "ended"


def _opened(sealed: bytes) -> str:
    """Decrypt; what was sealed with another key is no token of ours."""
    try:
        return unseal(sealed, settings().settings_encryption_key)
    except UnreadableSetting:
        return ""


def _cipher() -> Fernet:
    return cipher(settings().settings_encryption_key)
