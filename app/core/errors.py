"""Every refusal is a small class that carries what it is about.

The core names the refusal; a dialect chooses the words its document promises for it.
"""

from __future__ import annotations

from typing import Any

from app.core.texts import Said, marked, said


class LipaError(Exception):
    """Something the caller can be told. Subclasses set the code and the HTTP status."""

    code = "INTERNAL_ERROR"
    status = 500
    message = marked("Something went wrong on our side. Nothing was charged by this request.")

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.message = message or self.message
        self.details = details or {}
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """Return the error body that every path of every dialect answers with."""
        return {
            "success": False,
            "status": "error",
            "error": self.message,
            "message": self.message,
            "code": self.code,
            "details": self.details,
        }


class ValidationError(LipaError):
    code = "VALIDATION_ERROR"
    status = 400
    message = marked("The request is not complete or not readable.")


class InvalidAmount(ValidationError):
    code = "INVALID_AMOUNT"

    def __init__(self, field: str = "amount") -> None:
        super().__init__(
            said(
                "{field} must be a whole number of shillings, such as 1500. "
                "Cents, signs, exponents and words are not accepted.",
                field=field,
            ),
            details={"field": field},
        )


class AmountMismatch(ValidationError):
    code = "AMOUNT_MISMATCH"

    def __init__(self, expected_shillings: int | float) -> None:
        super().__init__(
            said("The amount must be what is owed: KES {amount}.", amount=expected_shillings),
            details={"expected": expected_shillings},
        )


class AmountTooLow(ValidationError):
    code = "AMOUNT_TOO_LOW"
    message = marked("The amount is below the least that M-Pesa takes, which is KES 1.")


class AmountTooHigh(ValidationError):
    code = "AMOUNT_TOO_HIGH"

    def __init__(self, maximum_shillings: int) -> None:
        super().__init__(
            said(
                "The amount is above KES {maximum:,}, the most that one payment may be. "
                "Split the order and pay in parts.",
                maximum=maximum_shillings,
            ),
            details={"maximum": maximum_shillings},
        )


class InvalidCurrency(ValidationError):
    code = "INVALID_CURRENCY"

    def __init__(self) -> None:
        super().__init__(
            marked("M-Pesa takes Kenyan shillings: send KES, or leave the currency out."),
            details={"field": "currency", "expected": "KES"},
        )


class InvalidPhone(ValidationError):
    code = "INVALID_PHONE"
    message = marked(
        "That is not a Kenyan mobile number. Write it as 0712345678, 712345678, "
        "254712345678 or +254712345678."
    )


class Unauthorized(LipaError):
    code = "UNAUTHORIZED"
    status = 401
    message = marked("Sign in first: send Authorization: Bearer <token>, or sign in on the page.")


class Forbidden(LipaError):
    code = "FORBIDDEN"
    status = 403
    message = marked("You are signed in, but this is not yours to do.")


class NotFound(LipaError):
    code = "NOT_FOUND"
    status = 404
    message = marked("There is nothing here under that name, or it is not yours.")


class Conflict(LipaError):
    code = "CONFLICT"
    status = 409
    message = marked("That cannot be done in the present state.")


class OutOfStock(Conflict):
    """The shop has fewer of a product than was asked for."""

    def __init__(self, product_id: int, name: str, available: int) -> None:
        few = marked("{name}: only {count} left. Take fewer and try again; nothing was charged.")
        none = marked("{name}: sold out. Take it out and try again; nothing was charged.")
        super().__init__(
            Said(few if available else none, {"name": name, "count": available}),
            details={"product_id": product_id, "name": name, "available": available},
        )


class OrderAlreadyPaid(Conflict):
    code = "ORDER_ALREADY_PAID"
    message = marked("This order is already paid. Nothing more was charged.")


class PaymentInProgress(Conflict):
    code = "PAYMENT_IN_PROGRESS"
    message = marked("A payment for this order is under way. Wait for its end, then try again.")


class PaymentFailed(Conflict):
    """Something was asked of a payment that only a completed one has, and it came to nothing."""

    code = "PAYMENT_FAILED"
    message = marked("This payment did not go through, so nothing was paid.")


class PaymentExpired(Conflict):
    """Something was asked of a payment that only a completed one has, and nobody paid in time."""

    code = "PAYMENT_EXPIRED"
    message = marked("This payment was not made in time, so nothing was paid.")


class IdempotencyMismatch(LipaError):
    code = "IDEMPOTENCY_MISMATCH"
    status = 422
    message = marked(
        "This Idempotency-Key stands for another request. Send a new request with a new key; "
        "nothing was done."
    )


class RateLimited(LipaError):
    code = "RATE_LIMITED"
    status = 429
    message = marked("Too many requests. Wait a little, then try again.")


class ProviderRefused(LipaError):
    """Daraja answered and said no. Nothing was sent to the phone."""

    code = "PROVIDER_REFUSED"
    status = 502
    message = marked("M-Pesa refused the request. Nothing was charged.")


class ProviderUnavailable(LipaError):
    """Daraja is known not to have been reached. Nothing was sent to the phone."""

    code = "PROVIDER_UNAVAILABLE"
    status = 503
    message = marked(
        "M-Pesa cannot be reached just now. Nothing was charged; try again in a minute."
    )

    def __init__(
        self, message: str | None = None, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, details=details, retry_after_seconds=30)


class Busy(LipaError):
    """The database could not be written to in time."""

    status = 503
    message = marked("The shop is very busy. Nothing was changed; try again in a few seconds.")

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=5)


class PayloadTooLarge(LipaError):
    code = "PAYLOAD_TOO_LARGE"
    status = 413
    message = marked("The request is too large.")


class UnsupportedMediaType(LipaError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    message = marked("Send JSON, with the header Content-Type: application/json.")
