"""Writing together: everybody gets their own answer, and nobody another's trouble."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from app.core.together import MOST_AT_ONCE, Together

SOON_SECONDS = 20


class Writer:
    """Writes numbers; the first write waits until it is let go on."""

    def __init__(self, *, fails: Exception | None = None, bad: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._fails, self._bad = fails, bad

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(SOON_SECONDS)
        if self._fails is not None:
            raise self._fails
        if self._bad in numbers:
            raise ValueError(self._bad)
        return [number * 10 for number in numbers]


def _written(writer: Writer, count: int) -> list[int | Exception]:
    """Write 0 alone, and the other numbers while that is under way."""
    together = Together(writer)
    waiting: list[int] = []

    def write(number: int) -> int:
        waiting.append(number)
        return together.do(number)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(write, 0)]
        assert writer.begun.wait(SOON_SECONDS)
        futures += [pool.submit(write, number) for number in range(1, count)]
        while len(together._waiting) < count - 1:
            threading.Event().wait(0.01)
        writer.go_on.set()
        return [future.exception() or future.result() for future in futures]  # type: ignore[misc]


def test_whoever_comes_during_a_commit_shares_the_next_one_and_hears_their_own_answer() -> None:
    writer = Writer()
    assert _written(writer, 12) == [number * 10 for number in range(12)]
    assert [len(batch) for batch in writer.batches] == [1, 11]


def test_one_that_cannot_be_written_keeps_no_other_from_it() -> None:
    writer = Writer(bad=3)
    answers = _written(writer, 6)
    assert isinstance(answers.pop(3), ValueError)
    assert answers == [0, 10, 20, 40, 50]
    assert len(writer.batches) == 2 + 5, "only then is each written by itself"


def test_a_database_that_is_away_is_waited_for_once_and_not_once_for_each() -> None:
    writer = Writer(fails=OperationalError("insert", {}, Exception("away")))
    answers = _written(writer, 6)
    assert all(isinstance(answer, OperationalError) for answer in answers)
    assert [len(batch) for batch in writer.batches] == [1, 5]


def test_no_transaction_takes_more_than_the_most() -> None:
    writer = Writer()
    writer.go_on.set()
    together = Together(writer)
    from app.core.together import _Entry

    entries = [_Entry[int, int](number) for number in range(MOST_AT_ONCE + 5)]
    together._waiting.extend(entries)
    assert together.do(7) == 70
    assert [len(batch) for batch in writer.batches] == [MOST_AT_ONCE, 6]
    assert all(entry.is_done for entry in entries)


@pytest.mark.parametrize("count", [1, 2])
def test_alone_nobody_waits(count: int) -> None:
    writer = Writer()
    writer.go_on.set()
    together = Together(writer)
    assert [together.do(number) for number in range(count)] == [0, 10][:count]
    assert writer.batches == [[0], [1]][:count]
