"""One access token for everybody: fetched once, kept until shortly before it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and how many seconds it lives. Left out of every repr."""

    value: str
    lifetime_seconds: float

    def __repr__(self) -> str:
        return "AccessToken(***)"


class TokenCache:
    """Share a token between threads; a crowd that finds none waits for one fetch.

    Safaricom's FAQ says that a new token ends the old one, so fetching more than needed is not
    merely waste: it can make other requests fail.
    """

    EARLY_SECONDS = 60

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def get(self, account: str, fetch: Callable[[], AccessToken]) -> str:
        """Return the token of an account, fetching it when there is none that still lives."""
        with self._lock:
            value, ends_at = self._tokens.get(account, ("", 0.0))
            if value and self._clock() < ends_at:
                return value
            fresh = fetch()
            lives_seconds = max(fresh.lifetime_seconds - self.EARLY_SECONDS, 1)
            self._tokens[account] = (fresh.value, self._clock() + lives_seconds)
            return fresh.value

    def forget(self, account: str, value: str) -> None:
        """Drop a token that Daraja refused, unless somebody has replaced it already."""
        with self._lock:
            if self._tokens.get(account, ("", 0.0))[0] == value:
                del self._tokens[account]
