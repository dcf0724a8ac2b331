"""Statements that decide a race by how many rows they changed."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def rows_changed(session: Session, statement: Executable) -> int:
    """Run an UPDATE or DELETE and return how many rows it changed.

    The compare stands in the statement's WHERE, so the count says who won.
    """
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def insert_or_nothing(session: Session, model: Any, values: dict[str, Any], key: list[str]) -> Any:
    """Insert a row unless one with the same unique ``key`` stands there.

    Returns the new row's primary key, or None. One statement decides, the same on SQLite and
    PostgreSQL, so that of two callers at the same moment exactly one gets a key. (The row count
    of such an INSERT is not told on PostgreSQL.)
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(model.__table__).values(**values).on_conflict_do_nothing(index_elements=key)
    (primary,) = model.__table__.primary_key
    return session.execute(statement.returning(primary)).scalar()
