"""Writing together: what several requests bring at one moment goes into one transaction.

A commit waits for the disk however little it writes. Whoever comes while a commit is under way
waits for the next one, which then takes along everybody who is waiting. Alone, nobody waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError

from app.core.errors import Busy

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_AT_ONCE = 200
WAIT_SECONDS = 10
#: So long a commit is held back for more to come along, where a crowd is known to be coming.
GATHER_SECONDS = 0.015


class _Entry(Generic[Item, Answer]):
    """One item, whose turn it is to write, and what became of it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        #: Told once the item is written, or once its owner is to write for all who wait.
        self.news = threading.Event()
        self.is_done = False
        self.leads = False
        self._error: Exception | None = None
        self._answer: Answer | None = None

    def succeed(self, answer: Answer) -> None:
        self._answer, self.is_done = answer, True
        self.news.set()

    def fail(self, error: Exception) -> None:
        self._error, self.is_done = error, True
        self.news.set()

    def answer(self) -> Answer:
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]


class Together(Generic[Item, Answer]):
    """Calls ``write`` with as many items as are waiting, in a transaction that ``write`` opens.

    ``write`` returns an answer for each item, in their order, and has committed by then. It is
    called by one of those who wait, for all of them; whoever has been written for goes on at once.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._is_led = False
        self._waiting: deque[_Entry[Item, Answer]] = deque()

    def do(self, item: Item, *, in_a_crowd: bool = False) -> Answer:
        """Have an item written, and return its answer once that is committed.

        ``in_a_crowd`` waits GATHER_SECONDS for others to come along: a commit costs more than that.
        Raises what writing raised, and Busy when the turn does not come in WAIT_SECONDS; an item
        that was given up may have been written all the same.
        """
        entry: _Entry[Item, Answer] = _Entry(item)
        with self._lock:
            self._waiting.append(entry)
            entry.leads = not self._is_led
            self._is_led = True
        if not entry.leads and not entry.news.wait(WAIT_SECONDS):
            self._give_up(entry)
        if entry.leads and not entry.is_done:
            self._lead(entry, in_a_crowd)
        return entry.answer()

    def _lead(self, entry: _Entry[Item, Answer], in_a_crowd: bool) -> None:
        """Write for all who wait until one's own is written, and let the next one go on."""
        try:
            if in_a_crowd:
                time.sleep(GATHER_SECONDS)
            while not entry.is_done:
                self._write_all(self._next())
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].news.set()

    def _next(self) -> list[_Entry[Item, Answer]]:
        with self._lock:
            size = min(len(self._waiting), MOST_AT_ONCE)
            return [self._waiting.popleft() for _ in range(size)]

    def _give_up(self, entry: _Entry[Item, Answer]) -> None:
        """Raise Busy, unless the turn has come at the last moment."""
        with self._lock:
            if entry.news.is_set():
                return
            if entry in self._waiting:
                self._waiting.remove(entry)
        raise Busy

    def _write_all(self, entries: Sequence[_Entry[Item, Answer]]) -> None:
        try:
            answers = self._write([entry.item for entry in entries])
        except Exception as error:
            self._after_failure(entries, error)
            return
        for entry, answer in zip(entries, answers, strict=True):
            entry.succeed(answer)

    def _after_failure(self, entries: Sequence[_Entry[Item, Answer]], error: Exception) -> None:
        """Let one item that cannot be written keep no other from it.

        A database that is away is away for all of them: nobody waits for it once for each.
        """
        if len(entries) == 1 or isinstance(error, (OperationalError, Busy)):
            for entry in entries:
                entry.fail(error)
            return
        for entry in entries:
            self._write_all([entry])
