"""Sign-ins: begun, found open, seen, listed and ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Update, and_, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, contains_eager

from app.accounts.models import Person, SignIn
from app.accounts.roles import ALLOWED, May, Role
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Busy
from app.core.statements import rows_changed
from app.core.unit_of_work import transaction
from app.extensions import db

logger = logging.getLogger(__name__)

DAYS = 30
#: How exact "last seen" is: a write at every request would cost more than it tells.
SEEN_EVERY = timedelta(minutes=5)
#: So many of a person's open sign-ins are shown.
MOST_SHOWN = 50


def start(
    person_id: int, address: str | None, program: str | None, *, second_factor: bool = False
) -> SignIn:
    """Open a sign-in that lasts DAYS unless it is ended. The staff's are in the audit trail."""
    with transaction() as session:
        sign_in = SignIn(
            person_id=person_id,
            expires_at=now() + timedelta(days=DAYS),
            address=address,
            program=(program or "")[:255],
            last_seen_at=now(),
            second_factor=second_factor,
        )
        session.add(sign_in)
        person = session.get_one(Person, person_id)
        if person.is_staff:
            told = {"address": address, "second_factor": second_factor}
            audit.record(session, person, "person.signed_in", f"person {person.email}", **told)
    return sign_in


def open_one(uuid: UUID) -> SignIn | None:
    """Return a sign-in with its person while it is open and the person may still enter."""
    return db.session.scalar(_OPEN_ONE, {"uuid": uuid, "moment": now()})


def person_of(uuid: UUID) -> Person | None:
    """Return whose sign-in this is while it is open, else None."""
    found = open_one(uuid)
    return found.person if found else None


def open_among(uuids: set[UUID]) -> dict[UUID, bool]:
    """Return which of these sign-ins are open, each with whether its owner is of the staff."""
    # Columns and no objects: with a thousand sockets this is asked about as many each second.
    query = (
        select(SignIn.uuid, Person.role)
        .join(SignIn.person)
        .where(SignIn.uuid.in_(uuids), lets_in(now()))
    )
    return {uuid: May.SEE in ALLOWED[Role(role)] for uuid, role in db.session.execute(query)}


def open_ones(person_id: int) -> Sequence[SignIn]:
    """Return a person's open sign-ins, the last seen first."""
    query = select(SignIn).where(SignIn.person_id == person_id, _is_open(now()))
    newest = query.order_by(SignIn.last_seen_at.desc(), SignIn.id.desc())
    return db.session.scalars(newest.limit(MOST_SHOWN)).all()


def see(sign_in: SignIn) -> None:
    """Write down that a sign-in is in use, where the last time is not just now.

    It is only told to people, so a database that is busy may refuse it.
    """
    seen, uuid = sign_in.last_seen_at, sign_in.uuid
    if seen is not None and seen > now() - SEEN_EVERY:
        return
    before = or_(SignIn.last_seen_at.is_(None), SignIn.last_seen_at <= now() - SEEN_EVERY)
    try:
        with transaction() as session:
            statement = update(SignIn).where(SignIn.uuid == uuid, before)
            session.execute(statement.values(last_seen_at=now()))
    except (Busy, SQLAlchemyError) as error:
        logger.info("a sign-in was seen, and not written (%s)", type(error).__name__)


def end(uuid: UUID) -> None:
    """End a sign-in: every token given for it stops working at once."""
    with transaction() as session:
        session.execute(_ending(SignIn.uuid == uuid))


def end_own(person_id: int, uuid: UUID) -> bool:
    """End one of a person's own sign-ins; False where there is no such one of theirs."""
    with transaction() as session:
        return bool(
            rows_changed(session, _ending(SignIn.uuid == uuid, SignIn.person_id == person_id))
        )


def end_others(person_id: int, keep: UUID) -> int:
    """End all sign-ins of a person but one; return how many."""
    with transaction() as session:
        return end_all_in(session, person_id, keep)


def end_all_in(session: Session, person_id: int, keep: UUID | None = None) -> int:
    """End a person's sign-ins but for one, in the caller's transaction; return how many."""
    others = [SignIn.person_id == person_id]
    if keep is not None:
        others.append(SignIn.uuid != keep)
    return rows_changed(session, _ending(*others))


def _ending(*of_these: ColumnElement[bool]) -> Update:
    return update(SignIn).where(SignIn.ended_at.is_(None), *of_these).values(ended_at=now())


def lets_in(moment: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    """Hold for sign-ins, joined to their people, by which somebody may enter at a moment.

    A sign-in may have raced with its person's being suspended or erased.
    """
    return and_(_is_open(moment), Person.suspended_at.is_(None), Person.erased_at.is_(None))


def _is_open(moment: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    return and_(SignIn.ended_at.is_(None), SignIn.expires_at > moment)


#: Asked at every request of whoever is signed in: put together once.
_OPEN_ONE = (
    select(SignIn)
    .join(SignIn.person)
    .options(contains_eager(SignIn.person))
    .where(SignIn.uuid == bindparam("uuid"), lets_in(bindparam("moment")))
)
