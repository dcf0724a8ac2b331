"""Writing together: what several requests bring at one moment goes into one transaction.

A commit waits for the disk however little it writes. Whoever comes while a commit is under way
waits for the next one, which then takes along everybody who is waiting. Alone, nobody waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError

from app.core.errors import Busy

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_AT_ONCE = 200
WAIT_SECONDS = 10


class _Entry(Generic[Item, Answer]):
    """One item, and what became of it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.is_done = False
        self.error: Exception | None = None
        self._answer: Answer | None = None

    def succeed(self, answer: Answer) -> None:
        self._answer, self.is_done = answer, True

    def fail(self, error: Exception) -> None:
        self.error, self.is_done = error, True

    def answer(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self._answer  # type: ignore[return-value]


class Together(Generic[Item, Answer]):
    """Calls ``write`` with as many items as are waiting, in a transaction that ``write`` opens.

    ``write`` returns an answer for each item, in their order, and has committed by then.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        self._write = write
        self._turn = threading.Lock()
        self._waiting: deque[_Entry[Item, Answer]] = deque()

    def do(self, item: Item) -> Answer:
        """Have an item written, and return its answer once that is committed.

        Raises what writing raised, and Busy when the turn does not come in WAIT_SECONDS; an item
        that was given up may have been written all the same.
        """
        entry: _Entry[Item, Answer] = _Entry(item)
        self._waiting.append(entry)
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            while not entry.is_done:
                self._write_all([self._waiting.popleft() for _ in range(self._size())])
        finally:
            self._turn.release()
        return entry.answer()

    def _size(self) -> int:
        return min(len(self._waiting), MOST_AT_ONCE)

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
