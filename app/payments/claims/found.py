"""What M-Pesa says of a receipt, as far as a claim needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.clock import NAIROBI
from app.mpesa.bodies import clean_text
from app.mpesa.out_messages import OutResult

#: A party is its number and its name: ``254712345678 - JANE DOE`` (recorded).
_PARTY = re.compile(r"\s*\+?([0-9*]{4,14})(?:\s|$)")
_MOMENT = re.compile(r"[0-9]{14}")


@dataclass(frozen=True)
class Found:
    """Money that has moved. ``payer`` and ``receiver`` are numbers, as M-Pesa writes them."""

    receipt: str | None
    amount_cents: int
    payer: str | None
    receiver: str | None
    moved_at: datetime | None


def found_in(result: OutResult, amount_cents: int) -> Found:
    """Take from the answer to a transaction status query what names the parties and the time."""
    told = result.parameters
    moment = told.get("FinalisedTime") or told.get("InitiatedTime")
    return Found(
        result.receipt,
        amount_cents,
        _number(told.get("DebitPartyName")),
        _number(told.get("CreditPartyName")),
        _moment(moment),
    )


def _number(party: object) -> str | None:
    found = _PARTY.match(clean_text(party, 160) or "")
    return found[1] if found else None


def _moment(value: object) -> datetime | None:
    """Read fourteen digits of Nairobi's time; they come as a number and as text."""
    text = (clean_text(value, 32) or "").strip().removesuffix(".0")
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=NAIROBI).astimezone(UTC)
    except ValueError:
        return None
