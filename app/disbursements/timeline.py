"""What happened to money going out, line by line, and the flag that puts it before a person."""

from __future__ import annotations

import re

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.disbursements.models import Disbursement, OutEntry

#: What a Kenyan number looks like in any text; its middle goes.
_NUMBER = re.compile(r"(?<!\d)(\+?254|0)([127]\d{2})\d{3}(\d{3})(?!\d)")


def without_numbers(text: str) -> str:
    """Return a text in which no phone number stands whole."""
    return _NUMBER.sub(r"\1\2***\3", text)


def note(
    session: Session,
    record: Disbursement,
    event: str,
    source: str,
    target: str,
    actor: str,
    why: str,
) -> None:
    """Write a line of the timeline, in the caller's transaction; phone numbers are masked in it."""
    session.add(
        OutEntry(
            disbursement_id=record.id,
            event=event,
            from_status=source,
            to_status=target,
            actor=actor[:80],
            why=without_numbers(why),
        )
    )


def remark(session: Session, record: Disbursement, event: str, actor: str, why: str) -> None:
    """Write a line about something that moved nothing."""
    note(session, record, event, record.status, record.status, actor, why)


def flag(session: Session, record: Disbursement, reason: str, actor: str, why: str) -> None:
    """Put it before a person without moving it, in the caller's transaction."""
    session.execute(
        update(Disbursement)
        .where(Disbursement.id == record.id)
        .values(review_reason=reason, reviewed_at=None)
        .execution_options(synchronize_session="fetch")
    )
    remark(session, record, reason, actor, why)
