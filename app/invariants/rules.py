"""What a rule of the books is, and the parts that the rules of money in and out share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from app.extensions import db

#: One round of the sweep.
SWEEP_SECONDS = 60
_WHOLE_PHONE = re.compile(r"(?<!\d)(?:254|\+254|0)[127]\d{8}(?!\d)")
_CHUNK = 1000


@dataclass(frozen=True)
class Violation:
    """Something that must never be: which rule, about what, and in which way."""

    rule: str
    subject: str
    problem: str


Check = Callable[[], Iterator[Violation]]


def timeline_explains(
    model: Any, entry: Any, key: str, edges: dict[tuple[str, str], str], name: str
) -> Iterator[Violation]:
    """I8: the timeline explains the status, step by step, along edges that exist."""
    rule = "I8 every change is written down"
    owner = getattr(entry, key)
    line = aliased(entry)
    newest = select(func.max(line.id)).where(getattr(line, key) == model.id).scalar_subquery()
    last = select(model.id, model.status, entry.to_status).outerjoin(entry, entry.id == newest)
    differ = or_(entry.to_status.is_(None), entry.to_status != model.status)
    for row in db.session.execute(last.where(differ)):
        told = f"is {row.status}, and its timeline ends with {row.to_status}"
        yield Violation(rule, f"{name} {row.id}", told)
    before = func.lag(entry.to_status).over(partition_by=owner, order_by=entry.id)
    steps = select(owner.label("of"), entry.event, entry.from_status, entry.to_status, entry.actor)
    steps = steps.add_columns(entry.why, before.label("before")).execution_options(yield_per=_CHUNK)
    for row in db.session.execute(steps):
        problem = _bad_step(row, edges)
        if problem:
            yield Violation(rule, f"{name} {row.of}", problem)


def _bad_step(row: Any, edges: dict[tuple[str, str], str]) -> str | None:
    if not row.actor or not row.why:
        return f"{row.event} does not say who or why"
    if row.from_status != (row.before or ""):
        return f"{row.event} starts from {row.from_status}, after {row.before}"
    if row.before is None or row.from_status == row.to_status:
        return None
    if edges.get((row.from_status, row.event)) != row.to_status:
        return f"no edge {row.event} leads from {row.from_status} to {row.to_status}"
    return None


def each(query: Select[Any]) -> Iterator[Any]:
    """Read the rows of a question bit by bit."""
    return iter(db.session.scalars(query.execution_options(yield_per=_CHUNK)))


def no_phones_in(texts: tuple[tuple[str, Any, Any], ...]) -> Iterator[Violation]:
    """I10: what was written for people names no whole phone number. Each: name, key and column."""
    rule = "I10 no secrets in words"
    for name, key, text in texts:
        rows = select(key, text).where(text.is_not(None)).execution_options(yield_per=_CHUNK)
        for row_id, words in db.session.execute(rows):
            if _WHOLE_PHONE.search(words):
                yield Violation(rule, f"{name} {row_id}", "holds a whole phone number")
