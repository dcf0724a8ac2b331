"""Reading the back office's forms about suppliers, each problem with the field it belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.errors import Conflict, ValidationError
from app.core.money import cents_from_shillings
from app.core.texts import marked, said

MOST_EMAIL = 254
MOST_SUPPLIER_NOTES = 2000
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class Details:
    """What is kept of a supplier beside its number."""

    name: str
    email: str
    notes: str


def details_of(form: Mapping[str, str]) -> Details:
    """Read a supplier's details. Raises ValidationError, with the field that is wrong."""
    email, notes = form.get("email", "").strip(), form.get("notes", "").strip()
    if email and (len(email) > MOST_EMAIL or not _EMAIL.fullmatch(email)):
        raise ValidationError(
            marked("Write the e-mail as name@example.com, or leave it out."),
            details={"field": "email"},
        )
    if len(notes) > MOST_SUPPLIER_NOTES:
        raise ValidationError(
            said("Notes take {most:,} characters at most.", most=MOST_SUPPLIER_NOTES),
            details={"field": "notes"},
        )
    return Details(form.get("name", ""), email, notes)


def amount_of(form: Mapping[str, str]) -> int:
    """Return the amount of a form in cents. Raises InvalidAmount."""
    return cents_from_shillings(form.get("amount", ""))


def form_key_of(form: Mapping[str, str]) -> str:
    """Return the key by which a form pays once. Raises Conflict where it has none."""
    key = form.get("form_key", "")
    if not _FORM_KEY.fullmatch(key):
        raise Conflict(marked("This form is not complete. Open the page again; nothing was paid."))
    return key
