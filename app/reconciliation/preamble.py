"""What stands above a statement's rows, and what its file name says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from app.reconciliation.cells import BadCell, cents_of, heading_of, moment_of, text_of
from app.reconciliation.tables import Cells

_SHORTCODE_WORDS = frozenset(
    {"short code", "shortcode", "till number", "business short code", "organization short code"}
)
_SHORTCODE = re.compile(r"[0-9]{5,7}")
#: ``ORG_517822_Utility Account_Completed_20210302085708.csv``, and the till's daily file.
_ORG_NAME = re.compile(r"ORG_([0-9]{5,7})_([^_]{1,60})_", re.IGNORECASE)
_TILL_NAME = re.compile(r"MPESA_([0-9]{5,7})_", re.IGNORECASE)
Value = TypeVar("Value")


@dataclass
class Facts:
    """What a statement says of itself. Moments are UTC, money is cents; None where it does not."""

    shortcode: str | None = None
    account: str | None = None
    period_from: datetime | None = None
    period_to: datetime | None = None
    opening_cents: int | None = None
    closing_cents: int | None = None


def learn(facts: Facts, cells: Cells) -> None:
    """Take what one line above the heading says: labels, each with its value in the next cell."""
    filled = [cell for cell in _split(cells) if str(cell or "").strip()]
    for label, value in zip(filled, filled[1:], strict=False):
        word = heading_of(label)
        if word in _SHORTCODE_WORDS and _SHORTCODE.fullmatch(str(value).strip()):
            facts.shortcode = str(value).strip()
        elif word == "account":
            facts.account = text_of(value, 60)
        elif word == "opening balance":
            facts.opening_cents = _perhaps(cents_of, value)
        elif word == "closing balance":
            facts.closing_cents = _perhaps(cents_of, value)
        elif word == "from":
            facts.period_from = _perhaps(moment_of, value)
        elif word == "to":
            facts.period_to = _perhaps(moment_of, value)


def _split(cells: Cells) -> list[object]:
    """Part ``Short Code: 174379`` in one cell into a label and its value."""
    parts: list[object] = []
    for cell in cells[:40]:
        label, mark, value = str(cell or "").partition(": ")
        parts += [label, value] if mark and value.strip() else [cell]
    return parts


def learn_from_name(facts: Facts, name: str) -> None:
    """Take what the file's name says, where its lines have not said it."""
    portal, till = _ORG_NAME.match(name), _TILL_NAME.match(name)
    if portal:
        facts.shortcode = facts.shortcode or portal[1]
        facts.account = facts.account or text_of(portal[2], 60)
    elif till:
        facts.shortcode = facts.shortcode or till[1]


def _perhaps(read: Callable[[object], Value], cell: object) -> Value | None:
    try:
        return read(cell)
    except BadCell:
        return None
