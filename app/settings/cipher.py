"""Sealing what is stored, with SETTINGS_ENCRYPTION_KEY (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken

from app.core.errors import LipaError, ProviderUnavailable


class NoEncryptionKey(LipaError):
    """Nothing can be stored without a key to seal it with."""

    status = 503
    message = (
        "SETTINGS_ENCRYPTION_KEY is not set, or is not 32 bytes in URL-safe base64: run "
        "`make run` once, or set it. Nothing was stored."
    )


class UnreadableSetting(ProviderUnavailable):
    """A stored value that the present key does not open. No payment is sent with less."""

    message = (
        "A stored setting cannot be decrypted: SETTINGS_ENCRYPTION_KEY is not the one it was "
        "stored with. Put the old key back, or store the setting again."
    )


def cipher(key: str | None) -> Fernet:
    """Return the cipher of a key. Raises NoEncryptionKey."""
    try:
        return Fernet(key or "")
    except ValueError as error:
        raise NoEncryptionKey from error


def unseal(sealed: bytes, key: str | None) -> str:
    """Return what was sealed; a blank stays blank. Raises UnreadableSetting."""
    if not sealed:
        return ""
    try:
        return cipher(key).decrypt(sealed).decode()
    except (InvalidToken, NoEncryptionKey) as error:
        raise UnreadableSetting from error
