"""Seconds in SQL, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.figures.periods import Period

#: Whatever took longer counts as this long in a distribution, which so stays small.
LONGEST_SECONDS = 3600


class epoch_seconds(FunctionElement[int]):
    """The whole seconds since 1970 of a moment, cut off like a clock's."""

    type = BigInteger()
    inherit_cache = True


@compiles(epoch_seconds, "sqlite")
def _on_sqlite(element: epoch_seconds, compiler: SQLCompiler, **options: Any) -> str:
    # What is left of a second is cut off first, since strftime rounds .9995 up to the next one.
    moment = f"substr({compiler.process(element.clauses, **options)}, 1, 19)"
    return f"CAST(strftime('%s', {moment}) AS INTEGER)"


@compiles(epoch_seconds, "postgresql")
def _on_postgresql(element: epoch_seconds, compiler: SQLCompiler, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"CAST(floor(extract(epoch FROM {moment})) AS BIGINT)"


def step_of(moment: Any, period: Period) -> ColumnElement[int]:
    """Number the step of a period that a moment is in, from 0."""
    seconds: ColumnElement[int] = epoch_seconds(moment) - int(period.start.timestamp())
    return seconds // int(period.step.total_seconds())


def seconds_between(start: Any, end: Any) -> ColumnElement[int]:
    """Count the whole seconds from one moment to another: 0 where a clock was set back meanwhile,
    LONGEST_SECONDS at most, and NULL where either is missing.
    """
    seconds: ColumnElement[int] = epoch_seconds(end) - epoch_seconds(start)
    return case((seconds < 0, 0), (seconds > LONGEST_SECONDS, LONGEST_SECONDS), else_=seconds)
