"""What Lipa says to Daraja about money going out, and hears of it, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Addresses:
    """Where Daraja posts the result of a request, and the news that it never came to its turn."""

    result_url: str
    timeout_url: str


@dataclass(frozen=True)
class B2cPayment:
    """Money for a phone. ``amount`` is whole shillings, ``phone`` twelve digits.

    ``originator_id`` is ours, and Daraja's guard against paying twice.
    """

    originator_id: str
    amount: int
    phone: str
    remarks: str
    addresses: Addresses


@dataclass(frozen=True)
class Reversal:
    """A payment of ours, named by its M-Pesa receipt, taken back. ``amount`` is whole shillings."""

    receipt: str
    amount: int
    remarks: str
    addresses: Addresses


@dataclass(frozen=True)
class StatusQuestion:
    """How a request ended. ``originator_id`` is ours, or Daraja's where ours did not travel.

    ``is_reversal``: it was not sent for the shortcode that pays, but for the one that collects.
    """

    originator_id: str
    remarks: str
    addresses: Addresses
    is_reversal: bool = False


@dataclass(frozen=True)
class OutAccepted:
    """Daraja has queued the request. The outcome comes later."""

    conversation_id: str
    originator_id: str


@dataclass(frozen=True)
class OutDuplicate:
    """Daraja has this very request already: what becomes of it comes by the first one's result."""

    description: str


#: Why a request certainly did not reach M-Pesa, and may be sent later.
NotSentKind = Literal["credentials", "unreachable", "throttled"]


@dataclass(frozen=True)
class OutNotSent:
    kind: NotSentKind
    description: str


@dataclass(frozen=True)
class OutRefused:
    """Daraja has read the request and will not carry it out."""

    code: str
    description: str


@dataclass(frozen=True)
class OutUnanswered:
    """The request may or may not be under way: never send another because of this."""

    why: str


OutAnswer = OutAccepted | OutDuplicate | OutNotSent | OutRefused | OutUnanswered


@dataclass(frozen=True)
class OutResult:
    """A result as understood. Whatever Daraja left out is None, or missing from ``parameters``."""

    code: str
    description: str
    originator_id: str | None
    conversation_id: str | None
    receipt: str | None
    parameters: Mapping[str, Any] = field(repr=False)
