"""What the people of the shop write down about an order, and what happened to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import select

from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import Conflict, ValidationError
from app.core.statements import insert_or_nothing
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import OrderEntry, OrderNote

MOST_TEXT = 2000
MOST_SHOWN = 200
_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


def add(order_id: int, person: Person, text: str, form_key: str) -> bool:
    """Write a note about an order; False where this form has written it already.

    Raises ValidationError for a text that is empty or too long, and Conflict for a form without
    its key.
    """
    written = text.replace("\r\n", "\n").strip()
    if not 1 <= len(written) <= MOST_TEXT:
        raise ValidationError(
            said("Write a note of 1 to {most:,} characters.", most=MOST_TEXT),
            details={"field": "text"},
        )
    if not _FORM_KEY.fullmatch(form_key):
        raise Conflict(
            marked("This form is not complete. Open the page again; nothing was written.")
        )
    row = {
        "order_id": order_id,
        "at": now(),
        "person_id": person.id,
        "text": written,
        "form_key": form_key,
    }
    with transaction() as session:
        if insert_or_nothing(session, OrderNote, row, key=["form_key"]) is None:
            return False
        record(session, person, "order.annotated", f"order {order_id}")
        return True


def notes_of(order_id: int) -> Sequence[OrderNote]:
    """Return the newest notes about an order, newest first."""
    query = select(OrderNote).where(OrderNote.order_id == order_id)
    return db.session.scalars(query.order_by(OrderNote.id.desc()).limit(MOST_SHOWN)).all()


def timeline_of(order_id: int) -> Sequence[OrderEntry]:
    """Return what happened to an order, oldest first."""
    query = select(OrderEntry).where(OrderEntry.order_id == order_id)
    return db.session.scalars(query.order_by(OrderEntry.id).limit(MOST_SHOWN)).all()
