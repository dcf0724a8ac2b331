"""What the suite leaves out for its speed leaves no test and no row of a table unseen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.services.engines import ENGINES, rows_that_run

Table = list[tuple[str, str, str]]


def table(test: str, counts: dict[str, int]) -> Table:
    return [(test, engine, f"row {n}") for engine, count in counts.items() for n in range(count)]


@given(st.integers(1, 40))
def test_every_row_runs_somewhere_and_every_test_sees_both_engines(count: int) -> None:
    rows = table("a test", dict.fromkeys(ENGINES, count))
    kept = [row for row, runs in zip(rows, rows_that_run(rows), strict=True) if runs]
    assert {row for _, _, row in kept} == {f"row {n}" for n in range(count)}
    assert {engine for _, engine, _ in kept} == set(ENGINES)
    assert len(kept) == count + 1


def test_a_table_that_is_another_on_each_engine_runs_whole() -> None:
    rows = table("a test", {"sqlite": 3}) + table("another", {"sqlite": 4, "postgresql": 2})
    assert all(rows_that_run(rows))
