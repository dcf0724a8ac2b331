"""Leaving Daraja alone while it does not answer: a circuit breaker for each road to it.

pybreaker counts the failures and knows the states. Its ``call`` holds a lock while the function
runs, which would send one push at a time; so the request is made outside, and only whether it
was any use goes through ``call``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitRedisStorage,
)
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger("payments.mpesa")

#: So many failures in a row, and Daraja is left alone.
MOST_FAILURES = 5
PAUSE_SECONDS = 30.0
#: A trial is over in this time, whatever time-outs are set, or its process has died.
TRIAL_SECONDS = 75.0
#: How long a Redis that does not answer is left alone.
REDIS_PAUSE_SECONDS = 30.0

Answer = TypeVar("Answer")
Clock = Callable[[], float]


class RoadClosed(Exception):
    """Daraja failed so often in a row that nothing is sent to it for a while."""


class Pause(Protocol):
    """The time in which nobody may try."""

    def begin(self, seconds: float) -> None:
        """Let nobody try for so long from now on."""

    def take_trial(self, seconds: float) -> bool:
        """Tell whether the pause is over; to one caller only, for whom it begins again."""


class LocalPause:
    """A pause by a clock that nobody sets back, for the threads of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ends_at = clock()

    def begin(self, seconds: float) -> None:
        with self._lock:
            self._ends_at = self._clock() + seconds

    def take_trial(self, seconds: float) -> bool:
        with self._lock:
            if self._clock() < self._ends_at:
                return False
            self._ends_at = self._clock() + seconds
            return True


class RedisPause:
    """A pause for all processes: a key that Redis drops when its time is over."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    def begin(self, seconds: float) -> None:
        with suppress(RedisError):
            self._redis.set(self._key, 1, px=int(seconds * 1000))

    def take_trial(self, seconds: float) -> bool:
        try:
            return bool(self._redis.set(self._key, 1, px=int(seconds * 1000), nx=True))
        except RedisError:
            return False


class Breaker:
    """One road: closed is the normal state, and an open circuit lets nothing through."""

    def __init__(self, name: str, circuit: CircuitBreaker, pause: Pause) -> None:
        self.name = name
        self._circuit = circuit
        self._pause = pause
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """Return ``closed``, ``open`` or ``half-open``."""
        return self._circuit.current_state

    def guard(self, ask: Callable[[], Answer], is_usable: Callable[[Answer], bool]) -> Answer:
        """Ask, unless the circuit is open, and remember whether the answer was any use.

        Raises RoadClosed when nothing was asked, and whatever ``ask`` raises.
        """
        self._admit()
        usable = False
        try:
            answer = ask()
            usable = is_usable(answer)
            return answer
        finally:
            self._report(usable)

    def _admit(self) -> None:
        try:
            if self._circuit.current_state == STATE_CLOSED:
                return
        except RedisError:
            return
        if not self._pause.take_trial(TRIAL_SECONDS):
            raise RoadClosed("M-Pesa has not answered for a while and is tried again soon")
        self._circuit.half_open()

    def _report(self, usable: bool) -> None:
        try:
            before, after = self._count(usable)
        except Exception:
            # The answer may say that a prompt is on a phone: nothing here may take its place.
            logger.exception("what came of a call to %s was not counted", self.name)
            return
        if before != STATE_OPEN and after == STATE_OPEN:
            self._pause.begin(PAUSE_SECONDS)
        if before == STATE_CLOSED and after == STATE_OPEN:
            logger.warning("%s does not answer: left alone for %.0f s", self.name, PAUSE_SECONDS)
        elif before != STATE_CLOSED and after == STATE_CLOSED:
            logger.warning("%s answers again", self.name)

    def _count(self, usable: bool) -> tuple[str, str]:
        # The rule: no failure to forget. Nobody waits for the lock, under which Redis is asked.
        if usable and self.state == STATE_CLOSED and not self._circuit.fail_counter:
            return STATE_CLOSED, STATE_CLOSED
        with self._lock:
            before = self._circuit.state.name
            # What comes late, when the circuit has opened already, is an error of pybreaker's.
            with suppress(_Useless, CircuitBreakerError):
                self._circuit.call(_outcome, usable)
            return before, self._circuit.current_state


class Breakers:
    """The breakers of one application: shared through Redis while it answers, else its own.

    ``clock`` counts seconds and is never set back.
    """

    def __init__(self, redis: Redis | None = None, clock: Clock = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._redis_away_until = clock()
        self._lock = threading.Lock()
        self._breakers: dict[tuple[str, bool], Breaker] = {}

    def road(self, url: str, kind: str) -> Breaker:
        """Return the breaker for one kind of call to the Daraja that this address belongs to."""
        name = f"{urlsplit(url).netloc.rpartition('@')[2]} {kind}"
        if redis := self._answering_redis():
            # A state that pybreaker does not know is a ValueError; another program wrote it.
            with suppress(RedisError, ValueError):
                return self._kept(name, redis)
        return self._kept(name, None)

    def states(self) -> dict[str, str]:
        """Return the state of every road that has been used, by name."""
        shared = self._answering_redis() is not None
        with self._lock:
            known = [
                breaker for (_, is_shared), breaker in self._breakers.items() if is_shared == shared
            ]
        return {breaker.name: breaker.state for breaker in known}

    def _kept(self, name: str, redis: Redis | None) -> Breaker:
        with self._lock:
            key = (name, redis is not None)
            if key not in self._breakers:
                self._breakers[key] = self._make(name, redis)
            return self._breakers[key]

    def _make(self, name: str, redis: Redis | None) -> Breaker:
        if redis is None:
            return Breaker(name, _circuit(), LocalPause(self._clock))
        storage = CircuitRedisStorage(STATE_CLOSED, redis, namespace=f"lipa:{name}")
        return Breaker(name, _circuit(storage), RedisPause(redis, f"lipa:{name}:pause"))

    def _answering_redis(self) -> Redis | None:
        if self._redis is None or self._clock() < self._redis_away_until:
            return None
        try:
            self._redis.ping()
        except RedisError as error:
            self._redis_away_until = self._clock() + REDIS_PAUSE_SECONDS
            logger.warning(
                "Redis does not answer (%s): circuit breakers are this process's own",
                type(error).__name__,
            )
            return None
        return self._redis


class _Useless(Exception):
    """An answer that was no use, in the form that pybreaker counts."""


def _outcome(usable: bool) -> None:
    if not usable:
        raise _Useless


def _circuit(storage: CircuitRedisStorage | None = None) -> CircuitBreaker:
    return CircuitBreaker(
        fail_max=MOST_FAILURES,
        reset_timeout=PAUSE_SECONDS,
        state_storage=storage,
        throw_new_error_on_trip=False,
    )
