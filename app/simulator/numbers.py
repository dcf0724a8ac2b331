"""Phone numbers and shillings, as people and M-Pesa write them."""

import re
from decimal import Decimal
from typing import Final

_MSISDN: Final = re.compile(r"254[17]\d{8}", re.ASCII)
_SPELLINGS: Final = re.compile(r"(?:\+?254|0)?([17]\d{8})", re.ASCII)


def is_msisdn(text: str) -> bool:
    """Whether `text` is in Daraja's form, 12 digits from 2547 or 2541."""
    return _MSISDN.fullmatch(text) is not None


def to_msisdn(text: str) -> str | None:
    """Read 07…, 01…, 7…, +254… or 254…, with spaces or dashes; None when it is none of them."""
    match = _SPELLINGS.fullmatch(re.sub(r"[\s-]", "", text))
    return f"254{match[1]}" if match else None


def local_number(msisdn: str) -> str:
    """As people read a number: ``0712 345 678``."""
    return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"


def ksh(cents: int) -> str:
    """As M-Pesa's messages write money: ``Ksh1,500.00``."""
    return f"Ksh{cents // 100:,}.{cents % 100:02d}"


def ksh_short(cents: int) -> str:
    """As the prompt writes whole shillings: ``Ksh 1,500``."""
    return f"Ksh {cents // 100:,}"


def shillings(cents: int) -> int | float:
    """A JSON number; whole amounts stay integers."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def plain(cents: int) -> str:
    """As M-Pesa's account strings write money: ``-1540.00``."""
    return f"{Decimal(cents) / 100:.2f}"
