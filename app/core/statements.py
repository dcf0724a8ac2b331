"""Statements that decide a race by how many rows they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extensions import db

_LAST_LETTER = "\U0010ffff"


def rows_changed(session: Session, statement: Executable) -> int:
    """Run an UPDATE or DELETE and return how many rows it changed.

    The compare stands in the statement's WHERE, so the count says who won.
    """
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def begins_with(column: Any, text: str) -> list[ColumnElement[bool]]:
    """Return conditions that hold where a column begins with a text, and that find it quickly.

    SQLite's LIKE takes no index, but its letters stand in the order of their numbers; PostgreSQL
    reads an index made with ``varchar_pattern_ops``.
    """
    found = [column.startswith(text, autoescape=True)]
    if db.engine.dialect.name == "sqlite":
        found += [column >= text, column <= text + _LAST_LETTER]
    return found


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


def insert_new(
    session: Session, model: Any, rows: Sequence[dict[str, Any]], key: str
) -> dict[Any, Any]:
    """Insert many rows but for those whose unique ``key`` stands there; return the new ones'
    primary keys by their ``key``. Of two rows with one key the first is inserted.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    (primary,) = model.__table__.primary_key
    statement = insert(model.__table__).on_conflict_do_nothing(index_elements=[key])
    inserted = session.execute(statement.returning(primary, model.__table__.c[key]), rows)
    return {row[1]: row[0] for row in inserted}
