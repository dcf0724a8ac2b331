"""Making people and signing them in and out."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Person, SignIn
from app.accounts.passwords import hash_password, password_matches
from app.accounts.roles import Role
from app.core.clock import now
from app.core.errors import Conflict, InvalidPhone, Unauthorized, ValidationError
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.phone import msisdn

SIGN_IN_DAYS = 30
PASSWORD_MINIMUM = 10
PASSWORD_MAXIMUM = 256
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")


def register(
    email: str, password: str, name: str, phone: str | None = None, *, role: Role = Role.SHOPPER
) -> Person:
    """Make a person. Raises ValidationError, InvalidPhone, or Conflict for a known e-mail."""
    email = _readable_email(email)
    number = _readable_phone(phone)
    _require_good_password(password)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 120:
        raise ValidationError("Tell us your name.", details={"field": "name"})
    hashed = hash_password(password)
    person = Person(email=email, name=name, phone=number, password_hash=hashed, role=role)
    try:
        with transaction() as session:
            session.add(person)
    except IntegrityError as error:
        raise Conflict(
            "There is an account with that e-mail already. Sign in instead.",
            details={"field": "email"},
        ) from error
    return person


def authenticate(email: str, password: str) -> Person:
    """Return whoever has this e-mail and password; one and the same refusal for all else."""
    person = db.session.scalar(select(Person).where(Person.email == email.strip().lower()[:254]))
    stored = person.password_hash if person else None
    if not password_matches(password[:PASSWORD_MAXIMUM], stored) or person is None:
        raise Unauthorized("E-mail and password do not belong together. Check both and try again.")
    return person


def start_sign_in(person_id: int, address: str | None, program: str | None) -> SignIn:
    """Open a sign-in that lasts SIGN_IN_DAYS unless it is ended."""
    with transaction() as session:
        sign_in = SignIn(
            person_id=person_id,
            expires_at=now() + timedelta(days=SIGN_IN_DAYS),
            address=address,
            program=(program or "")[:255],
        )
        session.add(sign_in)
    return sign_in


def end_sign_in(uuid: UUID) -> None:
    """End a sign-in: every token given for it stops working at once."""
    with transaction() as session:
        session.execute(
            update(SignIn)
            .where(SignIn.uuid == uuid, SignIn.ended_at.is_(None))
            .values(ended_at=now())
        )


def person_of_sign_in(sign_in: UUID) -> Person | None:
    """Return whose sign-in this is while it is open, else None."""
    return db.session.scalar(
        select(Person)
        .join(SignIn, SignIn.person_id == Person.id)
        .where(SignIn.uuid == sign_in, SignIn.ended_at.is_(None), SignIn.expires_at > now())
    )


def _readable_email(email: str) -> str:
    email = email.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise ValidationError(
            "That does not look like an e-mail address.", details={"field": "email"}
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
            f"Choose a password of at least {PASSWORD_MINIMUM} characters.",
            details={"field": "password"},
        )
