"""A shop's past: so many payments with everything that comes with them, as many a day at any size.

A row of a staging table for each payment is made here; everything else is one INSERT … SELECT for
each table, the same on both databases. A million payments are two years of 1,370 a day; a thousand
are the last 17 hours of the same shop. So "today" looks alike at either size, and what differs is
how much lies behind it. What waits for somebody (prompts, questions, money out) is the same few.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy.engine import make_url

from app.core.clock import now
from scripts.bench.history_sql import CLOSE, FILL, MADE
from tests.support.live_shop import ADMIN, SHOPPER

#: Two years in a million steps.
STEP = timedelta(days=730) / 1_000_000
PRICE_CENTS = 150_000
SHOPPERS_EACH = 20
DEMO_ORDERS = 25
#: Prompts that are on phones at this moment, at any size.
LIVE = 12
#: Ids of rows made here begin above this; what a fresh shop has is below. The SQL knows it too.
BASE = 1000
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BODY = (
    b'{"Body":{"stkCallback":{"MerchantRequestID":"bench","CheckoutRequestID":"ws_CO_BENCH",'
    b'"ResultCode":0,"ResultDesc":"The service request is processed successfully.",'
    b'"CallbackMetadata":{"Item":[{"Name":"Amount","Value":1500},{"Name":"MpesaReceiptNumber",'
    b'"Value":"SEEDED0001"},{"Name":"TransactionDate","Value":20261121120000},'
    b'{"Name":"PhoneNumber","Value":254712000111}]}}}}'
)


class Made(NamedTuple):
    """One payment of the staging table. ``n`` counts from 1, the oldest; ``id`` is every row's."""

    n: int
    id: int
    person: int
    status: str
    order_status: str
    reason: str | None
    code: str | None
    at: datetime
    later: datetime
    until: datetime
    order_uuid: str
    payment_uuid: str
    name: str
    digits: str
    token: str
    phone: str


def fill_history(database_url: str, count: int) -> None:
    """Fill an empty, prepared shop. Its prompts, questions and people's addresses are made up."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(str(url.database), count)
    else:
        _fill_postgres(url.set(drivername="postgresql").render_as_string(False), count)


def _fill_sqlite(file: str, count: int) -> None:
    with sqlite3.connect(file, isolation_level=None) as connection:
        for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-1500000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute(_for_sqlite(MADE))
        places = ", ".join("?" * len(Made._fields))
        rows = (_as_sqlite(row) for row in _made(_whoever(connection), count))
        connection.executemany(f"INSERT INTO made VALUES ({places})", rows)  # noqa: S608
        for statement in FILL:
            connection.execute(_for_sqlite(statement), _values(count))
        for day in _closed_days(count):
            values = _values(count) | {"day": day.isoformat()}
            connection.execute(_for_sqlite(CLOSE), values)
        connection.execute("DROP TABLE made")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _fill_postgres(dsn: str, count: int) -> None:
    with psycopg.connect(dsn) as connection:
        # Nothing here points at nothing, and looking each of ten million up takes minutes.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute(_for_postgres(MADE))
        rows = _made(_whoever(connection), count)
        with connection.cursor().copy("COPY made FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute("ANALYZE made")
        with _without_indexes(connection):
            for statement in FILL:
                connection.execute(_for_postgres(statement), _values(count))
            for day in _closed_days(count):
                connection.execute(_for_postgres(CLOSE), _values(count) | {"day": day})
        connection.execute("DROP TABLE made")
        _mend_sequences(connection)
        connection.commit()
        connection.autocommit = True
        # As autovacuum leaves it.
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _without_indexes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Drop the indexes but primary keys' while the block runs: built at the end they cost a tenth.

    A foreign key needs the primary key only, which stays.
    """
    unique = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'u' AND connamespace = 'public'::regnamespace"
    ).fetchall()
    plain = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conname = indexname)"
    ).fetchall()
    for table, name, _ in unique:
        _run(connection, f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in plain:
        _run(connection, f"DROP INDEX {name}")
    yield
    _run(connection, "SET maintenance_work_mem = '512MB'")
    for table, name, definition in unique:
        _run(connection, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for _, definition in plain:
        _run(connection, definition)


def _run(connection: psycopg.Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())


def _mend_sequences(connection: psycopg.Connection[Any]) -> None:
    """Have PostgreSQL count on from the ids that were given here."""
    named = connection.execute(
        "SELECT table_name, pg_get_serial_sequence(quote_ident(table_name), 'id') "
        "FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'"
    ).fetchall()
    for table, sequence in named:
        if sequence:
            last = f"SELECT COALESCE(max(id), 0) + 1 FROM {table}"  # noqa: S608
            _run(connection, f"SELECT setval('{sequence}', ({last}), false)")


def _whoever(connection: Any) -> tuple[int, int]:
    """Return the demo shopper's id, and the first id that nothing has yet."""
    [shopper] = connection.execute(f"SELECT id FROM people WHERE email = '{SHOPPER}'").fetchone()  # noqa: S608
    return int(shopper), BASE


def _made(whoever: tuple[int, int], count: int) -> Iterator[Made]:
    shopper, base = whoever
    people = max(count // SHOPPERS_EACH, 1)
    chance = random.Random(7)  # noqa: S311  (nothing here is secret)
    end = now().replace(microsecond=0) - timedelta(seconds=20)
    for n in range(1, count + 1):
        at = end - (count - n) * STEP
        # The demo shopper has as many orders at any size, the newest among them.
        whose = chance.randrange(1, people) if (count - n) % (count // DEMO_ORDERS) else 0
        status, order_status, reason, code = _fate(n, count)
        bits = chance.getrandbits(256)
        yield Made(
            n,
            base + n,
            base + whose if whose else shopper,
            status,
            order_status,
            reason,
            code,
            at,
            at + timedelta(seconds=12),
            at + timedelta(hours=1),
            str(UUID(int=bits >> 128)),
            str(UUID(int=bits & (1 << 128) - 1)),
            _base36(n),
            f"{n:09d}",
            f"{bits:043x}"[:43],
            f"2547{whose + 1:08d}",
        )


def _fate(n: int, count: int) -> tuple[str, str, str | None, str | None]:
    """Return how a payment and its order stand, and why it was not paid: most were."""
    if n > count - LIVE:
        return "pending", "pending", None, None
    # More of late, so that a page of each is full at any size.
    match n % 25 if n < count - 500 else n % 16:
        case 3:
            return "failed", "expired", "insufficient_funds", "1"
        case 9:
            return "cancelled", "cancelled", "cancelled", "1032"
        case 15:
            return "expired", "expired", "timeout", "1037"
    return "completed", "paid", None, "0"


def _base36(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = _DIGITS[rest] + text
    return f"{text:0>7}"


def _closed_days(count: int) -> list[date]:
    """Return the days that are closed: all that have payments, and a page of them in any case."""
    days = max(count * STEP // timedelta(days=1), 40)
    return [now().date() - timedelta(days=ago + 2) for ago in range(days)]


def _values(count: int) -> dict[str, Any]:
    return {
        "count": count,
        "people": max(count // SHOPPERS_EACH, 1),
        "cents": PRICE_CENTS,
        "body": _BODY,
        "admin": ADMIN,
    }


def _as_sqlite(row: Made) -> tuple[Any, ...]:
    return tuple(
        it.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(it, datetime) else it
        for it in row._replace(
            order_uuid=row.order_uuid.replace("-", ""),
            payment_uuid=row.payment_uuid.replace("-", ""),
        )
    )


def _for_sqlite(statement: str) -> str:
    return _worded(statement, "DATETIME", "CHAR(32)")


def _for_postgres(statement: str) -> str:
    named = statement.replace("%", "%%").replace(":count", "%(count)s")
    for name in ("people", "cents", "body", "admin", "day"):
        named = named.replace(f":{name}", f"%({name})s")
    return _worded(named, "TIMESTAMPTZ", "UUID")


def _worded(statement: str, moment: str, uuid: str) -> str:
    return statement.replace("MOMENT", moment).replace("UUID_", uuid)
