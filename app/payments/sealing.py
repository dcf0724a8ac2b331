"""Callback bodies at rest: as they came, and in production encrypted.

Whatever is not the body itself begins with a mark. So each row says by itself how it is read, also
after the shop has gone from one environment to another.
"""

from __future__ import annotations

from cryptography.fernet import InvalidToken

from app.core.errors import LipaError
from app.core.texts import marked
from app.settings.cipher import NoEncryptionKey, cipher
from app.settings.service import settings

SEALED = b"\x00lipa sealed:"
#: Stands before a plain body that begins like one of the marks: no sender can make one up.
PLAIN = b"\x00lipa plain:"


class SealedBody(LipaError):
    """A body that the present key does not open. Nothing of it is lost."""

    status = 503
    message = marked(
        "The body of this callback cannot be decrypted: SETTINGS_ENCRYPTION_KEY is not the one "
        "it was kept with. Put the old key back, then replay the callback."
    )


def kept(raw: bytes) -> bytes:
    """Return a body as it is stored. Raises NoEncryptionKey in production without a usable key."""
    configured = settings()
    if configured.is_production:
        return SEALED + cipher(configured.settings_encryption_key).encrypt(raw)
    return PLAIN + raw if raw.startswith((SEALED, PLAIN)) else raw


def opened(stored: bytes) -> bytes:
    """Return the body as it came, byte for byte. Raises SealedBody."""
    if not stored.startswith(SEALED):
        return stored.removeprefix(PLAIN)
    try:
        key = settings().settings_encryption_key
        return cipher(key).decrypt(stored.removeprefix(SEALED))
    except (InvalidToken, NoEncryptionKey) as error:
        raise SealedBody from error
