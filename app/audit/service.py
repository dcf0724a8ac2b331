"""Writing the audit trail, and proving that nobody rewrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit.models import GENESIS, HEAD_ID, AuditEntry, AuditHead
from app.core.clock import now
from app.core.statements import insert_or_nothing
from app.extensions import db

#: How many rows the check holds in memory at a time.
CHUNK = 1000


def record(
    session: Session,
    actor: Person | str,
    action: str,
    subject: str = "",
    **detail: str | int | bool | None,
) -> AuditEntry:
    """Write what was done into the caller's transaction: it stands if, and only if, the deed does.

    ``actor`` is who did it, or the name of a machine or command. ``detail`` is written as it is:
    hand over no secret, and no whole phone number. Every writer waits for the one before, so
    call it late in the transaction, after the rows that others may be waiting for are locked.
    """
    head = _locked_head(session)
    entry = AuditEntry(
        id=head.last_id + 1,
        at=now(),
        actor_id=actor.id if isinstance(actor, Person) else None,
        actor=(actor.email if isinstance(actor, Person) else actor)[:80],
        action=action,
        subject=subject[:80],
        detail=detail,
        previous_hash=head.last_hash,
    )
    entry.hash = fingerprint(entry)
    session.add(entry)
    head.last_id, head.last_hash = entry.id, entry.hash
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
    head = db.session.get(AuditHead, HEAD_ID, populate_existing=True)
    end = (head.last_id, head.last_hash) if head else (0, GENESIS)
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


def newest(before_id: int | None = None, limit: int = 50, subject: str = "") -> list[AuditEntry]:
    """Return the newest rows, or those older than ``before_id``; at most ``limit``."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AuditEntry.id < before_id)
    if subject:
        query = query.where(AuditEntry.subject == subject)
    return list(db.session.scalars(query))
