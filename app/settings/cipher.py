"""Sealing what is stored, with SETTINGS_ENCRYPTION_KEY (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

from app.config import SHORTEST_SECRET
from app.core.errors import LipaError, ProviderUnavailable
from app.core.texts import marked


class NoEncryptionKey(LipaError):
    """Nothing can be stored without a key to seal it with."""

    status = 503
    message = marked(
        "SETTINGS_ENCRYPTION_KEY is not set, or too short: run `make run` once, or set it to a "
        "long random text. Nothing was stored."
    )


class UnreadableSetting(ProviderUnavailable):
    """A stored value that the present key does not open. No payment is sent with less."""

    message = marked(
        "A stored setting cannot be decrypted: SETTINGS_ENCRYPTION_KEY is not the one it was "
        "stored with. Put the old key back, or store the setting again."
    )


def cipher(key: str | None) -> Fernet:
    """Return the cipher of a key. Raises NoEncryptionKey.

    A key is 32 bytes in URL-safe base64, as `make run` writes one. Of any other long text the
    SHA-256 is the key, so that no shop fails to keep what it must for the form of its secret.
    """
    if not key or len(key) < SHORTEST_SECRET:
        raise NoEncryptionKey
    try:
        return Fernet(key)
    except ValueError:
        return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


def unseal(sealed: bytes, key: str | None) -> str:
    """Return what was sealed; a blank stays blank. Raises UnreadableSetting."""
    if not sealed:
        return ""
    try:
        return cipher(key).decrypt(sealed).decode()
    except (InvalidToken, NoEncryptionKey) as error:
        raise UnreadableSetting from error
