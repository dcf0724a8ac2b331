"""Suppliers: made, listed, found, changed and retired."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.errors import NotFound, ValidationError
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.suppliers.models import Supplier
from app.suppliers.numbers import (
    NewNumber,
    change_number_in,
    readable_number,
    record_number,
)

MOST_NAME = 120


def create(
    name: str, mpesa_number: str, person: Person, *, email: str | None = None, notes: str = ""
) -> Supplier:
    """Make a supplier with its first number. Raises ValidationError and InvalidPhone."""
    supplier = Supplier(
        name=_name(name),
        mpesa_number=readable_number(mpesa_number),
        email=email or None,
        notes=notes,
        created_by=person.id,
    )
    with transaction() as session:
        session.add(supplier)
        session.flush()
        number, person_id = supplier.mpesa_number, supplier.created_by
        record_number(session, supplier.id, None, number, "first number", person_id)
        about = {"name": supplier.name, "number": number}
        audit.record(session, person, "supplier.added", supplier.subject, **about)
    return supplier


def change(
    supplier: Supplier,
    person: Person,
    *,
    name: str | None = None,
    email: str | None = None,
    notes: str | None = None,
    is_active: bool | None = None,
    number: str | None = None,
    reason: str = "",
) -> Supplier:
    """Change what is given, all of it or nothing. Raises ValidationError, and for a new number
    what numbers.change_number raises.
    """
    supplier_id = supplier.id
    with transaction() as session:
        if number is not None:
            change_number_in(session, supplier_id, NewNumber(number, reason, person))
        found = session.get_one(Supplier, supplier_id, populate_existing=True)
        if name is not None:
            found.name = _name(name)
        if email is not None:
            found.email = email or None
        if notes is not None:
            found.notes = notes
        if is_active is not None:
            found.is_active = is_active
        fields = {"name": name, "email": email, "notes": notes, "is_active": is_active}
        changed = {field: value for field, value in fields.items() if value is not None}
        if changed:
            changed.setdefault("name", found.name)
            audit.record(session, person, "supplier.changed", found.subject, **changed)
    return found


def find(ref: object, session: Session | None = None) -> Supplier:
    """Find a supplier by UUID or integer. Raises NotFound."""
    text = str(ref).strip()
    query = select(Supplier).execution_options(populate_existing=True)
    if text.isascii() and text.isdigit() and len(text) <= 15:
        query = query.where(Supplier.id == int(text))
    else:
        try:
            query = query.where(Supplier.uuid == UUID(text))
        except ValueError:
            raise NotFound(marked("There is no such supplier.")) from None
    found = (session or db.session).scalar(query)
    if found is None:
        raise NotFound(marked("There is no such supplier."))
    return found


def page_of_suppliers(
    page: int, per_page: int, search: str = "", *, active_only: bool = False
) -> tuple[Sequence[Supplier], int]:
    """Return one page of suppliers by name, and how many there are."""
    query = select(Supplier)
    if active_only:
        query = query.where(Supplier.is_active)
    if search:
        pattern = f"%{_escaped(search)}%"
        query = query.where(
            or_(
                Supplier.name.ilike(pattern, escape="\\"),
                Supplier.mpesa_number.like(pattern, escape="\\"),
            )
        )
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = query.order_by(Supplier.name, Supplier.id).offset((page - 1) * per_page).limit(per_page)
    return db.session.scalars(rows).all(), total


def _escaped(text: str) -> str:
    return text[:100].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise ValidationError(
            said("Give the supplier's name, in 1 to {most} characters.", most=MOST_NAME),
            details={"field": "name"},
        )
    return name
