"""Writing the audit trail, and proving that nobody rewrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit.models import GENESIS, HEAD_ID, AuditEntry, AuditHead
from app.core.clock import NAIROBI, now
from app.core.request_ids import current_request_id
from app.core.statements import begins_with, insert_or_nothing
from app.extensions import db
from app.monitoring import redact

#: How many rows the check holds in memory at a time.
CHUNK = 1000
#: Among so many rows what was asked for is looked for first.
RECENT = 2000


def record(
    session: Session,
    actor: Person | str,
    action: str,
    subject: str = "",
    **detail: str | int | bool | None,
) -> AuditEntry:
    """Write what was done into the caller's transaction: it stands if, and only if, the deed does.

    ``actor`` is who did it, or the name of a machine or command. Phone numbers and tokens in
    ``detail`` are masked; hand over no other secret. Every writer waits for the one before, so
    call it late in the transaction, after the rows that others may be waiting for are locked.
    """
    end = _locked_head(session)
    entry = AuditEntry(
        id=end.last_id + 1,
        at=now(),
        actor_id=actor.id if isinstance(actor, Person) else None,
        actor=(actor.email if isinstance(actor, Person) else actor)[:80],
        action=action,
        subject=subject[:80],
        detail={name: redact(it) if isinstance(it, str) else it for name, it in detail.items()},
        request_id=current_request_id(),
        previous_hash=end.last_hash,
    )
    entry.hash = fingerprint(entry)
    session.add(entry)
    end.last_id, end.last_hash = entry.id, entry.hash
    session.flush()
    return entry


def _locked_head(session: Session) -> AuditHead:
    first = {"id": HEAD_ID, "last_id": 0, "last_hash": GENESIS}
    insert_or_nothing(session, AuditHead, first, key=["id"])
    return session.get_one(AuditHead, HEAD_ID, with_for_update=True, populate_existing=True)


def fingerprint(entry: AuditEntry) -> str:
    """Return the SHA-256 of everything that a row says, as 64 hexadecimal digits."""
    said = {
        "id": entry.id,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "request_id": entry.request_id,
        "previous": entry.previous_hash,
    }
    written = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def faults() -> Iterator[str]:
    """Yield every way in which the chain does not hold, in words; nothing when it does."""
    expected_id, previous = 1, GENESIS
    for entry in _all_entries():
        if entry.id != expected_id:
            yield f"row {expected_id} is missing: after it comes row {entry.id}"
        if entry.previous_hash != previous:
            yield f"row {entry.id} does not follow the row before it"
        if entry.hash != fingerprint(entry):
            yield f"row {entry.id} was changed after it was written"
        expected_id, previous = entry.id + 1, entry.hash
    end = head()
    if end != (expected_id - 1, previous):
        yield f"the chain is to end with row {end[0]}, and ends with row {expected_id - 1}"


def _all_entries() -> Iterator[AuditEntry]:
    last_id = 0
    while True:
        page = db.session.scalars(
            select(AuditEntry).where(AuditEntry.id > last_id).order_by(AuditEntry.id).limit(CHUNK)
        ).all()
        yield from page
        if len(page) < CHUNK:
            return
        last_id = page[-1].id
        db.session.expunge_all()


@dataclass(frozen=True)
class Wanted:
    """Which rows somebody wants to see; what is empty narrows nothing."""

    #: A person's e-mail, or a machine's name.
    actor: str = ""
    #: How the action begins: ``payment`` for all of payments.
    action: str = ""
    subject: str = ""
    #: A day in Nairobi.
    day: date | None = None


def newest(
    before_id: int | None = None, limit: int = 50, wanted: Wanted | None = None
) -> Sequence[AuditEntry]:
    """Return the newest rows, or those older than ``before_id``; at most ``limit``."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AuditEntry.id < before_id)
    if wanted is None or wanted == Wanted():
        return db.session.scalars(query).all()
    query = query.where(*_conditions(wanted))
    # What happens often is among the newest; only what is rare is sought by its index.
    newer = (before_id or head()[0] + 1) - RECENT
    found = db.session.scalars(query.where(AuditEntry.id > newer)).all()
    return found if len(found) >= limit or newer <= 0 else db.session.scalars(query).all()


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.actor:
        yield AuditEntry.actor == wanted.actor
    if wanted.action:
        yield from begins_with(AuditEntry.action, wanted.action)
    if wanted.subject:
        yield AuditEntry.subject == wanted.subject
    if wanted.day:
        begins = datetime.combine(wanted.day, time(), tzinfo=NAIROBI)
        yield AuditEntry.at >= begins
        yield AuditEntry.at < begins + timedelta(days=1)


def head() -> tuple[int, str]:
    """Return the number of rows in the chain, and the hash of the last."""
    found = db.session.get(AuditHead, HEAD_ID, populate_existing=True)
    return (found.last_id, found.last_hash) if found else (0, GENESIS)


def holds(hash_noted: str) -> bool:
    """Tell whether the chain has, or had as its end, a hash that somebody noted down earlier."""
    query = select(AuditEntry.id).where(AuditEntry.hash == hash_noted)
    return hash_noted == GENESIS or db.session.scalar(query) is not None
