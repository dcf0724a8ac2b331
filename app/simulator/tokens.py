"""OAuth access tokens: handed out, checked, forgotten."""

import secrets
import string
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_TOKENS: Final = 1_000
_ALPHABET: Final = string.ascii_letters + string.digits


class Tokens:
    """Tokens live `lifetime_seconds`; beyond `MOST_TOKENS` the oldest goes.

    `new_ends_old` follows the documentation's claim that asking for a token invalidates the one
    before it, which no recording confirms: so it is off by default.
    """

    def __init__(
        self,
        *,
        lifetime_seconds: float,
        new_ends_old: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._new_ends_old = new_ends_old
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._live: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def issue(self, consumer_key: str) -> str:
        """28 mixed-case letters and digits, as in recorded traffic."""
        token = "".join(secrets.choice(_ALPHABET) for _ in range(28))
        with self._lock:
            if self._new_ends_old:
                for old in [t for t, (key, _) in self._live.items() if key == consumer_key]:
                    del self._live[old]
            while len(self._live) >= MOST_TOKENS:
                self._live.popitem(last=False)
            self._live[token] = (consumer_key, self._monotonic() + self._lifetime_seconds)
        return token

    def is_valid(self, token: str) -> bool:
        with self._lock:
            _, ends_at = self._live.get(token, ("", 0.0))
            return self._monotonic() < ends_at
