"""Reading the message that M-Pesa sent to a payer, as it is pasted: whole, in part, or its code.

The text proves nothing, since anybody can type one. It says which receipt to ask about, and what
must then agree with M-Pesa's own word.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from app.core.clock import NAIROBI
from app.mpesa.bodies import read_receipt

#: The longest text that is read. M-Pesa's own messages have some 300 characters.
MOST_CHARACTERS = 1000
_MOST_SHILLINGS = 10**9


class Kind(StrEnum):
    """What a message tells of."""

    PAYMENT = "payment"
    #: Nothing but a code, or a text that does not say.
    CODE = "code"
    TO_PERSON = "to_person"
    RECEIVED = "received"
    WITHDRAWN = "withdrawn"
    AIRTIME = "airtime"
    REVERSED = "reversed"
    FAILED = "failed"


@dataclass(frozen=True)
class Sms:
    """What a text says; None for what it does not. ``paid_at`` is UTC, money is cents.

    ``code`` is None too where there are several, which ``several`` tells.
    """

    kind: Kind
    code: str | None = None
    amount_cents: int | None = None
    paid_at: datetime | None = None
    paid_to: str | None = None
    account: str | None = None
    several: bool = False

    @property
    def is_whole(self) -> bool:
        """It says what M-Pesa says of a payment, and not only its code."""
        return None not in (self.code, self.amount_cents, self.paid_at, self.paid_to)


#: Receipts have ten upper-case letters and digits (recorded traffic), and begin with a letter.
_CODE = r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9]{9})"
_NAMED = re.compile(_CODE + r"[\s.,:;*_\"'-]{0,5}(?:confirmed|imethibitishwa)", re.IGNORECASE)
_LOOSE = re.compile(_CODE + r"(?![A-Za-z0-9])")
_MONEY = r"(?:ksh|kshs|kes)\.?\s?([0-9][0-9,]{0,14})(?:\.([0-9]{1,2}))?(?![0-9])"
_AMOUNT = re.compile(_MONEY, re.IGNORECASE)
_PAID = re.compile(
    _MONEY + r"\s(?:sent to|paid to|imetumwa kwa|imelipwa kwa|zimetumwa kwa|zimelipwa kwa)\s",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"\s(?:for account(?: number)?|kwa (?:akaunti|nambari ya akaunti)(?: nambari)?)"
    r"\s([^\s]{1,40})",
    re.IGNORECASE,
)
_NAME_ENDS = re.compile(
    r"\s(?:for account|kwa akaunti|kwa nambari|on [0-9]|tarehe|mnamo|new m-?pesa|baki yako|"
    r"salio lako)",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/((?:20)?[0-9]{2})\s?(?:at|saa)?\s?"
    r"([0-9]{1,2}):([0-9]{2})(?:\s?([ap])\.?\s?m)?",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?:\+?254|0)\s?[17][0-9*\s]{6,12}$")
#: How other messages of M-Pesa give themselves away, in English and Swahili.
_OTHERS = (
    (Kind.REVERSED, r"has been reversed|reversal|imerejeshwa|imebatilishwa"),
    (Kind.RECEIVED, r"you have received|umepokea"),
    (Kind.AIRTIME, r"of airtime|you bought|umenunua|muda wa maongezi"),
    (Kind.WITHDRAWN, r"withdraw|umetoa|\bcash to\b"),
    (Kind.FAILED, r"^\W*failed|insufficient|do not have enough|hauna pesa za kutosha|imeshindwa"),
)
_WORDS_OF_OTHERS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _OTHERS)


def read_sms(text: str) -> Sms:
    """Understand a pasted text, as far as it can be. Never raises.

    Only the first MOST_CHARACTERS are read; blanks of every kind count as one.
    """
    flat = " ".join(_visible(text[:MOST_CHARACTERS]).split())
    named = list(_NAMED.finditer(flat))
    codes = {found[1].upper() for found in named} or _loose_codes(flat)
    code = read_receipt(next(iter(codes))) if len(codes) == 1 else None
    told = flat[named[0].end() :] if named else flat
    paid = _PAID.search(told)
    if paid is None:
        kind = _other_kind(flat)
        amount = _cents(_AMOUNT.search(told))
        return Sms(kind, code, amount, _moment(told), several=len(codes) > 1)
    account = _ACCOUNT.search(told, paid.end() - 1)
    paid_to = _name(told[paid.end() - 1 :])
    to_person = account is None and paid_to is not None and _PHONE.search(paid_to) is not None
    return Sms(
        Kind.TO_PERSON if to_person else Kind.PAYMENT,
        code,
        _cents(paid),
        _moment(told),
        paid_to,
        account[1].rstrip(".,") or None if account else None,
        several=len(codes) > 1,
    )


def _visible(text: str) -> str:
    """Write lookalikes as plain signs, and everything that nobody sees as a blank."""
    plain = unicodedata.normalize("NFKC", text)[: 2 * MOST_CHARACTERS]
    hidden = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
    return "".join(" " if unicodedata.category(mark) in hidden else mark for mark in plain)


def _loose_codes(flat: str) -> set[str]:
    """Find codes where no word of M-Pesa's names one; a lone word of ten letters may be one."""
    found = [mark.upper() for mark in _LOOSE.findall(flat)]
    if len(found) == 1 and found[0] == flat.strip(" .,:;").upper():
        return set(found)
    return {mark for mark in found if any(sign.isdigit() for sign in mark)}


def _other_kind(flat: str) -> Kind:
    return next((kind for kind, words in _WORDS_OF_OTHERS if words.search(flat)), Kind.CODE)


def _cents(found: re.Match[str] | None) -> int | None:
    if found is None:
        return None
    shillings, cents = int(found[1].replace(",", "")), int((found[2] or "").ljust(2, "0"))
    return shillings * 100 + cents if 0 < shillings < _MOST_SHILLINGS else None


def _name(told: str) -> str | None:
    """Return who was paid: what stands between ``to`` and the account or the day."""
    ends = _NAME_ENDS.search(told)
    return told[: ends.start() if ends else None][:80].strip(" .,") or None


def _moment(told: str) -> datetime | None:
    """Read ``21/11/26 at 10:42 PM``, which is Nairobi's time."""
    found = _WHEN.search(told)
    if found is None:
        return None
    day, month, year, hour, minute = (int(found[place]) for place in range(1, 6))
    if found[6]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[6].lower() == "p" else 0)
    try:
        local = datetime(2000 + year % 100, month, day, hour, minute, tzinfo=NAIROBI)
    except ValueError:
        return None
    return local.astimezone(UTC)
