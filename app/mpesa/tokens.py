"""One access token for everybody: fetched once, kept until shortly before it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal, Protocol

logger = logging.getLogger("payments.mpesa")

#: A token is replaced so long before its end.
EARLY_SECONDS = 60.0
#: No token is kept longer, whatever it says of itself (documented by Safaricom: an hour). What
#: seems to live longer was written down before somebody set the clock back.
LONGEST_SECONDS = 3600.0
#: The right to fetch ends after so long when its holder has died.
LEASE_SECONDS = 15.0
#: How often somebody who waits for another process's fetch looks.
LOOK_SECONDS = 0.1

Clock = Callable[[], float]


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and how many seconds it lives. Left out of every repr."""

    value: str
    lifetime_seconds: float

    def __repr__(self) -> str:
        return "AccessToken(***)"

    @property
    def usable_seconds(self) -> float:
        """Return how long it is used: a minute less than it lives, and never for ever."""
        return max(min(self.lifetime_seconds, LONGEST_SECONDS) - EARLY_SECONDS, 1.0)


Fetch = Callable[[], AccessToken]


class TokenUnavailable(Exception):
    """There is no access token, and whoever should have fetched one did not."""


class ShelfUnavailable(Exception):
    """What processes share cannot be read or written just now."""


@dataclass(frozen=True)
class Shelf:
    """What processes share about one account, as it stood when it was looked at.

    ``value`` is blank when no living token stands there. ``lease`` tells whether somebody is
    fetching: ``none``, ``held``, or ``ended`` when its holder never came back. ``seen`` is for
    the shelf's keeper, to find out whether anything has changed since.
    """

    value: str = field(repr=False)
    usable_seconds: float
    lease: Literal["none", "held", "ended"]
    seen: object = field(repr=False)


class TokenShelf(Protocol):
    """Where processes share a token. Every method raises ShelfUnavailable when it cannot."""

    def look(self, account: str) -> Shelf:
        """Return what stands there."""

    def claim(self, account: str, shelf: Shelf, seconds: float) -> object | None:
        """Take the right to fetch; None when anything has changed since ``shelf`` was seen."""

    def put(self, account: str, lease: object, token: AccessToken) -> None:
        """Share a token and end the lease; nothing when the lease is another's by now."""

    def release(self, account: str, lease: object) -> None:
        """End a lease that brought no token."""

    def forget(self, account: str, value: str) -> None:
        """Drop a token that Daraja refused, unless another stands there by now."""


class TokenCache:
    """Share a token between threads and, over a shelf, between processes.

    A crowd that finds none waits for one fetch and shares its end, good or bad. Safaricom's FAQ
    says that a new token ends the old one, so fetching more than needed is not merely waste: it
    can make other requests fail. ``clock`` counts seconds and is never set back.
    """

    def __init__(
        self,
        shelf: TokenShelf | None = None,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shelf = shelf
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._fetches: dict[str, Future[str]] = {}

    def get(self, account: str, fetch: Fetch, lease_seconds: float = LEASE_SECONDS) -> str:
        """Return the token of an account, fetching it when there is none that still lives.

        ``lease_seconds`` is longer than a fetch can take. Raises what ``fetch`` raises, in every
        thread that waited for it, and TokenUnavailable when another process's fetch failed.
        """
        with self._lock:
            value, ends_at = self._tokens.get(account, ("", 0.0))
            if value and self._clock() < ends_at:
                return value
            leads = account not in self._fetches
            end = self._fetches.setdefault(account, Future())
        if leads:
            return self._lead(account, end, fetch, lease_seconds)
        # Whoever leads may first wait for another process, then fetch.
        return _end_of(end, 3 * lease_seconds)

    def forget(self, account: str, value: str) -> None:
        """Drop a token that Daraja refused, unless somebody has replaced it already."""
        # The shelf comes first: else another thread could take the refused token down again.
        if (shelf := self._shelf) is not None:
            _or_log(lambda: shelf.forget(account, value))
        with self._lock:
            if self._tokens.get(account, ("", 0.0))[0] == value:
                del self._tokens[account]

    def _lead(self, account: str, end: Future[str], fetch: Fetch, lease_seconds: float) -> str:
        """Get a token for all threads that wait for this one."""
        try:
            value, usable_seconds = self._obtain(account, fetch, lease_seconds)
        except BaseException as error:
            with self._lock:
                del self._fetches[account]
            passing = isinstance(error, Exception)
            end.set_exception(error if passing else TokenUnavailable("the fetch was broken off"))
            raise
        with self._lock:
            self._tokens[account] = (value, self._clock() + usable_seconds)
            del self._fetches[account]
        end.set_result(value)
        return value

    def _obtain(self, account: str, fetch: Fetch, lease_seconds: float) -> tuple[str, float]:
        if self._shelf is None:
            return _bare(fetch())
        try:
            found = self._wait_or_claim(self._shelf, account, lease_seconds)
        except ShelfUnavailable as error:
            # The database's trouble must not stop a payment: this process fetches for itself.
            _log_unshared(error)
            return _bare(fetch())
        if isinstance(found, Shelf):
            return found.value, found.usable_seconds
        return self._fetch_for_all(self._shelf, account, found, fetch)

    def _wait_or_claim(
        self, shelf: TokenShelf, account: str, lease_seconds: float
    ) -> Shelf | object:
        """Return the shelf with a living token, or the lease to fetch one."""
        give_up_at = self._clock() + lease_seconds + 1
        somebody_fetched = False
        while self._clock() < give_up_at:
            seen = shelf.look(account)
            if seen.value:
                return seen
            if somebody_fetched and seen.lease == "none":
                raise TokenUnavailable("another process could not get an access token")
            if seen.lease != "held":
                lease = shelf.claim(account, seen, lease_seconds)
                if lease is not None:
                    return lease
            somebody_fetched |= seen.lease == "held"
            self._sleep(LOOK_SECONDS)
        raise TokenUnavailable("another process is still getting an access token")

    def _fetch_for_all(
        self, shelf: TokenShelf, account: str, lease: object, fetch: Fetch
    ) -> tuple[str, float]:
        try:
            token = fetch()
        except BaseException:
            _or_log(lambda: shelf.release(account, lease))
            raise
        _or_log(lambda: shelf.put(account, lease, token))
        return _bare(token)


def _end_of(running: Future[str], most_seconds: float) -> str:
    try:
        return running.result(most_seconds)
    except TimeoutError as error:
        raise TokenUnavailable("the access token is still being fetched") from error


def _bare(token: AccessToken) -> tuple[str, float]:
    return token.value, token.usable_seconds


def _or_log(write: Callable[[], None]) -> None:
    try:
        write()
    except ShelfUnavailable as error:
        _log_unshared(error)


def _log_unshared(error: ShelfUnavailable) -> None:
    logger.warning("the access token is not shared with other processes: %s", error)
