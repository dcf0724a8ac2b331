"""The courses dialect, ``/api/payments/…``: flat objects, integer ids, whole shillings as text.

A payment is started by course and price. The other answers are for whoever follows it, lists
their own payments or, as an admin, everybody's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field, StrictInt, StrictStr

from app.accounts.guard import for_provider, require_person, signed_in, staff_only
from app.accounts.roles import May
from app.core.clock import iso_seconds
from app.core.errors import InvalidPhone, LipaError, ProviderRefused
from app.core.money import cents_from_shillings, whole_shillings
from app.core.reading import page_of, parse
from app.disbursements import engine as money_out
from app.disbursements import refunds
from app.disbursements.refusal import require_not_refused
from app.disbursements.states import OutStatus
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.openapi import (
    MONEY_BACK,
    PROMPT,
    Answer,
    Moment,
    PaymentRef,
    Receipt,
    Shillings,
    StrictPhone,
    WholeShillingsText,
    chapter,
    codes,
    documented,
    documented_callback,
    integral,
    one_of,
)
from app.payments import fees
from app.payments import service as payments
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.webhook import receive_stk_callback
from app.settings.service import settings
from app.web import answer_error

courses_dialect = Blueprint("courses_dialect", __name__, url_prefix="/api/payments")

SENT = "STK Push initiated successfully"
UNKNOWN = (
    "M-Pesa has not confirmed the prompt yet. Check the status; asking again sends no second one."
)
REFUND_REASON = "Refunded by an admin"
ROWS_AT_ONCE = 100

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
#: How a message may begin here, by its code; those of the other codes are the core's own.
ERROR_WORDS = {
    "INVALID_PHONE": ("Phone number invalid",),
    "VALIDATION_ERROR": ("Phone number invalid",),
    "PROVIDER_REFUSED": ("Invalid credentials",),
}
PLAIN_CODES = codes(
    """
    AMOUNT_MISMATCH AMOUNT_TOO_HIGH AMOUNT_TOO_LOW CONFLICT FORBIDDEN IDEMPOTENCY_MISMATCH
    INTERNAL_ERROR INVALID_AMOUNT INVALID_CURRENCY METHOD_NOT_ALLOWED NOT_FOUND ORDER_ALREADY_PAID
    PAYLOAD_TOO_LARGE PAYMENT_EXPIRED PAYMENT_FAILED PAYMENT_IN_PROGRESS PROVIDER_UNAVAILABLE
    RATE_LIMITED UNAUTHORIZED UNSUPPORTED_MEDIA_TYPE
    """
)
chapter(
    "courses_dialect",
    title="Courses dialect",
    about="Flat objects, integer ids and whole shillings as text, for a school: a payment is for "
    "a course of the shop, and one that is completed gives a place in it.",
    statuses=STATUS_WORDS,
    words=ERROR_WORDS,
    plain=PLAIN_CODES,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str | None:
    """Take the blanks off; a text of nothing else says nothing."""
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text.strip() or None


#: Kept whole; Daraja gets a shorter copy.
Line = Annotated[StrictStr, Field(max_length=255), AfterValidator(_one_line)]


StatusWord = Annotated[str, one_of(STATUS_WORDS.values())]
PaymentId = Annotated[int, Field(examples=[12])]
RequestId = Annotated[
    str | None,
    Field(description="Daraja's name for the prompt.", examples=["ws_CO_211120260900005712345678"]),
]
Course = Annotated[
    str | None, Field(description="Null for what is no course.", examples=["German A1, evenings"])
]


class InitiateBody(BaseModel):
    phone: StrictPhone
    amount: Shillings = Field(examples=[5000])
    course_id: Annotated[StrictInt, Field(ge=1, examples=[14]), integral]
    account_reference: Line | None = Field(default=None, examples=["COURSE-14"])
    transaction_desc: Line | None = None


class InitiateAnswer(Answer):
    """The prompt is on its way. Where its status is told stands in the header Location."""

    success: bool = Field(default=True, examples=[True])
    message: str = Field(examples=[SENT])
    checkout_request_id: RequestId
    merchant_request_id: str | None = Field(examples=["29115-34620561-1"])


class UnconfirmedAnswer(InitiateAnswer):
    """The same keys where nobody knows whether the prompt was sent."""

    message: str = Field(examples=[UNKNOWN])
    checkout_request_id: RequestId = Field(examples=[None])
    merchant_request_id: str | None = Field(examples=[None])
    status: Annotated[str, one_of(["pending"])] = "pending"


class StatusAnswer(Answer):
    """How a payment stands by the shop's own books."""

    id: PaymentId
    checkout_request_id: RequestId
    amount: WholeShillingsText
    status: StatusWord
    phone: str = Field(description="Twelve digits.", examples=["254712345678"])
    mpesa_receipt: Receipt | None
    created_at: Moment


class OwnRow(Answer):
    """``course`` is null for a payment that is for no course."""

    id: PaymentId
    course: Course
    amount: WholeShillingsText
    status: StatusWord
    created_at: Moment


class AdminRow(StatusAnswer):
    """``user`` is the payer's e-mail, null where nobody was signed in."""

    course: Course
    user: str | None = Field(examples=["wanjiku@example.com"])


class RefundBody(BaseModel):
    payment_id: PaymentRef
    amount: Shillings | None = Field(default=None, description="Without it, all that is left.")
    reason: StrictStr | None = Field(
        default=None, max_length=refunds.MOST_WORDS, examples=["The course was cancelled"]
    )


class RefundAnswer(Answer):
    """The refund, and how it stands; 202 until the money has gone back."""

    success: bool = Field(default=True, examples=[True])
    message: str = Field(examples=["Refund accepted"])
    refund_id: str = Field(examples=["RFD20261121090000M3X"])
    status: Annotated[str, one_of(OutStatus)]


@courses_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    """Put this document's words in front where it promises them."""
    if isinstance(error, InvalidPhone) and "field" in error.details:
        error.details["field"] = "phone"
        error.message = (
            "Phone number invalid. Write it as 254712345678: the country code and the number, "
            "without a plus, spaces or dashes."
        )
    elif isinstance(error, InvalidPhone) or "phone" in error.details.get("fields", {}):
        error.message = f"Phone number invalid. {error.message}"
    elif error.details.get("reason") == "refused_credentials":
        error.message = f"Invalid credentials. {error.message}"
    return answer_error(error)


@courses_dialect.post("/initiate")
@documented(
    "Ask for the fee of a course",
    {200: InitiateAnswer, 202: UnconfirmedAnswer},
    body=InitiateBody,
    refusals=PROMPT,
    about="The amount must be the course's price. A course that the caller has a place in is 409.",
    headers={"Location": "Where the payment's status is told."},
)
@signed_in
@initiate_limit
@idempotent
def initiate() -> ResponseReturnValue:
    body = parse(request, InitiateBody)
    payment = fees.ask_for_fee(
        person=require_person(),
        course_id=body.course_id,
        phone=body.phone,
        amount_cents=cents_from_shillings(body.amount),
        strict_phone=settings().phone_strict_dialects,
        reference=body.account_reference,
        description=body.transaction_desc,
    )
    place = {"Location": f"/api/payments/{payment.id}/status/"}
    if payment.status in (Status.CREATED, Status.UNCONFIRMED):
        return _acknowledged(UnconfirmedAnswer, UNKNOWN, payment), 202, place
    return _acknowledged(InitiateAnswer, SENT, payment), 200, place


@courses_dialect.post("/callback")
@documented_callback()
@for_provider
def callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


@courses_dialect.get("/<payment_id>/status")
@documented(
    "Ask how a payment stands",
    StatusAnswer,
    about="It reads the shop's own books; a question to M-Pesa that is due starts.",
)
@signed_in
@status_limit
def status(payment_id: str) -> ResponseReturnValue:
    """Tell how a payment stands; a question to Daraja that is due starts."""
    payment = payments.find_payment(payment_id, require_person())
    payments.wake(payment)
    return StatusAnswer(**_record(payment)).model_dump()


@courses_dialect.get("/my")
@documented("List the caller's payments, newest first", list[OwnRow], pages=ROWS_AT_ONCE)
@signed_in
@status_limit
def my() -> ResponseReturnValue:
    """List the caller's own payments, newest first; ``page`` leads to the older ones."""
    page, per_page = page_of(request, ROWS_AT_ONCE, ROWS_AT_ONCE)
    found = fees.listed(page, per_page, require_person())
    return jsonify([_own_row(payment).model_dump() for payment in found])


@courses_dialect.get("/admin")
@documented("List everybody's payments, newest first", list[AdminRow], pages=ROWS_AT_ONCE)
@staff_only(May.SEE)
@status_limit
def admin() -> ResponseReturnValue:
    """List everybody's payments, newest first; ``page`` leads to the older ones."""
    page, per_page = page_of(request, ROWS_AT_ONCE, ROWS_AT_ONCE)
    return jsonify([_admin_row(payment).model_dump() for payment in fees.listed(page, per_page)])


@courses_dialect.post("/b2c")
@documented(
    "Ask for a payment's money back",
    {200: RefundAnswer, 202: RefundAnswer},
    body=RefundBody,
    refusals=(*MONEY_BACK, ProviderRefused),
)
@staff_only(May.REFUND)
@initiate_limit
@idempotent
def b2c() -> ResponseReturnValue:
    """Ask for a payment's money back: for whatever is left of it where no amount is given."""
    body = parse(request, RefundBody)
    wanted_cents = None if body.amount is None else cents_from_shillings(body.amount)
    reason = (body.reason or "").strip() or REFUND_REASON
    asked = refunds.ask(body.payment_id, require_person(), wanted_cents, reason)
    refund = money_out.refund_now(asked)
    require_not_refused(refund)
    done = refund.status == OutStatus.COMPLETED
    answer = RefundAnswer(
        message="Refund sent" if done else "Refund accepted",
        refund_id=refund.public_ref,
        status=refund.status,
    )
    return answer.model_dump(), 200 if done else 202


def _acknowledged(kind: type[InitiateAnswer], message: str, payment: Payment) -> dict[str, Any]:
    return kind(
        message=message,
        checkout_request_id=payment.checkout_request_id,
        merchant_request_id=payment.merchant_request_id,
    ).model_dump()


def _record(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "checkout_request_id": payment.checkout_request_id,
        "amount": str(whole_shillings(payment.amount_cents)),
        "status": STATUS_WORDS[Status(payment.status)],
        "phone": payment.phone,
        "mpesa_receipt": payment.mpesa_receipt,
        "created_at": iso_seconds(payment.created_at),
    }


def _own_row(payment: Payment) -> OwnRow:
    return OwnRow(**_record(payment), course=fees.course_of(payment))


def _admin_row(payment: Payment) -> AdminRow:
    user = payment.person.email if payment.person else None
    return AdminRow(**_record(payment), course=fees.course_of(payment), user=user)
