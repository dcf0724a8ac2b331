"""What stands in a cell: money, moments and texts that no spreadsheet carries out."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from app.core.clock import nairobi
from app.core.money import CENTS
from app.mpesa.phone import masked

Cell = str | int | Decimal | None
#: What spreadsheets take for the beginning of a formula; the second four are the wide forms.
FORMULA_MARKS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_BLANKS = ("\t", "\r", "\n")
#: What neither XML nor a person's screen can show.
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST_TEXT = 32_000


def money(cents: int | None) -> Decimal | None:
    """Return cents as shillings with two decimals, exactly."""
    return None if cents is None else Decimal(cents).scaleb(-2).quantize(Decimal(1) / CENTS)


def moment(at: datetime | None) -> str:
    """Return a moment on a Nairobi clock, in ISO form: ``2026-11-21T16:05:00+03:00``."""
    return nairobi(at).isoformat(timespec="seconds") if at else ""


def phone(number: str | None, *, whole: bool) -> str:
    """Return a number as ``0712 345 678``, which no spreadsheet takes for a number, or masked."""
    if not number:
        return ""
    if not whole or len(number) != len("254712345678"):
        return masked(number)
    return f"0{number[3:6]} {number[6:9]} {number[9:]}"


def text_of(cell: Cell) -> str:
    """Return a cell as text, without what cannot be shown."""
    return _UNSHOWABLE.sub(" ", "" if cell is None else str(cell))[:_MOST_TEXT]


def is_formula_like(text: str) -> bool:
    """Tell whether a spreadsheet might carry this text out instead of showing it."""
    return text.startswith(_BLANKS) or text.lstrip().startswith(FORMULA_MARKS)


def harmless(cell: Cell) -> str:
    """Return a cell of a CSV that a spreadsheet shows as it is, whoever wrote it.

    A number of ours is not somebody's text: a negative one stays a number.
    """
    text = text_of(cell)
    return f"'{text}" if isinstance(cell, str) and is_formula_like(text) else text
