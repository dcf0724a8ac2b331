"""Who works here: found, given roles, suspended, and let in again after a lost phone."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import second_factor
from app.accounts.models import Person
from app.accounts.roles import Role
from app.accounts.sign_ins import end_all_in
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db

MOST_WORDS = 300
#: So many people of the staff are listed; a shop with more has outgrown this page.
MOST_STAFF = 200


def staff() -> Sequence[Person]:
    """Return everybody with a role in the back office, by name."""
    query = select(Person).where(Person.role.in_([role for role in Role if role != Role.SHOPPER]))
    return db.session.scalars(query.order_by(Person.name, Person.id).limit(MOST_STAFF)).all()


def find(uuid: str) -> Person:
    """Return a person by UUID. Raises NotFound."""
    try:
        found = db.session.scalar(select(Person).where(Person.uuid == UUID(uuid)))
    except ValueError:
        found = None
    if found is None:
        raise NotFound(marked("There is no such person."))
    return found


def find_by_email(email: str) -> Person:
    """Return a person by their whole e-mail. Raises NotFound."""
    found = db.session.scalar(select(Person).where(Person.email == email.strip().lower()[:254]))
    if found is None:
        raise NotFound(
            marked(
                "Nobody has registered with that e-mail. Ask them to make an account in the shop "
                "first; then give it a role here."
            )
        )
    return found


def give_role(person_id: int, role: str, by: Person, why: str) -> None:
    """Give somebody a role, which counts from their next request on.

    Raises ValidationError, Conflict for the last owner, and where it is their role already.
    """
    wanted, words = _readable_role(role), readable(why)
    with transaction() as session:
        found = _locked(session, person_id, keeps_owner=wanted is Role.ADMIN)
        before = found.role
        if before == wanted:
            raise Conflict(said("{name} has that role already.", name=found.name))
        found.role = wanted
        _record(session, by, "person.given_role", found, words, before=before, role=wanted)


def suspend(person_id: int, by: Person, why: str) -> None:
    """End all sign-ins of somebody, and let them begin none.

    Raises ValidationError without a reason, and Conflict for the last owner.
    """
    words = readable(why)
    with transaction() as session:
        found = _locked(session, person_id)
        if found.is_suspended:
            raise Conflict(said("{name} is suspended already.", name=found.name))
        found.suspended_at = now()
        ended = end_all_in(session, person_id)
        _record(session, by, "person.suspended", found, words, sign_ins_ended=ended)


def restore(person_id: int, by: Person, why: str) -> None:
    """Let somebody sign in again. Raises ValidationError, and Conflict where they may."""
    words = readable(why)
    with transaction() as session:
        found = _locked(session, person_id, keeps_owner=True)
        if not found.is_suspended:
            raise Conflict(said("{name} is not suspended.", name=found.name))
        found.suspended_at = None
        _record(session, by, "person.restored", found, words)


def end_sign_ins(person_id: int, by: Person, why: str) -> int:
    """End all sign-ins of somebody; return how many. They may sign in anew."""
    words = readable(why)
    with transaction() as session:
        found = _locked(session, person_id, keeps_owner=True)
        ended = end_all_in(session, person_id)
        _record(session, by, "person.signed_out", found, words, sign_ins_ended=ended)
    return ended


def reset_second_factor(person_id: int, by: Person | str, why: str) -> None:
    """Take somebody's second factor away, when their phone is lost; their sign-ins end.

    ``by`` is a person, or the name of a command. Raises ValidationError without a reason, and
    Conflict where there is none.
    """
    words = readable(why)
    with transaction() as session:
        found = _locked(session, person_id, keeps_owner=True)
        if not found.has_second_factor:
            raise Conflict(said("{name} has no second factor.", name=found.name))
        second_factor.take_away_in(session, found)
        _record(session, by, "second_factor.reset", found, words)


def readable(why: str) -> str:
    """Return a reason without blanks around it. Raises ValidationError for none."""
    words = why.strip()
    if not words or len(words) > MOST_WORDS:
        raise ValidationError(
            said("Say why, in 1 to {most} characters.", most=MOST_WORDS), details={"field": "why"}
        )
    return words


def _readable_role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise ValidationError(
            said("The role must be one of {roles}.", roles=", ".join(Role)),
            details={"field": "role"},
        ) from None


def _locked(session: Session, person_id: int, *, keeps_owner: bool = False) -> Person:
    """Return somebody whose row nobody else changes now. Raises Conflict for the last owner.

    Two owners who take each other's role at once would leave none: whoever is to lose it waits
    for all owners' rows, always in the same order. The lock lets others refer to the row, as each
    line of the audit trail does whose writer others wait for: a stronger one would be a deadlock.
    """
    if not keeps_owner:
        owners = select(Person.id).where(Person.role == Role.ADMIN, Person.suspended_at.is_(None))
        rows = owners.order_by(Person.id).with_for_update(key_share=True)
        others = set(session.scalars(rows)) - {person_id}
        if not others:
            raise Conflict(
                marked("This is the shop's only owner. Make somebody else an owner first.")
            )
    lock = {"key_share": True}
    return session.get_one(Person, person_id, populate_existing=True, with_for_update=lock)


def _record(
    session: Session,
    by: Person | str,
    action: str,
    found: Person,
    why: str,
    **detail: str | int,
) -> None:
    audit.record(session, by, action, f"person {found.email}", why=why, **detail)
