"""Errors in the document: their body, what each code means, and which come together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.errors import (
    AmountMismatch,
    AmountTooHigh,
    AmountTooLow,
    Conflict,
    InvalidAmount,
    InvalidPhone,
    LipaError,
    NotFound,
    OrderAlreadyPaid,
    PaymentInProgress,
    ProviderRefused,
    ProviderUnavailable,
)

Refusal = type[LipaError]

#: What may go wrong where a prompt is sent.
PROMPT: Final[tuple[Refusal, ...]] = (
    InvalidPhone,
    InvalidAmount,
    AmountMismatch,
    AmountTooLow,
    AmountTooHigh,
    NotFound,
    Conflict,
    OrderAlreadyPaid,
    PaymentInProgress,
    ProviderRefused,
    ProviderUnavailable,
)
#: What may go wrong where money is asked back.
MONEY_BACK: Final[tuple[Refusal, ...]] = (InvalidAmount, AmountTooLow, NotFound, Conflict)

#: What each code means, whichever dialect says it. A new code fails a test until it is here.
MEANINGS: Final[dict[str, str]] = {
    "VALIDATION_ERROR": "The request is incomplete or unreadable; details name the fields.",
    "INVALID_PHONE": "Not a Kenyan mobile number, or not in the form that this door takes, or "
    "one that M-Pesa does not know.",
    "INVALID_AMOUNT": "Not a whole number of shillings.",
    "INVALID_CURRENCY": "Another currency than KES.",
    "AMOUNT_MISMATCH": "Another amount than what is owed, which details.expected tells.",
    "AMOUNT_TOO_LOW": "Below the least that M-Pesa takes.",
    "AMOUNT_TOO_HIGH": "Above the most that one payment may be, which details.maximum tells.",
    "UNAUTHORIZED": "Nobody is signed in, or the token is not good any more.",
    "FORBIDDEN": "Signed in, but not allowed; or a browser's request from another site.",
    "NOT_FOUND": "There is nothing under that name, or it is somebody else's.",
    "METHOD_NOT_ALLOWED": "The address does not take that method; the header Allow names those "
    "that it takes.",
    "CONFLICT": "It cannot be done in the present state.",
    "ORDER_ALREADY_PAID": "Nothing is owed on the order any more. Nothing was charged.",
    "PAYMENT_IN_PROGRESS": "A prompt may be on the phone. Wait for its end.",
    "PAYMENT_FAILED": "The payment ended without money.",
    "PAYMENT_EXPIRED": "Nobody entered the PIN in time.",
    "IDEMPOTENCY_MISMATCH": "The Idempotency-Key was used for another request.",
    "PAYLOAD_TOO_LARGE": "The body is larger than this address takes.",
    "UNSUPPORTED_MEDIA_TYPE": "The Content-Type is not application/json.",
    "RATE_LIMITED": "Too many requests; Retry-After says when to come back.",
    "PROVIDER_REFUSED": "M-Pesa said no. Nothing was sent to the phone.",
    "PROVIDER_UNAVAILABLE": "M-Pesa was not reached, for certain. Nothing was sent to the phone.",
    "INTERNAL_ERROR": "An accident on the shop's side (500), or a database that is too busy "
    "(503). Nothing was charged.",
}


class Error(BaseModel):
    """The body of every error, on every path."""

    model_config = ConfigDict(extra="forbid")

    success: Literal[False]
    status: Literal["error"]
    error: str = Field(description="The same text as message.", examples=["…"])
    message: str = Field(
        description="What is wrong and how to mend it, for people.",
        examples=["There is nothing here under that name, or it is not yours."],
    )
    code: str = Field(
        description="What a program branches on.",
        examples=["NOT_FOUND"],
        json_schema_extra={"enum": list(MEANINGS)},
    )
    details: dict[str, Any] = Field(
        description="More about it, such as field, fields, expected, maximum or transaction_id.",
        examples=[{}],
    )


def codes(names: str) -> frozenset[str]:
    """Read a list of codes, for whoever says of each that it stays as the core says it."""
    return frozenset(names.split())


def known_codes() -> dict[str, set[int]]:
    """Return every code that the program can say, with its statuses."""
    found: dict[str, set[int]] = {}
    for kind in error_kinds():
        found.setdefault(kind.code, set()).add(kind.status)
    return found


def error_kinds() -> Iterator[Refusal]:
    """Yield every kind of error of the program, wherever it is defined."""
    waiting: list[Refusal] = [LipaError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("app."):
            yield kind
