"""What is kept about somebody beside their money: who they are, numbers, courses, sign-ins."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import and_, or_, select

from app.accounts.models import Person, SignIn
from app.audit.models import AuditEntry
from app.customer.kept import Row, Subject, by_id, moment
from app.extensions import db
from app.orders.models import Enrolment, Order
from app.payments.methods import PaymentMethod

THE_SHOP, YOU = "the shop", "you"


def who(subject: Subject) -> Row:
    """Return what stands in somebody's account."""
    person = db.session.get_one(Person, subject.id)
    return {
        "id": str(person.uuid),
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "role": person.role,
        "language": person.language,
        "second_factor_since": moment(person.totp_since),
        "registered_at": moment(person.created_at),
    }


def numbers(subject: Subject) -> Iterator[Row]:
    query = select(PaymentMethod).where(PaymentMethod.person_id == subject.id)
    for (method,) in by_id(query, PaymentMethod.id):
        added = moment(method.created_at)
        yield {"phone": method.phone, "is_default": method.is_default, "added_at": added}


def courses(subject: Subject) -> Iterator[Row]:
    query = select(Enrolment, Order).join(Order, Order.id == Enrolment.order_id)
    for enrolment, order in by_id(query.where(Enrolment.person_id == subject.id), Enrolment.id):
        yield {
            "course": enrolment.course.name,
            "since": moment(enrolment.created_at),
            "order": order.number,
        }


def own_sign_ins(subject: Subject) -> Iterator[Row]:
    for (one,) in by_id(select(SignIn).where(SignIn.person_id == subject.id), SignIn.id):
        yield {
            "address": one.address,
            "program": one.program,
            "second_factor": one.second_factor,
            "begun_at": moment(one.created_at),
            "last_seen_at": moment(one.last_seen_at),
            "ended_at": moment(one.ended_at),
        }


def audit_rows(subject: Subject) -> Iterator[Row]:
    """Yield what the audit trail says about somebody, and what they did in the back office.

    Of what they did to others it tells the deed, and neither who that was nor the details.
    """
    own = f"person {subject.email}"
    # Whoever had this e-mail before, and was erased, was somebody else.
    since = db.session.get_one(Person, subject.id).created_at
    named = and_(AuditEntry.subject == own, AuditEntry.at >= since)
    mine = or_(AuditEntry.actor_id == subject.id, named)
    for (entry,) in by_id(select(AuditEntry).where(mine), AuditEntry.id):
        is_own, is_other = entry.subject == own, entry.subject.startswith("person ")
        yield {
            "at": moment(entry.at),
            "by": YOU if entry.actor_id == subject.id else THE_SHOP,
            "action": entry.action,
            "subject": YOU if is_own else "another person" if is_other else entry.subject,
            **({"detail": entry.detail} if is_own else {}),
        }
