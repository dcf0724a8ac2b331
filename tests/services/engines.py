"""Which rows of a test's table run on which database.

A test that speaks of the database runs on SQLite and on PostgreSQL. Where it also has a table of
its own (forty bad inputs, say), its first row runs on both and the others take turns: each row
runs, and each test sees each database, for a little over half of the time. EVERY_ROW=1 runs all.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

ENGINES = ("sqlite", "postgresql")
#: For a test that takes long, and of whose subject the database knows nothing.
sqlite_will_do = pytest.mark.parametrize("_application", ["sqlite"], indirect=True)


def rows_that_run(rows: list[tuple[str, str, str]]) -> list[bool]:
    """Tell for each (test, engine, row) in turn whether it runs."""
    seen: Counter[tuple[str, str]] = Counter()
    several = Counter((test, engine) for test, engine, _ in rows)
    runs = []
    for test, engine, _ in rows:
        number = seen[test, engine]
        seen[test, engine] += 1
        # A table that only one engine has, or that is different there, runs as it stands.
        is_even = len({several[test, name] for name in ENGINES}) == 1
        is_turn = number % len(ENGINES) == ENGINES.index(engine)
        runs.append(number == 0 or not is_even or is_turn)
    return runs


def _engine_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    given = callspec.params.values() if callspec else ()
    return next((engine for engine in ENGINES if engine in given), None)


def pytest_report_header() -> str:
    if os.environ.get("EVERY_ROW"):
        return "databases: every row of every table runs on each"
    return "databases: the rows of tables take turns on them (EVERY_ROW=1 runs all on each)"


def leave_out_turns(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the rows whose turn it is not."""
    if os.environ.get("EVERY_ROW") or any("[" in argument for argument in config.args):
        return
    tables = [item for item in items if _engine_of(item)]
    rows = [(item.nodeid.split("[")[0], str(_engine_of(item)), item.nodeid) for item in tables]
    kept = rows_that_run(rows)
    left_out = {item for item, runs in zip(tables, kept, strict=True) if not runs}
    items[:] = [item for item in items if item not in left_out]
