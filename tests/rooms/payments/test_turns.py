"""Turns: so many at once, what is first before the others, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.errors import Busy
from app.payments.turns import Turns
from tests.support.app import Shop

SOON_SECONDS = 10
CROWD = 39


def _in_line(turns: Turns, *, first: bool) -> int:
    return turns._waiting[first]


def _until(is_so: Callable[[], object]) -> None:
    looked = threading.Event()
    for _ in range(SOON_SECONDS * 100):
        if is_so():
            return
        looked.wait(0.01)
    raise AssertionError("not in time")


def test_what_is_first_comes_before_those_who_have_waited_longer(shop: Shop) -> None:
    turns, order = Turns(1, SOON_SECONDS), []

    def take(name: str, first: bool) -> None:
        with shop.app.app_context(), turns.turn(first=first):
            order.append(name)

    with ThreadPoolExecutor() as pool, shop.app.app_context():
        with turns.turn(first=False):
            futures = [pool.submit(take, "intent", False)]
            _until(lambda: _in_line(turns, first=False) == 1)
            futures.append(pool.submit(take, "answer", True))
            _until(lambda: _in_line(turns, first=True) == 1)
        for future in futures:
            future.result(SOON_SECONDS)
    assert order == ["answer", "intent"]


def test_no_more_are_in_at_once_than_there_are_turns(shop: Shop) -> None:
    turns, three = Turns(3, SOON_SECONDS), threading.Barrier(3)
    counting, inside, peaks = threading.Lock(), [0], []

    def take(number: int) -> None:
        with shop.app.app_context(), turns.turn(first=number % 2 == 0):
            with counting:
                inside[0] += 1
                peaks.append(inside[0])
            three.wait(SOON_SECONDS)
            with counting:
                inside[0] -= 1

    with ThreadPoolExecutor(CROWD) as pool:
        list(pool.map(take, range(CROWD)))
    assert max(peaks) == 3
    with shop.app.app_context(), turns.turn(first=False):
        pass


def test_whoever_does_not_come_in_in_time_is_told_so_and_stands_in_nobodys_way(
    shop: Shop,
) -> None:
    turns = Turns(1, 0.05)
    with shop.app.app_context():
        with turns.turn(first=True), pytest.raises(Busy), turns.turn(first=True):
            pass
        assert _in_line(turns, first=True) == 0
        with turns.turn(first=False):
            pass
