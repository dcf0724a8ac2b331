"""Password hashing with argon2id."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.greenlets import aside

# One lane and 19 MiB keep a sign-in near 25 ms, so a crowd signing in does not stop payments.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Verified against when there is no such account, so that both answers take the same time.
_NOBODY = _hasher.hash("nobody has this account")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    return aside(lambda: _hasher.hash(password))


def password_matches(password: str, stored: str | None) -> bool:
    """Compare in the same time whether or not there is anything to compare with."""
    try:
        matches = aside(lambda: _hasher.verify(stored or _NOBODY, password))
        return matches and stored is not None
    except (VerificationError, InvalidHashError):
        return False
