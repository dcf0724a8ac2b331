"""No figure reads a whole table that grows with the shop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from app.core.clock import now
from app.extensions import db
from app.figures import callbacks, money, service
from app.figures.periods import period_of
from tests.support.app import Shop

GROWS = ("payments", "callback_inbox", "credits")


@contextmanager
def _listening() -> Iterator[list[tuple[str, Any]]]:
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def _plan(connection: Connection, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
    return [str(row[-1]).strip() for row in rows]


def _reads_all_of(line: str, table: str) -> bool:
    """Tell whether a line of a plan reads a table from its beginning to its end, by any order."""
    return line in (f"SCAN {table}", f"-> Seq Scan on {table}") or (
        line.startswith((f"SCAN {table} USING", f"Seq Scan on {table}", f"->  Seq Scan on {table}"))
    )


@pytest.mark.parametrize("days", [1, 30])
def test_each_figure_goes_by_an_index(shop: Shop, days: int) -> None:
    with shop.app.app_context():
        with _listening() as asked:
            service.compute(db.session(), period_of(days))
            money.standing(db.session(), now())
            callbacks.unproven(20)
        db.session.rollback()
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                # A table this small is read whole unless that is made dear.
                connection.execute(text("SET LOCAL enable_seqscan = off"))
            plans = [_plan(connection, *statement) for statement in asked]
    read = [line for plan in plans for line in plan if any(table in line for table in GROWS)]
    assert len(read) >= 5, "the plans name the tables that they read"
    assert [line for line in read for table in GROWS if _reads_all_of(line, table)] == []
