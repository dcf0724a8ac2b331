"""Starting a payment, asking how it ended, and the address that Daraja posts to."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from pydantic.json_schema import WithJsonSchema

from app.accounts.guard import for_provider, require_person, signed_in
from app.core.errors import InvalidCurrency, NotFound
from app.core.money import cents_from_shillings
from app.core.reading import parse
from app.dialects.payment_api.words import (
    UNPAID_CODES,
    Returned,
    StatusWord,
    shillings,
    status_message,
    status_word,
    told,
    unpaid_code,
)
from app.disbursements.returned import returned_cents
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.openapi import (
    PROMPT,
    Answer,
    OrderRef,
    PaymentRef,
    Shillings,
    StrictPhone,
    TransactionName,
    absent,
    documented,
    documented_callback,
    one_of,
)
from app.orders import service as orders
from app.payments import service as payments
from app.payments.methods import require_currency, require_payable
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.webhook import receive_stk_callback
from app.settings.service import settings

paying_doors = Blueprint("paying", __name__)


#: Read by ``require_currency``, whose refusal has a code of its own.
Currency = Annotated[
    Any,
    WithJsonSchema({"description": "KES, or nothing.", "enum": ["KES", None], "examples": ["KES"]}),
]


class InitiateBody(BaseModel):
    phone_number: StrictPhone
    order_id: OrderRef
    amount: Shillings
    currency: Currency = None


class InitiateAnswer(Answer):
    """The prompt is on its way."""

    message: str = Field(examples=["Payment initiated"])
    transaction_id: TransactionName
    checkout_request_id: str | None = Field(examples=["ws_CO_211120260900005712345678"])


class UnconfirmedAnswer(InitiateAnswer):
    """Nobody knows whether the prompt was sent."""

    message: str = Field(examples=["Payment pending: M-Pesa has not confirmed the prompt yet"])
    checkout_request_id: str | None = Field(examples=[None])
    status: StatusWord


class VerifyBody(BaseModel):
    transaction_id: PaymentRef
    order_id: OrderRef


class VerifyAnswer(BaseModel):
    """The first two keys are always there, the others where they say something."""

    status: StatusWord
    message: str = Field(examples=["Payment successful"])
    code: Annotated[str, one_of(UNPAID_CODES.values(), "Why there is no money.")] = absent()
    reason: str | None = absent(description="The same, in more kinds.")
    review: bool = absent(description="A person has to look at it.")
    refunded_amount: Returned = absent()


@paying_doors.post("/mpesa")
@documented(
    "Send the prompt for an order",
    {200: InitiateAnswer, 202: UnconfirmedAnswer},
    body=InitiateBody,
    refusals=(*PROMPT, InvalidCurrency),
    about="The amount must be what is owed.",
)
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
@documented(
    "Ask how a payment stands",
    VerifyAnswer,
    body=VerifyBody,
    refusals=(NotFound,),
    about="It changes nothing. Nothing but completed is paid.",
)
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
@documented_callback()
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
        told_of = {"message": status_message(payment), "status": status_word(payment)}
        return UnconfirmedAnswer(**told_of, **names)
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
