"""What Daraja posts, read with care: JSON of any shape, named items, money, receipts, codes.

Types drift over the years and between documents: codes come as numbers and strings, amounts as
integers, floats and strings, items move, lose their value or are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any

MAX_DEPTH = 20
ID = re.compile(r"[\x21-\x7e]{1,128}")
_RECEIPT = re.compile(r"[A-Z0-9]{8,20}")
#: A receipt that ends in seven zeros stands for "none yet" (recorded traffic): never a key.
_PLACEHOLDER = re.compile(r".{1,3}0{7}")
_MAX_CENTS = 10**14
#: Arithmetic that raises where it would have to round.
_EXACT = Context(traps=[Inexact, InvalidOperation, Overflow])


class Unreadable(Exception):
    """The body is not what it should be. Its text says in what way."""


def json_object(raw: bytes) -> Mapping[str, Any]:
    """Read a body as a JSON object. Raises Unreadable, never anything else."""
    if _depth(raw) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    try:
        text = raw.decode("utf-8-sig")
        body = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(body, dict):
        raise Unreadable("not a JSON object")
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _depth(raw: bytes) -> int:
    """Bound the nesting before parsing. Brackets inside texts count too, which does no harm."""
    depth = deepest = 0
    for byte in raw:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def items_of(container: object, rows_key: str, name_key: str) -> dict[str, Any]:
    """Return named items by name. One row may stand where a list should (recorded traffic)."""
    rows = container.get(rows_key) if isinstance(container, dict) else None
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        return {}
    named = [row for row in rows if isinstance(row, dict) and isinstance(row.get(name_key), str)]
    return {row[name_key]: row.get("Value") for row in named}


def read_cents(value: object) -> tuple[int | None, str | None]:
    """Return shillings as cents, and what was wrong with them; never rounds."""
    if value is None:
        return None, None
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        cents = _EXACT.multiply(Decimal(str(value)), Decimal(100))
        if not cents.is_finite() or not 0 < cents < _MAX_CENTS or cents != int(cents):
            raise InvalidOperation
    except (ArithmeticError, ValueError):
        return None, f"unreadable amount {clean_text(value, 40)!r}"
    return int(cents), None


def read_code(value: int | str | Decimal) -> str:
    """Return a result code as text: it comes as a number and as a string."""
    return (clean_text(value, 32) or "").strip().removesuffix(".0")


def read_receipt(value: object) -> str | None:
    """Return an M-Pesa receipt, or None for what is none or a placeholder."""
    text = value.strip().upper() if isinstance(value, str) else ""
    if not _RECEIPT.fullmatch(text) or _PLACEHOLDER.fullmatch(text):
        return None
    return text


def clean_text(value: object, length: int) -> str | None:
    """Return a text that a log and a database can hold."""
    if value is None or isinstance(value, (dict, list)):
        return None
    # What a log or a database cannot hold (line breaks, NUL, half characters) becomes a blank.
    return "".join(mark if mark.isprintable() else " " for mark in str(value)[:length])
