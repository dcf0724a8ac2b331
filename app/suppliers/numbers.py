"""A supplier's M-Pesa number: how it changes, and what a change means for payouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, InvalidPhone, NotFound, ValidationError
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.phone import msisdn
from app.settings.service import settings
from app.suppliers.models import NumberChange, Supplier

MOST_WORDS = 500


class NewNumber(NamedTuple):
    """A number as somebody typed it, why it is to change, and who says so."""

    text: str
    reason: str
    person: Person


def readable_number(text: str) -> str:
    """Return a number's twelve digits. Raises InvalidPhone."""
    number = msisdn(text)
    if number is None:
        raise InvalidPhone(details={"field": "mpesa_number"})
    return number


def change_number(supplier_id: int, text: str, reason: str, person: Person) -> NumberChange | None:
    """Give a supplier another number, once; None when it has that number already.

    Payouts that somebody has asked for keep the number they were asked for with. Raises
    InvalidPhone, ValidationError without a reason, and Conflict when somebody was faster.
    """
    wanted = NewNumber(text, reason, person)
    with transaction() as session:
        return change_number_in(session, supplier_id, wanted)


def change_number_in(session: Session, supplier_id: int, wanted: NewNumber) -> NumberChange | None:
    """Change a number in the caller's transaction; see ``change_number``."""
    number, words = readable_number(wanted.text), wanted.reason.strip()
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            said("Say why the number changes, in 1 to {most} characters.", most=MOST_WORDS),
            details={"field": "reason"},
        )
    supplier = session.get(Supplier, supplier_id, populate_existing=True)
    if supplier is None:
        raise NotFound
    previous = supplier.mpesa_number
    if previous == number:
        return None
    changed = (
        update(Supplier)
        .where(Supplier.id == supplier_id, Supplier.mpesa_number == previous)
        .values(mpesa_number=number)
    )
    if rows_changed(session, changed) != 1:
        raise Conflict(marked("Somebody has just changed this number. Look at it again."))
    change = record_number(session, supplier_id, previous, number, words, wanted.person.id)
    numbers = {"name": supplier.name, "before": previous, "number": number}
    action = "supplier.number_changed"
    audit.record(session, wanted.person, action, supplier.subject, why=words, **numbers)
    return change


def record_number(
    session: Session,
    supplier_id: int,
    previous: str | None,
    number: str,
    reason: str,
    person_id: int,
) -> NumberChange:
    """Write a line of the number history, in the caller's transaction."""
    change = NumberChange(
        supplier_id=supplier_id,
        previous=previous,
        number=number,
        reason=reason,
        changed_by=person_id,
    )
    session.add(change)
    session.flush()
    return change


def prove(supplier_id: int, person: Person) -> None:
    """End the cooling-off of the newest number: a second admin has made sure of it.

    Raises Forbidden for whoever changed it, and Conflict when nothing cools off.
    """
    with transaction() as session:
        change = newest_change(session, supplier_id)
        if change is None or cooling_until(session, supplier_id) is None:
            raise Conflict(marked("This number is not cooling off."))
        if change.changed_by == person.id:
            raise Forbidden(
                marked("You changed this number yourself: another person has to make sure.")
            )
        change.proved_by, change.proved_at = person.id, now()
        supplier = session.get_one(Supplier, supplier_id)
        audit.record(
            session, person, "supplier.number_proved", supplier.subject, name=supplier.name
        )


def cooling_until(session: Session, supplier_id: int) -> datetime | None:
    """Return until when payouts to this supplier need a second admin; None for not at all.

    A supplier's first number does not cool off: nobody was paid under another one.
    """
    change = newest_change(session, supplier_id)
    if change is None or change.previous is None or change.proved_at is not None:
        return None
    until = change.changed_at + timedelta(hours=settings().supplier_cooling_hours)
    return until if until > now() else None


def cooling_now(supplier_id: int) -> datetime | None:
    """Return until when this supplier's number cools off, outside any transaction."""
    return cooling_until(db.session(), supplier_id)


def changed_lately_by(session: Session, supplier_id: int, person_id: int) -> bool:
    """Tell whether this person made the change that is cooling off."""
    if cooling_until(session, supplier_id) is None:
        return False
    change = newest_change(session, supplier_id)
    return change is not None and change.changed_by == person_id


def newest_change(session: Session, supplier_id: int) -> NumberChange | None:
    """Return the newest line of a supplier's number history."""
    query = select(NumberChange).where(NumberChange.supplier_id == supplier_id)
    return session.scalar(query.order_by(NumberChange.id.desc()).limit(1))


def history(supplier_id: int, limit: int = 50) -> Sequence[NumberChange]:
    """Return a supplier's numbers, newest first."""
    query = select(NumberChange).where(NumberChange.supplier_id == supplier_id)
    return db.session.scalars(query.order_by(NumberChange.id.desc()).limit(limit)).all()


def changed_lately(limit: int = 50) -> Sequence[NumberChange]:
    """Return the changes that are cooling off, for the other admins to see."""
    since = now() - timedelta(hours=settings().supplier_cooling_hours)
    query = select(NumberChange).where(
        NumberChange.changed_at > since,
        NumberChange.previous.is_not(None),
        NumberChange.proved_at.is_(None),
    )
    return db.session.scalars(query.order_by(NumberChange.id.desc()).limit(limit)).all()
