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

from app.accounts.guard import admin_only, for_provider, require_person, signed_in
from app.core.clock import iso_seconds
from app.core.errors import InvalidPhone, LipaError
from app.core.money import cents_from_shillings, whole_shillings
from app.core.reading import page_of, parse
from app.disbursements import refunds
from app.disbursements.models import OutStatus
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
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

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str | None:
    """Take the blanks off; a text of nothing else says nothing."""
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text.strip() or None


#: Kept whole; Daraja gets a shorter copy.
Line = Annotated[StrictStr, Field(max_length=255), AfterValidator(_one_line)]


class InitiateBody(BaseModel):
    phone: StrictStr
    amount: Any
    course_id: Annotated[StrictInt, Field(ge=1)]
    account_reference: Line | None = None
    transaction_desc: Line | None = None


class InitiateAnswer(BaseModel):
    """Where the status is asked for stands in the header Location."""

    success: bool = True
    message: str
    checkout_request_id: str | None
    merchant_request_id: str | None


class UnconfirmedAnswer(InitiateAnswer):
    """The same keys where nobody knows whether the prompt was sent."""

    status: str = "pending"


class StatusAnswer(BaseModel):
    id: int
    checkout_request_id: str | None
    amount: str
    status: str
    phone: str
    mpesa_receipt: str | None
    created_at: str


class OwnRow(BaseModel):
    """``course`` is null for a payment that is for no course."""

    id: int
    course: str | None
    amount: str
    status: str
    created_at: str


class AdminRow(StatusAnswer):
    """``user`` is the payer's e-mail, null where nobody was signed in."""

    course: str | None
    user: str | None


class RefundBody(BaseModel):
    payment_id: StrictInt | StrictStr
    amount: Any = None
    reason: StrictStr | None = Field(default=None, max_length=refunds.MOST_WORDS)


class RefundAnswer(BaseModel):
    success: bool = True
    message: str
    refund_id: str
    status: str


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
@for_provider
def callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


@courses_dialect.get("/<payment_id>/status")
@signed_in
@status_limit
def status(payment_id: str) -> ResponseReturnValue:
    """Tell how a payment stands; a question to Daraja that is due starts."""
    payment = payments.find_payment(payment_id, require_person())
    payments.wake(payment)
    return StatusAnswer(**_record(payment)).model_dump()


@courses_dialect.get("/my")
@signed_in
@status_limit
def my() -> ResponseReturnValue:
    """List the caller's own payments, newest first; ``page`` leads to the older ones."""
    page, per_page = page_of(request, ROWS_AT_ONCE, ROWS_AT_ONCE)
    found = fees.listed(page, per_page, require_person())
    return jsonify([_own_row(payment).model_dump() for payment in found])


@courses_dialect.get("/admin")
@admin_only
@status_limit
def admin() -> ResponseReturnValue:
    """List everybody's payments, newest first; ``page`` leads to the older ones."""
    page, per_page = page_of(request, ROWS_AT_ONCE, ROWS_AT_ONCE)
    return jsonify([_admin_row(payment).model_dump() for payment in fees.listed(page, per_page)])


@courses_dialect.post("/b2c")
@admin_only
@initiate_limit
@idempotent
def b2c() -> ResponseReturnValue:
    """Ask for a payment's money back: for whatever is left of it where no amount is given."""
    body = parse(request, RefundBody)
    wanted_cents = None if body.amount is None else cents_from_shillings(body.amount)
    reason = (body.reason or "").strip() or REFUND_REASON
    refund = refunds.ask(body.payment_id, require_person(), wanted_cents, reason)
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
