"""The payment API dialect's words, numbers and error texts."""

from __future__ import annotations

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from app.core.errors import Conflict, LipaError, PaymentExpired, PaymentFailed
from app.openapi import codes, one_of
from app.payments import words
from app.payments.models import Payment
from app.payments.states import UNPAID_ENDS, Status
from app.web import answer_error

STATUS_WORDS = {
    Status.CREATED: "pending",
    Status.PENDING: "pending",
    Status.UNCONFIRMED: "pending",
    Status.REVIEW: "pending",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
}
#: What each code means here; said before the words of the core, which tell what to do. Those of
#: the other codes are the core's alone.
ERROR_WORDS = {
    "INVALID_PHONE": ("Invalid phone number format",),
    "AMOUNT_TOO_LOW": ("Amount below minimum allowed",),
    "AMOUNT_TOO_HIGH": ("Amount exceeds maximum allowed",),
    "PAYMENT_FAILED": ("Payment processing failed",),
    "PAYMENT_EXPIRED": ("Payment request expired",),
    "INVALID_CURRENCY": ("Invalid currency for payment method",),
}
PLAIN_CODES = codes(
    """
    AMOUNT_MISMATCH CONFLICT FORBIDDEN IDEMPOTENCY_MISMATCH INTERNAL_ERROR INVALID_AMOUNT
    METHOD_NOT_ALLOWED NOT_FOUND ORDER_ALREADY_PAID PAYLOAD_TOO_LARGE PAYMENT_IN_PROGRESS
    PROVIDER_REFUSED PROVIDER_UNAVAILABLE RATE_LIMITED UNAUTHORIZED UNSUPPORTED_MEDIA_TYPE
    VALIDATION_ERROR
    """
)
#: What stands for them in answers.
StatusWord = Annotated[str, one_of(STATUS_WORDS.values())]
Returned = Annotated[
    float, Field(description="Shillings that went back, or are on their way.", examples=[500.0])
]
UNPAID_CODES = {
    Status.FAILED: PaymentFailed.code,
    Status.CANCELLED: PaymentFailed.code,
    Status.EXPIRED: PaymentExpired.code,
}
_UNTOLD = "Payment pending: M-Pesa has not said yet how the prompt ended"
_MESSAGES = {
    Status.CREATED: "Payment pending: M-Pesa has not confirmed the prompt yet",
    Status.UNCONFIRMED: "Payment pending: M-Pesa has not confirmed the prompt yet",
    Status.PENDING: _UNTOLD,
    Status.REVIEW: "Payment pending: money arrived, and a person is looking at it",
    Status.COMPLETED: "Payment successful",
}


def in_our_words(error: LipaError) -> ResponseReturnValue:
    """Answer an error with this document's meaning of its code in front."""
    if error.code in ERROR_WORDS:
        error.message = f"{ERROR_WORDS[error.code][0]}. {error.message}"
    return answer_error(error)


def status_word(payment: Payment) -> str:
    return STATUS_WORDS[Status(payment.status)]


def receipt_word(payment: Payment) -> str:
    """Return a status as receipts write it: ``Completed``."""
    return status_word(payment).title()


def status_message(payment: Payment) -> str:
    """Say in a sentence how a payment stands; for one that was not paid, also what to do."""
    if payment.status in UNPAID_ENDS:
        said = words.unpaid_end(payment.reason, payment.evidence)
        return f"{said.title}. {said.message}"
    return _MESSAGES[Status(payment.status)]


def unpaid_code(payment: Payment) -> str | None:
    """Return this document's code for a payment that ended without money."""
    return UNPAID_CODES.get(Status(payment.status))


def not_completed(payment: Payment) -> LipaError:
    """Return the refusal of what only a completed payment has."""
    details = {"transaction_id": payment.public_ref, "status": receipt_word(payment)}
    refusals = {PaymentFailed.code: PaymentFailed, PaymentExpired.code: PaymentExpired}
    refusal = refusals.get(unpaid_code(payment) or "")
    if refusal is None:
        return Conflict(f"{status_message(payment)}.", details=details)
    return refusal(status_message(payment), details=details)


def amount_cents(payment: Payment) -> int:
    """Return what came in by a payment, or while nothing did, what it asks for."""
    return payment.received_cents or payment.amount_cents


def shillings(cents: int) -> float:
    """Write money as this document does, as a decimal number: ``1000.0``."""
    return cents / 100


def told(answer: BaseModel) -> dict[str, Any]:
    """Write an answer without the keys that say nothing about this payment."""
    return answer.model_dump(exclude_unset=True)
