"""A Daraja that says nothing for half a minute: case B3."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.crash.buyer import Answer
from tests.crash.databases import sqlite_only
from tests.crash.till import Sale, Till

SILENT_SECONDS = 30
#: The time-out is ten seconds; the rest is a busy machine's.
PATIENCE_SECONDS = 11.5
#: What anybody else may wait meanwhile.
OTHERS_SECONDS = 3.0


def hushed(till: Till) -> Sale:
    """A sale about whose push Daraja will be silent, although it prompts the phone."""
    sale = till.sell()
    till.daraja.arm("hang", sale.next_phone, seconds=SILENT_SECONDS)
    return sale


def timed_initiate(till: Till, sale: Sale) -> tuple[Answer, float]:
    began = time.monotonic()
    return till.initiate(sale), time.monotonic() - began


@sqlite_only
def test_b3_our_own_time_out_ends_the_silence_and_others_are_served_meanwhile(till: Till) -> None:
    paid, left, other = hushed(till), hushed(till), till.sell()
    with ThreadPoolExecutor(2) as hands:
        waiting = [hands.submit(timed_initiate, till, sale) for sale in (paid, left)]
        till.act(paid, "pay")
        began = time.monotonic()
        till.started(other)
        assert till.buyer.order(left.order)["status"] == "pending"
        assert time.monotonic() - began < OTHERS_SECONDS
        till.act(other, "pay")
        till.wait_for_calm(other)
        ends = [hand.result() for hand in waiting]
    assert all(seconds < PATIENCE_SECONDS for _, seconds in ends), ends
    assert all(answer.status in (200, 202) for answer, _ in ends), "a failure would be a lie"
    till.wait_for_calm(paid, left)
    assert till.buyer.order(paid.order)["status"] == "paid"
    till.pays_again(left)
