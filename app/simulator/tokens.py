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
        self.new_ends_old = new_ends_old
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._live: OrderedDict[str, tuple[str, float]] = OrderedDict()
        # Why those that ended before their time did so.
        self._ended: OrderedDict[str, str] = OrderedDict()

    def issue(self, consumer_key: str) -> str:
        """28 mixed-case letters and digits, as in recorded traffic."""
        token = "".join(secrets.choice(_ALPHABET) for _ in range(28))
        with self._lock:
            if self.new_ends_old:
                for old in [t for t, (key, _) in self._live.items() if key == consumer_key]:
                    self._end(old, "A newer token ended this one: new_token_ends_old is on.")
            while len(self._live) >= MOST_TOKENS:
                oldest = next(iter(self._live))
                self._end(oldest, f"{MOST_TOKENS} newer tokens have been given out since.")
            self._live[token] = (consumer_key, self._monotonic() + self._lifetime_seconds)
        return token

    def is_valid(self, token: str) -> bool:
        return self.complaint(token) is None

    def complaint(self, token: str) -> str | None:
        """What is wrong with a token, in words for the developer; None when nothing is."""
        with self._lock:
            if token in self._ended:
                return self._ended[token]
            if token not in self._live:
                return (
                    "This simulator never gave out such a token; "
                    "when it is started again it knows none of the old ones."
                )
            late = self._monotonic() - self._live[token][1]
            if late >= 0:
                return f"The token ran out {late:.0f} seconds ago; ask for a new one."
            return None

    def end(self, token: str) -> None:
        """Let a token end before its time."""
        with self._lock:
            self._end(token, "A scenario ended this token before its time.")

    def _end(self, token: str, why: str) -> None:
        self._live.pop(token, None)
        self._ended[token] = why
        if len(self._ended) > MOST_TOKENS:
            self._ended.popitem(last=False)
