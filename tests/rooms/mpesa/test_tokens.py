"""One access token for everybody: fetched once, renewed in time, dropped once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from app.mpesa.tokens import AccessToken, TokenCache, TokenUnavailable
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


def all_at_once(
    cache: TokenCache, fetch: Callable[[], AccessToken], count: int = 20
) -> list[str | Exception]:
    """What becomes of each in a crowd that finds no token."""

    def ask(_: int) -> str | Exception:
        try:
            return cache.get("account", fetch)
        except Exception as error:
            return error

    return together(count, ask)


def test_a_fetch_that_fails_fails_once_for_everybody_who_waited() -> None:
    """B5: a crowd does not try one after the other."""
    cache, fetched = TokenCache(), []

    def fetch() -> AccessToken:
        fetched.append(1)
        time.sleep(0.3)
        raise ConnectionError("nobody there")

    ends = all_at_once(cache, fetch)
    assert len(fetched) == 1
    assert {str(end) for end in ends} == {"nobody there"}
    assert cache.get("account", lambda: AccessToken("later", 3599)) == "later"


def test_a_fetch_that_is_broken_off_leaves_nobody_waiting() -> None:
    """A6: a worker that is told to stop takes nobody with it."""
    cache, begun, stop = TokenCache(), threading.Event(), threading.Event()
    seen: list[type[BaseException]] = []

    def fetch() -> AccessToken:
        begun.set()
        stop.wait(5)
        raise SystemExit

    def lead() -> None:
        try:
            cache.get("account", fetch)
        except SystemExit as error:
            seen.append(type(error))

    def follow() -> None:
        try:
            cache.get("account", fetch)
        except TokenUnavailable as error:
            seen.append(type(error))

    threads = [threading.Thread(target=lead), threading.Thread(target=follow)]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join(5)
    assert set(seen) == {SystemExit, TokenUnavailable}
    assert cache.get("account", lambda: AccessToken("later", 3599)) == "later"


@pytest.mark.parametrize(("lives", "used"), [(3599, 3539), (90, 30), (10, 1), (10**9, 3540)])
def test_a_token_is_used_for_a_minute_less_than_it_lives_and_at_most_an_hour(
    lives: float, used: float
) -> None:
    assert AccessToken("x", lives).usable_seconds == used
