"""One thread that does things when they are due."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Final

from app.simulator.pace import Pace

MOST_EVENTS: Final = 100_000

log = logging.getLogger(__name__)


class Timer:
    """A heap of due events, in the simulated seconds of a pace.

    Events run one after another outside the timer's lock and must not block. The thread starts
    with the first event: a process that forks afterwards still gets one of its own.
    """

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Run `event` in so many simulated seconds.

        The caller asks `has_room` before it promises anything.
        """
        with self._changed:
            heapq.heappush(self._due, (self._pace.now() + seconds, next(self._order), event))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="timer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def pace_changed(self) -> None:
        """Look again at how long to wait."""
        with self._changed:
            self._changed.notify()

    def has_room(self) -> bool:
        with self._changed:
            return len(self._due) < MOST_EVENTS

    def waiting(self) -> int:
        """Events that are still to come."""
        with self._changed:
            return len(self._due)

    def clear(self) -> None:
        with self._changed:
            self._due.clear()

    def _run(self) -> None:
        while True:
            event = self._next_due()
            try:
                event()
            except Exception:
                # One broken event must not stop the clock for every other phone.
                log.exception("a timed event failed")

    def _next_due(self) -> Callable[[], None]:
        with self._changed:
            while True:
                if not self._due:
                    self._changed.wait()
                    continue
                wait = self._pace.real_seconds(self._due[0][0] - self._pace.now())
                if wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
