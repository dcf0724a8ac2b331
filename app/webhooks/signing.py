"""The signature by which the other side knows that a message is ours and fresh."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from app.core.clock import now
from app.settings.cipher import cipher, unseal
from app.settings.service import settings
from app.webhooks.models import Endpoint

SIGNATURE_HEADER = "Lipa-Signature"
ID_HEADER = "Lipa-Event-Id"
#: How long the secret before the present one still signs.
OLD_SECRET_FOR = timedelta(hours=24)


def new_secret() -> str:
    """Return a secret of 256 bits, as the other side is given it."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def sealed(secret: str) -> bytes:
    """Return a secret as it is stored. Raises NoEncryptionKey."""
    return cipher(settings().settings_encryption_key).encrypt(secret.encode())


def secrets_of(endpoint: Endpoint) -> list[str]:
    """Return the secrets that sign now, the newest first. Raises UnreadableSetting."""
    key, kept = settings().settings_encryption_key, [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now():
        kept.append(endpoint.previous_secret)
    return [unseal(secret, key) for secret in kept]


def signature(body: str, moment: int, signers: list[str]) -> str:
    """Sign a body at a moment (Unix seconds): ``t=…,v1=…``, one ``v1`` for each secret."""
    message = f"{moment}.{body}".encode()
    marks = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in signers]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])
