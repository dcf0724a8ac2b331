"""Result codes of money going out, as data (published tables and recorded traffic).

What is not in the table is unclear: about money that may have left, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

#: ``unclear`` says nothing about the money: Daraja is asked, and then a person.
OutOutcome = Literal["paid", "declined", "unclear"]

#: Codes that say for certain that no money moved, each with a word that pages and programs use.
DECLINED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1": "float_short",
        "2": "amount_too_low",
        "3": "amount_too_high",
        "4": "receiver_limit",
        "8": "receiver_limit",
        "11": "shortcode_inactive",
        "18": "credentials",
        "20": "credentials",
        "21": "not_permitted",
        "22": "not_permitted",
        "24": "bad_request",
        "25": "bad_request",
        "29": "bad_request",
        "2001": "credentials",
        "2006": "account_rule",
        "2028": "not_permitted",
        "2040": "not_on_mpesa",
        "8006": "credential_locked",
        "R000002": "receipt_unknown",
        "SFC_IC0003": "not_on_mpesa",
        "TP40153": "not_permitted",
    }
)
#: Somebody has reversed that payment before: the money went back, but not by this request.
ALREADY_REVERSED: Final = "R000001"


def out_outcome(code: str) -> OutOutcome:
    """Say what a result code means for the money."""
    if code == "0":
        return "paid"
    return "declined" if code in DECLINED else "unclear"


def transaction_outcome(status: str) -> OutOutcome:
    """Say what a TransactionStatus means for the money (documented words)."""
    word = status.strip().lower()
    if word == "completed":
        return "paid"
    return "declined" if word in ("cancelled", "declined", "expired") else "unclear"
