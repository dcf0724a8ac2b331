"""Making people, knowing them by their password, and what they change about themselves."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Person
from app.accounts.passwords import hash_password, password_matches
from app.accounts.roles import Role
from app.accounts.sign_ins import end_all_in
from app.audit import service as audit
from app.core.errors import Conflict, InvalidPhone, RateLimited, Unauthorized, ValidationError
from app.core.limiting import spend
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.phone import msisdn

PASSWORD_MINIMUM = 10
PASSWORD_MAXIMUM = 256
MOST_NAME = 120
TRIES_TO_CHANGE = "10/5 minutes"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")


def register(
    email: str, password: str, name: str, phone: str | None = None, *, role: Role = Role.SHOPPER
) -> Person:
    """Make a person. Raises ValidationError, InvalidPhone, or Conflict for a known e-mail."""
    email = _readable_email(email)
    number = _readable_phone(phone)
    _require_good_password(password)
    name = _readable_name(name)
    hashed = hash_password(password)
    person = Person(email=email, name=name, phone=number, password_hash=hashed, role=role)
    try:
        with transaction() as session:
            session.add(person)
    except IntegrityError as error:
        raise Conflict(
            marked("There is an account with that e-mail already. Sign in instead."),
            details={"field": "email"},
        ) from error
    return person


def authenticate(email: str, password: str) -> Person:
    """Return whoever has this e-mail and password; one and the same refusal for all else.

    A suspended or erased person is refused in the same words as a stranger.
    """
    known = Person.email == email.strip().lower()[:254]
    person = db.session.scalar(select(Person).where(known, Person.erased_at.is_(None)))
    stored = person.password_hash if person else None
    matches = password_matches(password[:PASSWORD_MAXIMUM], stored)
    if not matches or person is None or person.is_suspended:
        raise Unauthorized(
            marked("E-mail and password do not belong together. Check both and try again.")
        )
    return person


def change_password(person: Person, present: str, wanted: str, keep: UUID | None) -> None:
    """Give somebody another password and end their sign-ins, but for the one that is kept.

    Raises ValidationError for a wrong present password or a bad new one, and RateLimited.
    """
    person_id = person.id
    require_password(person, present)
    _require_good_password(wanted)
    hashed = hash_password(wanted)
    with transaction() as session:
        found = session.get_one(Person, person_id)
        found.password_hash = hashed
        end_all_in(session, person_id, keep)
        if found.is_staff:
            audit.record(session, found, "person.changed_password", f"person {found.email}")


def require_password(person: Person, typed: str) -> None:
    """Have somebody show their password again. Raises ValidationError and RateLimited."""
    # Whoever finds a browser signed in must not guess the password there.
    if not spend(TRIES_TO_CHANGE, "present-password", f"person:{person.id}"):
        raise RateLimited(marked("Too many tries. Wait five minutes."), retry_after_seconds=300)
    if not password_matches(typed[:PASSWORD_MAXIMUM], person.password_hash):
        raise ValidationError(marked("That is not your password."), details={"field": "present"})


def change_details(person: Person, name: str, phone: str | None) -> None:
    """Give somebody another name and phone number, or none. The e-mail stays: it is how one is
    known here. Raises ValidationError and InvalidPhone.
    """
    name, number, person_id = _readable_name(name), _readable_phone(phone), person.id
    with transaction() as session:
        found = session.get_one(Person, person_id)
        found.name, found.phone = name, number
        if found.is_staff:
            audit.record(session, found, "person.changed_details", f"person {found.email}")


def _readable_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= MOST_NAME:
        raise ValidationError(marked("Tell us your name."), details={"field": "name"})
    return name


def _readable_email(email: str) -> str:
    email = email.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise ValidationError(
            marked("That does not look like an e-mail address."), details={"field": "email"}
        )
    return email


def _readable_phone(phone: str | None) -> str | None:
    if not phone or not phone.strip():
        return None
    number = msisdn(phone)
    if number is None:
        raise InvalidPhone(details={"field": "phone"})
    return number


def _require_good_password(password: str) -> None:
    if not PASSWORD_MINIMUM <= len(password) <= PASSWORD_MAXIMUM:
        raise ValidationError(
            said("Choose a password of at least {count} characters.", count=PASSWORD_MINIMUM),
            details={"field": "password"},
        )
