"""What Lipa says to Daraja and hears from it, as types.

An answer to a push is one of three things and nothing in between: accepted, refused (nothing
reached the phone) or unanswered (nobody knows). The last is a fact to act on, not an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StkPush:
    """A prompt to be sent. ``amount`` is whole shillings, ``phone`` twelve digits."""

    amount: int
    phone: str
    account_reference: str
    description: str
    callback_url: str


@dataclass(frozen=True)
class PushAccepted:
    """Daraja has queued the prompt. The outcome comes later."""

    merchant_request_id: str
    checkout_request_id: str


RefusalKind = Literal["credentials", "phone", "busy_phone", "unreachable", "throttled", "other"]


@dataclass(frozen=True)
class PushRefused:
    """Nothing was sent to the phone, for certain."""

    kind: RefusalKind
    code: str
    description: str


@dataclass(frozen=True)
class PushUnanswered:
    """A prompt may or may not be on the phone: never send another because of this."""

    why: str


PushAnswer = PushAccepted | PushRefused | PushUnanswered


@dataclass(frozen=True)
class QueryFinal:
    """Daraja's own word on how a prompt ended. ``result_code`` is always a string."""

    result_code: str
    result_desc: str


@dataclass(frozen=True)
class QueryNotYet:
    """Daraja says that the payer has not finished."""


@dataclass(frozen=True)
class QueryUnanswered:
    """The question got no usable answer; it says nothing about the payment."""

    why: str


QueryAnswer = QueryFinal | QueryNotYet | QueryUnanswered


@dataclass(frozen=True)
class StkCallback:
    """A callback as understood. Whatever Daraja left out is None.

    ``amount_cents`` is None when absent and also when unreadable; ``amount_problem`` then says
    what stood there.
    """

    merchant_request_id: str | None
    checkout_request_id: str
    result_code: str
    result_desc: str
    amount_cents: int | None = None
    amount_problem: str | None = None
    receipt: str | None = None
    phone: str | None = None

    @property
    def is_success(self) -> bool:
        return self.result_code == "0"

    @property
    def is_doubtful(self) -> bool:
        """A success without a readable amount or receipt proves nothing by itself."""
        return self.is_success and (self.amount_cents is None or self.receipt is None)


def plain(text: str) -> str:
    """Keep what every part of Daraja takes: letters, digits, a few marks and single blanks."""
    return " ".join(re.sub(r"[^A-Za-z0-9 ._-]", " ", text).split()) or "Payment"
