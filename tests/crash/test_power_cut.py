"""Killed with many payments under way: case A10."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

from tests.crash.shop import wait_until
from tests.crash.till import Sale, Till

SHOPPERS = 20
ACTS = ("pay", "pay", "pay", "cancel", "leave")


def buys(till: Till, sale: Sale, act: str, opened_again: Event) -> None:
    """Pay as people do; who got no answer looks at the phone when the shop is there again.

    A prompt whose id the shop may not have learned is not answered while it is away: news that
    nobody hears and nobody can ask for is another case.
    """
    if till.initiate(sale).status is None:
        assert opened_again.wait(30)
        till.initiate(sale)
    for prompt in till.open_prompts(sale):
        if act != "leave":
            (till.daraja.pay if act == "pay" else till.daraja.cancel)(prompt)


def cut(till: Till, payments_first: int) -> list[Sale]:
    """Have a crowd buy, and cut the power once so many of them have paid."""
    sales = [till.sell() for _ in range(SHOPPERS)]
    paid_before, opened_again = len(till.daraja.ledger()), Event()
    with ThreadPoolExecutor(SHOPPERS) as crowd:
        hands = [
            crowd.submit(buys, till, sale, ACTS[number % len(ACTS)], opened_again)
            for number, sale in enumerate(sales)
        ]
        wait_until(lambda: len(till.daraja.ledger()) >= paid_before + payments_first, 20, "paid")
        till.shop.kill()
        till.shop.start()
        opened_again.set()
        for hand in hands:
            hand.result()
    return sales


def test_a10_after_power_cuts_under_load_every_shilling_is_where_it_belongs(till: Till) -> None:
    sales = [sale for payments in (0, 1, 6) for sale in cut(till, payments)]
    till.wait_for_calm(*sales)
    assert till.moved_in_all(sales) == till.booked_in_all(sales) > 0
    receipts = [entry["receipt"] for entry in till.daraja.ledger()]
    assert len(receipts) == len(set(receipts))


def test_a10_the_database_is_sound_and_every_invariant_holds(till: Till) -> None:
    if file := till.shop.sqlite_file:
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    till.shop.flask("check_invariants")
