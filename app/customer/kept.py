"""Whose data is meant, and how many rows of it are read at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.clock import iso_seconds
from app.core.unit_of_work import end_reads
from app.extensions import db

CHUNK = 500
#: So much of one kind is more than a person can have done, and an end all the same.
MOST_CHUNKS = 400

Row = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """Somebody, by what finds their rows, whatever becomes of the session in between."""

    id: int
    email: str


def by_id(query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[int]) -> Iterator[Any]:
    """Yield a query's rows in the order of their ids, CHUNK at a time; each row has ``key``
    in its first column's model. Nothing stays in memory or in a transaction.
    """
    last = 0
    for _ in range(MOST_CHUNKS):
        page = db.session.execute(query.where(key > last).order_by(key).limit(CHUNK)).all()
        yield from page
        if len(page) < CHUNK:
            return
        last = getattr(page[-1][0], key.key)
        db.session.expunge_all()
        end_reads()


def moment(when: datetime | None) -> str | None:
    """Write a moment in UTC, such as ``2026-11-21T08:00:00Z``."""
    return iso_seconds(when) if when else None
