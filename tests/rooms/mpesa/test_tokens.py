"""One access token for everybody: fetched once, renewed in time, dropped once."""

from __future__ import annotations

import threading

from app.mpesa.tokens import AccessToken, TokenCache
from tests.support.app import together


def test_twenty_threads_without_a_token_fetch_one() -> None:
    """A11."""
    cache, fetched, gate = TokenCache(), [], threading.Event()

    def fetch() -> AccessToken:
        fetched.append(1)
        gate.wait(0.05)
        return AccessToken("fresh", 3599)

    assert set(together(20, lambda _: cache.get("account", fetch))) == {"fresh"}
    assert len(fetched) == 1


def test_a_token_is_renewed_a_minute_before_its_end() -> None:
    """A9: by a clock that nobody sets back."""
    time, fetched = [0.0], iter(["first", "second"])
    cache = TokenCache(clock=lambda: time[0])

    def get() -> str:
        return cache.get("account", lambda: AccessToken(next(fetched), 3599))

    assert get() == "first"
    time[0] = 3538
    assert get() == "first"
    time[0] = 3540
    assert get() == "second"


def test_a_refused_token_is_dropped_once_for_everybody() -> None:
    cache, fetched = TokenCache(), iter(["first", "second", "third"])

    def get() -> str:
        return cache.get("account", lambda: AccessToken(next(fetched), 3599))

    assert get() == "first"
    cache.forget("account", "first")
    assert get() == "second"
    cache.forget("account", "first")
    assert get() == "second", "a latecomer's old token must not end the new one"


def test_accounts_do_not_share_a_token() -> None:
    cache = TokenCache()
    assert cache.get("one", lambda: AccessToken("1", 3599)) == "1"
    assert cache.get("two", lambda: AccessToken("2", 3599)) == "2"
