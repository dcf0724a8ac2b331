"""Starting a payment, asking how it ended, and the address that Daraja posts to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, StrictInt, StrictStr

from app.accounts.guard import for_provider, require_person, signed_in
from app.core.errors import NotFound
from app.core.money import cents_from_shillings
from app.core.reading import parse
from app.dialects.payment_api.words import (
    shillings,
    status_message,
    status_word,
    told,
    unpaid_code,
)
from app.disbursements.returned import returned_cents
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.orders import service as orders
from app.payments import service as payments
from app.payments.methods import require_currency, require_payable
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.webhook import receive_stk_callback
from app.settings.service import settings

paying_doors = Blueprint("paying", __name__)


class InitiateBody(BaseModel):
    phone_number: StrictStr
    order_id: StrictInt | StrictStr
    amount: Any
    currency: Any = None


class InitiateAnswer(BaseModel):
    """``status`` is there only while nobody knows whether the prompt was sent."""

    message: str
    transaction_id: str
    checkout_request_id: str | None
    status: str = "pending"


class VerifyBody(BaseModel):
    transaction_id: StrictInt | StrictStr
    order_id: StrictInt | StrictStr


class VerifyAnswer(BaseModel):
    """The first two keys are always there, the others where they say something."""

    status: str
    message: str
    code: str | None = None
    reason: str | None = None
    review: bool = False
    refunded_amount: float = 0


@paying_doors.post("/mpesa")
@signed_in
@initiate_limit
@idempotent
def initiate() -> ResponseReturnValue:
    body = parse(request, InitiateBody)
    require_currency(body.currency)
    stated_cents = cents_from_shillings(body.amount)
    require_payable(stated_cents)
    payment = payments.initiate(
        person=require_person(),
        order_ref=body.order_id,
        phone=body.phone_number,
        amount_cents=stated_cents,
        strict_phone=settings().phone_strict_dialects,
    )
    return told(initiated(payment)), initiated_status(payment)


@paying_doors.post("/verify")
@signed_in
@status_limit
def verify() -> ResponseReturnValue:
    """Tell how a payment stands. It changes nothing; a question to Daraja that is due starts."""
    body, person = parse(request, VerifyBody), require_person()
    payment = payments.find_payment(body.transaction_id, person)
    if payment.order_id != orders.find_order(body.order_id, person).id:
        raise NotFound("This payment does not belong to that order.")
    payments.wake(payment)
    return told(_verified(payment))


@paying_doors.post("/mpesa-callback")
@for_provider
def callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


def initiated(payment: Payment) -> InitiateAnswer:
    """Acknowledge an attempt; say so where nobody knows whether its prompt was sent."""
    names = {
        "transaction_id": payment.public_ref,
        "checkout_request_id": payment.checkout_request_id,
    }
    if _is_unconfirmed(payment):
        return InitiateAnswer(message=status_message(payment), status=status_word(payment), **names)
    return InitiateAnswer(message="Payment initiated", **names)


def initiated_status(payment: Payment) -> int:
    """Return 202 where nobody knows whether the prompt was sent, else 200."""
    return 202 if _is_unconfirmed(payment) else 200


def _is_unconfirmed(payment: Payment) -> bool:
    return payment.status in (Status.CREATED, Status.UNCONFIRMED)


def _verified(payment: Payment) -> VerifyAnswer:
    answer = VerifyAnswer(status=status_word(payment), message=status_message(payment))
    if (code := unpaid_code(payment)) is not None:
        answer.code, answer.reason = code, payment.reason
    if payment.needs_review:
        answer.review = True
    if refunded := returned_cents([payment]):
        answer.refunded_amount = shillings(refunded[payment.id])
    return answer
