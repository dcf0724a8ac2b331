"""Lists of money out, for pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from app.accounts.models import Person
from app.disbursements.models import Disbursement, Kind, OutEntry
from app.disbursements.states import OutStatus
from app.extensions import db

MOST_ENTRIES = 200
_PERSON = re.compile(r"person ([0-9]{1,18})")


@dataclass(frozen=True)
class Sum:
    """How much stands in one state: a count, and cents."""

    status: OutStatus
    count: int
    cents: int


@dataclass(frozen=True)
class Happening:
    """One line of a timeline, with people by their names."""

    at: datetime
    event: str
    actor: str
    why: str
    to_status: str


def page_of(
    kind: Kind | None,
    page: int,
    per_page: int,
    *,
    status: OutStatus | None = None,
    supplier_id: int | None = None,
    run_id: int | None = None,
) -> tuple[Sequence[Disbursement], int]:
    """Return one page of refunds, payouts or both, newest first, and how many there are."""
    query = select(Disbursement)
    wanted = {"kind": kind, "status": status, "supplier_id": supplier_id, "run_id": run_id}
    query = query.filter_by(**{name: value for name, value in wanted.items() if value is not None})
    total = db.session.scalar(_count_of(query)) or 0
    query = query.options(
        joinedload(Disbursement.supplier),
        joinedload(Disbursement.payment),
        joinedload(Disbursement.credit),
    )
    newest = query.order_by(Disbursement.id.desc()).offset((page - 1) * per_page).limit(per_page)
    return db.session.scalars(newest).all(), total


def sums(kind: Kind) -> list[Sum]:
    """Return for every state how many stand in it, and how much money that is."""
    amounts = func.coalesce(func.sum(Disbursement.amount_cents), 0)
    query = select(Disbursement.status, func.count(), amounts).where(Disbursement.kind == kind)
    found = {
        OutStatus(status): (count, int(cents))
        for status, count, cents in db.session.execute(query.group_by(Disbursement.status))
    }
    return [Sum(status, *found.get(status, (0, 0))) for status in OutStatus]


def timeline_of(record: Disbursement) -> list[Happening]:
    """Return what happened to a record, oldest first."""
    query = select(OutEntry).where(OutEntry.disbursement_id == record.id)
    entries = db.session.scalars(query.order_by(OutEntry.id).limit(MOST_ENTRIES)).all()
    names = names_of(entry.actor for entry in entries)
    return [
        Happening(
            entry.at, entry.event, names.get(entry.actor, entry.actor), entry.why, entry.to_status
        )
        for entry in entries
    ]


def said_last(record: Disbursement, event: str) -> str | None:
    """Return the words of the newest line of one kind in a record's timeline."""
    query = select(OutEntry.why).where(
        OutEntry.disbursement_id == record.id, OutEntry.event == event
    )
    return db.session.scalar(query.order_by(OutEntry.id.desc()).limit(1))


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Return how those actors of timelines are called that have a name of their own."""
    ids = {int(match[1]) for actor in actors if (match := _PERSON.fullmatch(actor))}
    people = db.session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return {"machine": "Lipa"} | {f"person {person_id}": name for person_id, name in people}


def _count_of(query: Select[Disbursement]) -> Select[int]:
    return select(func.count()).select_from(query.subquery())
