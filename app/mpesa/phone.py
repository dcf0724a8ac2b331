"""Kenyan phone numbers: any way a person writes one, to the twelve digits Daraja wants."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s\-().]")
_LOCAL = re.compile(r"0?([127][0-9]{8})")
_INTERNATIONAL = re.compile(r"\+?254([127][0-9]{8})")
_WIRE = re.compile(r"254[127][0-9]{8}")
_LONGEST_INPUT = 32

#: National prefixes by operator, from public numbering data. A number keeps its prefix when its
#: owner moves to another operator, so this is a hint for words and never a reason to refuse.
_OPERATORS = {
    "Safaricom": r"7[0129]|74[0-35689]|75[7-9]|76[89]|11|14[0-6]|18",
    "Airtel": r"73|75[0-6]|76[02-7]|78|10[0-8]|13[5-9]",
    "Telkom": r"77|761|120",
}


def msisdn(written: str) -> str | None:
    """Return the number as ``2547XXXXXXXX`` (twelve digits), or None when it is not one.

    Spaces, dashes, dots, brackets and a plus sign are removed. Numbers must begin 2547, 2541
    or 2542 once written in full.
    """
    if len(written) > _LONGEST_INPUT or not written.isascii():
        return None
    bare = _SEPARATORS.sub("", written)
    match = _INTERNATIONAL.fullmatch(bare) or _LOCAL.fullmatch(bare)
    return f"254{match.group(1)}" if match else None


def is_wire_form(written: str) -> bool:
    """Tell whether a number is already written as the twelve digits that go on the wire."""
    return bool(_WIRE.fullmatch(written))


def operator_hint(number: str) -> str | None:
    """Guess the operator of a twelve-digit number by its prefix; None when not allocated."""
    national = number.removeprefix("254")
    for operator, prefixes in _OPERATORS.items():
        if re.match(f"(?:{prefixes})", national):
            return operator
    return None


def masked(number: str) -> str:
    """Show a number without giving it away: ``0712 *** 678``."""
    local = f"0{number.removeprefix('+').removeprefix('254')}"
    return f"{local[:4]} *** {local[-3:]}" if len(local) == 10 else "***"


def as_typed(number: str | None) -> str:
    """Write ``254712345678`` as people type it at home, ``0712345678``; "" where there is none."""
    return f"0{number[3:]}" if number and number.startswith("254") else number or ""
