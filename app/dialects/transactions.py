"""The transactions dialect, ``/api/payments/transactions/…``: integer ids, money as text.

Its status check is live: Daraja is asked, at most once in ten seconds for one attempt, and what
it said stands beside our own record.
"""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from app.accounts.guard import for_provider, require_person, signed_in
from app.core.errors import InvalidPhone, LipaError
from app.core.money import CENTS, cents_from_shillings
from app.core.reading import parse
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.openapi import (
    PROMPT,
    Answer,
    OrderRef,
    Receipt,
    Shillings,
    StrictPhone,
    chapter,
    codes,
    documented,
    documented_callback,
    one_of,
)
from app.payments import engine
from app.payments import service as payments
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.webhook import receive_stk_callback
from app.settings.service import settings
from app.web import answer_error

transactions_dialect = Blueprint(
    "transactions_dialect", __name__, url_prefix="/api/payments/transactions"
)

SENT = "STK Push sent successfully. Please check your phone."
UNKNOWN = (
    "M-Pesa has not confirmed the prompt yet. Check the status; asking again sends no second one."
)
CUSTOMER_MESSAGE = "Please check your phone for M-Pesa prompt."
PAID = "The service request is processed successfully."
#: What Daraja itself says of a prompt that has not ended (seen in recorded traffic).
NOT_YET = ("4999", "The transaction is still under processing")
UNTOLD = "M-Pesa never said how this prompt ended"

#: This dialect knows two ends only; what is not decided is pending.
STATUS_WORDS = {
    Status.CREATED: "pending",
    Status.PENDING: "pending",
    Status.UNCONFIRMED: "pending",
    Status.REVIEW: "pending",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
    Status.EXPIRED: "failed",
}
#: How a message may begin here, by its code; those of the other codes are the core's own.
ERROR_WORDS = {
    "INVALID_PHONE": ("Invalid phone number format",),
    "VALIDATION_ERROR": ("Invalid phone number format",),
    "PROVIDER_REFUSED": ("Failed to connect to M-Pesa API",),
    "PROVIDER_UNAVAILABLE": ("Failed to connect to M-Pesa API",),
}
PLAIN_CODES = codes(
    """
    AMOUNT_MISMATCH AMOUNT_TOO_HIGH AMOUNT_TOO_LOW CONFLICT FORBIDDEN IDEMPOTENCY_MISMATCH
    INTERNAL_ERROR INVALID_AMOUNT INVALID_CURRENCY METHOD_NOT_ALLOWED NOT_FOUND ORDER_ALREADY_PAID
    PAYLOAD_TOO_LARGE PAYMENT_EXPIRED PAYMENT_FAILED PAYMENT_IN_PROGRESS RATE_LIMITED UNAUTHORIZED
    UNSUPPORTED_MEDIA_TYPE
    """
)
chapter(
    "transactions_dialect",
    title="Transactions dialect",
    about="Integer ids, and money as text with two decimals; the amount is the order's.",
    statuses=STATUS_WORDS,
    words=ERROR_WORDS,
    plain=PLAIN_CODES,
)


class InitiateBody(BaseModel):
    order_id: OrderRef
    phone_number: StrictPhone
    amount: Shillings | None = Field(
        default=None, description="If stated, it must be what is owed."
    )


class InitiateAnswer(Answer):
    """The prompt is on its way."""

    status: Annotated[str, one_of(["success"])] = "success"
    message: str = Field(default=SENT, examples=[SENT])
    transaction_id: int = Field(examples=[12])
    checkout_request_id: str | None = Field(examples=["ws_CO_211120260900005712345678"])
    customer_message: str = Field(default=CUSTOMER_MESSAGE, examples=[CUSTOMER_MESSAGE])


class UnconfirmedAnswer(InitiateAnswer):
    """Nobody knows whether the prompt was sent."""

    status: Annotated[str, one_of(["pending"])] = "pending"
    message: str = Field(default=UNKNOWN, examples=[UNKNOWN])
    checkout_request_id: str | None = Field(examples=[None])


class Transaction(Answer):
    """Our own record. ``amount`` is shillings with two decimals, the phone twelve digits."""

    transaction_id: int = Field(examples=[12])
    payment_status: Annotated[str, one_of(STATUS_WORDS.values())]
    mpesa_receipt_number: Receipt | None
    amount: str = Field(examples=["1500.00"], json_schema_extra={"pattern": r"^[0-9]+\.[0-9]{2}$"})
    phone_number: str = Field(examples=["254712345678"])


class MpesaStatus(Answer):
    """Daraja's word. The code is null where it never gave one."""

    ResultCode: str | None = Field(examples=["0"])
    ResultDesc: str = Field(examples=[PAID])


class StatusAnswer(Answer):
    """Our own record, and what Daraja said beside it."""

    transaction: Transaction
    mpesa_status: MpesaStatus


@transactions_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    """Put this document's words in front where it promises them."""
    fields = error.details.get("fields", {})
    is_form = isinstance(error, InvalidPhone) and "provider_code" not in error.details
    if is_form or "phone_number" in fields:
        told = "" if is_form else f" {error.message}"
        error.message = (
            "Invalid phone number format. Write it as 254712345678, without spaces or other "
            f"characters.{told}"
        )
    elif error.details.get("reason") in ("refused_unreachable", "refused_credentials"):
        error.message = f"Failed to connect to M-Pesa API. {error.message}"
    return answer_error(error)


@transactions_dialect.post("/initiate_mpesa_payment")
@documented(
    "Send the prompt for an order",
    {200: InitiateAnswer, 202: UnconfirmedAnswer},
    body=InitiateBody,
    refusals=PROMPT,
)
@signed_in
@initiate_limit
@idempotent
def initiate_mpesa_payment() -> ResponseReturnValue:
    body = parse(request, InitiateBody)
    payment = payments.initiate(
        person=require_person(),
        order_ref=body.order_id,
        phone=body.phone_number,
        # The amount is the order's; a caller who states one is held to it.
        amount_cents=None if body.amount is None else cents_from_shillings(body.amount),
        strict_phone=settings().phone_strict_dialects,
    )
    unknown = payment.status in (Status.CREATED, Status.UNCONFIRMED)
    answer = (UnconfirmedAnswer if unknown else InitiateAnswer)(
        transaction_id=payment.id, checkout_request_id=payment.checkout_request_id
    )
    return jsonify(answer.model_dump()), 202 if unknown else 200


@transactions_dialect.get("/<transaction_id>/check_mpesa_status")
@documented(
    "Ask M-Pesa how a payment stands",
    StatusAnswer,
    about="M-Pesa is asked live, at most once in ten seconds for one payment.",
)
@signed_in
@status_limit
def check_mpesa_status(transaction_id: str) -> ResponseReturnValue:
    payment = payments.find_payment(transaction_id, require_person())
    # One that ended without money is asked about too: success may have come late.
    engine.ask(payment.id, at_once=True)
    payment = payments.find_payment(transaction_id, require_person())
    answer = StatusAnswer(transaction=_transaction(payment), mpesa_status=_mpesa_status(payment))
    return jsonify(answer.model_dump())


@transactions_dialect.post("/mpesa_callback")
@documented_callback()
@for_provider
def mpesa_callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


def _transaction(payment: Payment) -> Transaction:
    shillings, cents = divmod(payment.amount_cents, CENTS)
    return Transaction(
        transaction_id=payment.id,
        payment_status=STATUS_WORDS[Status(payment.status)],
        mpesa_receipt_number=payment.mpesa_receipt,
        amount=f"{shillings}.{cents:02d}",
        phone_number=payment.phone,
    )


def _mpesa_status(payment: Payment) -> MpesaStatus:
    code, told = payment.result_code, payment.result_desc or ""
    if payment.is_live:
        code, told = NOT_YET
    elif code is None:
        told = UNTOLD
    elif payment.is_settled:
        told = told or PAID
    return MpesaStatus(ResultCode=code, ResultDesc=told)
