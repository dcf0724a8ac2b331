"""Insert-or-nothing, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_or_nothing(session: Session, model: Any, values: dict[str, Any], key: list[str]) -> bool:
    """Insert a row unless one with the same unique ``key`` stands there; tell if it was new.

    One statement decides, so that of two callers at the same moment exactly one hears True.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    done = session.execute(
        insert(model.__table__).values(**values).on_conflict_do_nothing(index_elements=key)
    )
    return bool(done.rowcount == 1)
