"""Finding a record by any of its names, and making a new one."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.disbursements.models import Disbursement, Kind
from app.extensions import db
from app.payments.initiate import new_reference

_NAME_TRIES = 20
_NAME = re.compile(r"[A-Z0-9]{20}")
_PREFIXES = {Kind.REFUND: "RFD", Kind.PAYOUT: "PAY"}


def find(ref: object, kind: Kind | None = None) -> Disbursement:
    """Find by integer, UUID or public name. Raises NotFound."""
    text = str(ref).strip()
    query = select(Disbursement).execution_options(populate_existing=True)
    if text.isascii() and text.isdigit() and len(text) <= 15:
        query = query.where(Disbursement.id == int(text))
    elif (uuid := _uuid(text)) is not None:
        query = query.where(Disbursement.uuid == uuid)
    elif _NAME.fullmatch(text):
        query = query.where(Disbursement.public_ref == text)
    else:
        raise NotFound
    found = db.session.scalar(query)
    if found is None or (kind is not None and found.kind != kind):
        raise NotFound
    return found


def new_name(kind: Kind) -> str:
    """Return a fresh public name, ``RFD…`` or ``PAY…``."""
    return new_reference(_PREFIXES[kind])


def with_fresh_names(work: Callable[[Session], int]) -> int:
    """Do ``work`` in a transaction, again while a name that it took is somebody else's.

    Raises Conflict when that does not end.
    """
    for _ in range(_NAME_TRIES):
        try:
            with transaction() as session:
                return work(session)
        except IntegrityError:
            continue
    raise Conflict(marked("Too many at this very moment. Try again."), retry_after_seconds=1)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
