"""A database that is locked, away, or has no room: cases A7 and A8."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg import sql

from tests.crash.buyer import Answer
from tests.crash.databases import postgresql_only, sqlite_only
from tests.crash.till import Sale, Till
from tests.services.postgres import PostgresServer

LOCKED_SECONDS = 12.0
AWAY_SECONDS = 5.0
FROZEN_SECONDS = 4.0
PROMPT_ANSWER_SECONDS = 2.0

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can change the file limit of another process"
)


def check_refused_before_the_push(till: Till, sale: Sale, answer: Answer) -> None:
    """Check that nobody was prompted, and that the shopper was told to come again."""
    assert answer.status == 503, answer
    assert int(answer.headers["Retry-After"]) > 0
    assert till.daraja.prompts(sale.phones[-1]) == []


def acknowledged(till: Till, sale: Sale) -> bool:
    """Tell whether the callback of a sale's only prompt was answered as kept."""
    (prompt,) = till.daraja.prompts(sale.phones[0])
    return 200 in till.wait_for_delivery(prompt["checkout_request_id"])


@contextmanager
def locked(till: Till) -> Iterator[None]:
    """Hold SQLite's write lock from another process, for LOCKED_SECONDS at least."""
    assert till.shop.sqlite_file
    with closing(sqlite3.connect(till.shop.sqlite_file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + LOCKED_SECONDS
        yield
        time.sleep(max(0.0, until - time.monotonic()))
        connection.execute("ROLLBACK")


@contextmanager
def away(server: PostgresServer, database: str) -> Iterator[None]:
    """End every connection to a database and let nobody in, for AWAY_SECONDS at least."""
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    name = sql.Identifier(database)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(allow.format(name, sql.SQL("false")))
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [database],
            )
            until = time.monotonic() + AWAY_SECONDS
            yield
            time.sleep(max(0.0, until - time.monotonic()))
        finally:
            connection.execute(allow.format(name, sql.SQL("true")))


@contextmanager
def frozen(server: PostgresServer, database: str) -> Iterator[None]:
    """Stop every process that serves a database, for FROZEN_SECONDS at least; it answers nobody."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s", [database]
        ).fetchall()
    for (process,) in found:
        os.kill(process, signal.SIGSTOP)
    until = time.monotonic() + FROZEN_SECONDS
    try:
        yield
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        for (process,) in found:
            os.kill(process, signal.SIGCONT)


@contextmanager
def full_disk(till: Till) -> Iterator[None]:
    """Take from the server's processes the right to make any file longer."""
    kept = {}
    for process in till.shop.processes():
        kept[process] = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (1, kept[process][1]))
    try:
        yield
    finally:
        for process, limits in kept.items():
            resource.prlimit(process, resource.RLIMIT_FSIZE, limits)


@sqlite_only
def test_a7_a_locked_database_neither_prompts_nor_forgets(till: Till) -> None:
    started, other = till.sell(), till.sell()
    till.started(started)
    with locked(till):
        till.act(started, "pay")
        check_refused_before_the_push(till, other, till.initiate(other))
        asked_at = time.monotonic()
        assert till.buyer.order(started.order)["number"]
        assert time.monotonic() - asked_at < PROMPT_ANSWER_SECONDS
        assert not acknowledged(till, started)
    till.wait_for_calm(started, other)
    assert till.buyer.order(started.order)["status"] == "paid"
    till.pays_again(other)


@postgresql_only
def test_a7_a_database_that_is_away_neither_prompts_nor_forgets(
    till: Till, postgres_server: PostgresServer
) -> None:
    started, other = till.sell(), till.sell()
    till.started(started)
    with away(postgres_server, till.shop.database_name):
        till.act(started, "pay")
        check_refused_before_the_push(till, other, till.initiate(other))
        assert not acknowledged(till, started)
    till.wait_for_calm(started, other)
    assert till.buyer.order(started.order)["status"] == "paid"
    till.pays_again(other)


@postgresql_only
def test_a7_a_database_that_is_frozen_neither_prompts_nor_forgets(
    till: Till, postgres_server: PostgresServer
) -> None:
    started, other = till.sell(), till.sell()
    till.started(started)
    with ThreadPoolExecutor(1) as hand:
        with frozen(postgres_server, till.shop.database_name):
            till.act(started, "pay")
            waiting = hand.submit(till.initiate, other)
            time.sleep(FROZEN_SECONDS / 2)
            assert till.daraja.open_prompt(other.phones[-1]) is None
        answer = waiting.result()
    if answer.status != 200:
        check_refused_before_the_push(till, other, answer)
    till.wait_for_calm(started, other)
    assert till.buyer.order(started.order)["status"] == "paid"
    till.pays_again(other)


@linux_only
@sqlite_only
def test_a8_on_a_full_disk_nobody_is_prompted_and_nothing_is_acknowledged(till: Till) -> None:
    started, other = till.sell(), till.sell()
    till.started(started)
    with full_disk(till):
        check_refused_before_the_push(till, other, till.initiate(other))
        till.act(started, "pay")
        assert not acknowledged(till, started)
    till.wait_for_calm(started, other)
    assert till.buyer.order(started.order)["status"] == "paid"
    till.pays_again(other)


@linux_only
@sqlite_only
def test_a8_a_disk_that_fills_up_behind_a_push_does_not_invite_a_second_one(till: Till) -> None:
    sale = till.sell()
    msisdn = sale.new_phone()
    till.daraja.arm("hang", msisdn, seconds=1)
    with ThreadPoolExecutor(1) as hand:
        waiting = hand.submit(till.buyer.initiate, sale.order, msisdn)
        till.shown(sale)
        with full_disk(till):
            assert waiting.result().status == 202, "whether to try again is not known"
            till.initiate(sale)
            assert till.daraja.prompts(sale.phones[-1]) == []
    till.act(sale, "pay")
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"
