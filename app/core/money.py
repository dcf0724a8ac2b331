"""Money is integer cents in here; people and Daraja speak whole shillings."""

from __future__ import annotations

import re
from decimal import Decimal

from app.core.errors import InvalidAmount

CENTS = 100
#: Nothing in a shop costs more than a billion shillings; a longer number is a mistake or an attack.
MAX_SHILLINGS = 1_000_000_000
_WHOLE_SHILLINGS = re.compile(r"[0-9]{1,10}(?:\.0{1,10})?")


def cents_from_shillings(value: object, field: str = "amount") -> int:
    """Read a caller's amount and return cents.

    Accepts a whole number of shillings as a JSON number or a numeric string; ``1000.00`` is
    whole. Raises InvalidAmount for anything else: fractions, signs, exponents, NaN, booleans.
    Nothing is ever rounded.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise InvalidAmount(field)
    text = str(value).strip()
    if not text.isascii() or not _WHOLE_SHILLINGS.fullmatch(text):
        raise InvalidAmount(field)
    shillings = int(text.partition(".")[0])
    if shillings > MAX_SHILLINGS:
        raise InvalidAmount(field)
    return shillings * CENTS


def whole_shillings(cents: int) -> int:
    """Give the whole shillings that Daraja gets. Raises ValueError when cents are left over."""
    shillings, rest = divmod(cents, CENTS)
    if rest:
        raise ValueError(f"{cents} cents are not whole shillings")
    return shillings


def shillings_number(cents: int) -> int | float:
    """Give shillings as a JSON number: an integer unless there are cents (a refund's fee, say)."""
    shillings, rest = divmod(cents, CENTS)
    return shillings if rest == 0 else cents / CENTS


def kes(cents: int, *, decimals: bool = False) -> str:
    """Write money for people: ``KES 1,500``, or ``KES 1,500.00`` with decimals."""
    shillings, rest = divmod(abs(cents), CENTS)
    sign = "-" if cents < 0 else ""
    if decimals or rest:
        return f"KES {sign}{shillings:,}.{rest:02d}"
    return f"KES {sign}{shillings:,}"


class Kes(int):
    """Cents inside a sentence (see ``texts.said``): a page writes them as its reader does."""

    def __str__(self) -> str:
        return kes(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)
