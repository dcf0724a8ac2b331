"""So many at once, and the others in a queue that holds no connection.

A crowd that all write at the same moment is slower than one after the other: those who wait for a
lock hold the connections that its holder needs, and threads take the processor from each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.errors import Busy
from app.core.unit_of_work import end_reads


class Turns:
    """Lets ``most`` of this process's requests in at once; who is ``first`` comes before others.

    Nobody waits longer than ``seconds``.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._free = most
        self._seconds = seconds
        lock = threading.Lock()
        self._queues = {first: threading.Condition(lock) for first in (True, False)}
        self._waiting = {True: 0, False: 0}

    @contextmanager
    def turn(self, *, first: bool) -> Iterator[None]:
        """Take one's turn while the block runs. Raises Busy when it does not come in time."""
        if not self._taken(first):
            end_reads()
            self._wait(first)
        try:
            yield
        finally:
            self._give_back()

    def _taken(self, first: bool) -> bool:
        with self._queues[first]:
            is_mine = self._is_free(first)
            self._free -= is_mine
            return is_mine

    def _is_free(self, first: bool) -> bool:
        return self._free > 0 and (first or not self._waiting[True])

    def _wait(self, first: bool) -> None:
        queue = self._queues[first]
        with queue:
            self._waiting[first] += 1
            is_mine = queue.wait_for(lambda: self._is_free(first), self._seconds)
            self._waiting[first] -= 1
            if not is_mine:
                # The call may have been this one's, at the very moment when it gave up.
                self._call_next()
                raise Busy
            self._free -= 1

    def _give_back(self) -> None:
        with self._queues[True]:
            self._free += 1
            self._call_next()

    def _call_next(self) -> None:
        if self._free > 0:
            self._queues[self._waiting[True] > 0].notify()
