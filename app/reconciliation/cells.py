"""What stands in one cell of a statement: money, a moment, a text, a heading."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from app.core.money import CENTS, MAX_SHILLINGS
from app.core.texts import said

#: Statements name no zone. Nairobi has had no summer time since 1942, and a fixed offset is fast.
_NAIROBI = timezone(timedelta(hours=3))
_PLAIN_AMOUNT = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{1,2}))?")
_GROUPED_AMOUNT = re.compile(r"([+-]?)([0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]{1,2}))?")
#: Ten letters and digits today; “TOTALS” is none.
_RECEIPT = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{6,20}")
_DAY_FIRST = re.compile(r"([0-9]{1,2})[-/]([0-9]{1,2})[-/]([0-9]{4})[ T]([0-9]{1,2}:.*)")
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})[ T]([0-9]{1,2}:.*)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.0+)?)?")


class BadCell(ValueError):
    """A cell that cannot be read. The message says what stands there instead of what."""


def cents_of(cell: object) -> int | None:
    """Read an amount of shillings as cents; None for an empty cell. Raises BadCell."""
    if cell is None or isinstance(cell, bool):
        return None
    if isinstance(cell, int | float | Decimal):
        return _number(cell)
    text = str(cell).strip().strip("'\"").strip()
    if not text:
        return None
    found = _PLAIN_AMOUNT.fullmatch(text) or _GROUPED_AMOUNT.fullmatch(text)
    if found is None or not text.isascii():
        raise BadCell(said("“{text}” is no amount such as 1053.00 or 1,053.00", text=shown(text)))
    shillings, cents = int(found[2].replace(",", "")), int((found[3] or "0").ljust(2, "0"))
    if shillings > MAX_SHILLINGS * CENTS:
        raise BadCell(said("“{text}” is more than anybody has", text=shown(text)))
    return (-1 if found[1] == "-" else 1) * (shillings * CENTS + cents)


def _number(cell: float | Decimal) -> int:
    """Read a spreadsheet's number. Its sums may be off by a millionth of a cent."""
    try:
        exact = Decimal(str(cell)) * CENTS
        cents = round(exact)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise BadCell(said("{number} is no amount", number=cell)) from error
    if abs(exact - cents) > Decimal("0.0001") or abs(cents) > MAX_SHILLINGS * CENTS * CENTS:
        raise BadCell(said("{number} is no amount in shillings and cents", number=cell))
    return int(cents)


def moment_of(cell: object) -> datetime:
    """Read a moment on a Nairobi clock, and return it in UTC. Raises BadCell.

    ``12-05-2025 22:40:01`` (exports of 2025), ``20-04-2017 15:50`` (2017) and
    ``2026-05-12 22:40:01`` (2026) are known; a workbook may hold a date of its own.
    """
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=_NAIROBI, microsecond=0).astimezone(UTC)
    return _moment(str(cell or "").strip())


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    """Read a moment; many rows of a busy shop have the same second."""
    day_first, year_first = _DAY_FIRST.fullmatch(text), _YEAR_FIRST.fullmatch(text)
    date = day_first or year_first
    clock = _CLOCK.fullmatch(date[4]) if date else None
    if date is None or clock is None:
        raise BadCell(said("“{text}” is no time such as 21-11-2026 16:05:00", text=shown(text)))
    year, month, day = (date[1], date[2], date[3]) if year_first else (date[3], date[2], date[1])
    hour, minute, second = clock[1], clock[2], clock[3] or "0"
    try:
        parts = [int(part) for part in (year, month, day, hour, minute, second)]
        return datetime(*parts, tzinfo=_NAIROBI).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError) as error:
        raise BadCell(said("“{text}” is no day and time", text=shown(text))) from error


def receipt_of(cell: object) -> str | None:
    """Read an M-Pesa receipt; None for what is none."""
    text = str("" if cell is None else cell).strip().upper()
    return text if _RECEIPT.fullmatch(text) else None


def text_of(cell: object, most: int) -> str:
    """Return a cell's text on one line, without what no database can hold."""
    if cell is None:
        return ""
    text = str(cell)
    if text.isprintable() and "  " not in text:
        return text.strip()[:most]
    words = " ".join(text.split())
    if not words.isprintable():
        words = "".join(mark for mark in words if mark.isprintable())
    return words[:most]


def heading_of(cell: object) -> str:
    """Return a heading in lower case, with one space between its words: ``a c no``."""
    return " ".join(re.findall(r"[a-z0-9]+", str(cell or "")[:100].casefold()))


def shown(text: str) -> str:
    """Return the beginning of what somebody else wrote, to be quoted."""
    return text_of(text, 30)
