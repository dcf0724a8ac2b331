"""The shop dialect, ``/api/payments/mpesa/…``: envelopes of success, message and data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from app.accounts.guard import for_provider, require_person, signed_in
from app.core.clock import iso_seconds
from app.core.errors import InvalidPhone, LipaError, NotFound
from app.core.money import cents_from_shillings, shillings_number
from app.core.reading import parse
from app.idempotency import idempotent
from app.languages import in_readers_language
from app.limits import initiate_limit, status_limit
from app.mpesa.result_codes import meaning
from app.openapi import (
    PROMPT,
    Answer,
    Moment,
    OrderRef,
    Phone,
    Receipt,
    Shillings,
    TransactionName,
    Uuid,
    chapter,
    codes,
    documented,
    documented_callback,
    one_of,
)
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import service as payments
from app.payments import unchanged
from app.payments.models import Payment
from app.payments.reading import Reading
from app.payments.states import UNPAID_ENDS, Status
from app.payments.view import state_of
from app.payments.webhook import receive_stk_callback
from app.web import answer_error

shop_dialect = Blueprint("shop_dialect", __name__, url_prefix="/api/payments")

CUSTOMER_MESSAGE = "Please check your phone and enter your M-Pesa PIN"
PHONE_FORMS = (
    "It must come to 12 digits that begin 2547, 2541 or 2542. Write it as 0712345678, 712345678, "
    "254712345678 or +254712345678; spaces and dashes may stay."
)

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
    "INVALID_PHONE": ("Invalid Phone Number",),
    "VALIDATION_ERROR": ("Invalid Phone Number",),
    "PROVIDER_REFUSED": ("Invalid Access Token", "Insufficient Permissions"),
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
    "shop_dialect",
    title="Shop dialect",
    about="Envelopes of success, message and data. The shop's own pages speak it.",
    statuses=STATUS_WORDS,
    words=ERROR_WORDS,
    plain=PLAIN_CODES,
)

StatusWord = Annotated[str, one_of(STATUS_WORDS.values())]
_PAGE_STATES = ["unpaid", "waiting", "unconfirmed", "paid", "review", *sorted(UNPAID_ENDS)]


class InitiateBody(BaseModel):
    order_id: OrderRef
    phone_number: Phone
    amount: Shillings | None = Field(
        default=None, description="If stated, it must be what is owed."
    )


class QueryBody(BaseModel):
    order_id: OrderRef


class _ForThePage(Answer):
    """What the payment dialog shows; programs may pass it over."""

    order_id: Uuid
    transaction_id: TransactionName | None
    title: str = Field(examples=["Check your phone"])
    can_retry: bool = Field(description="Whether the order can be paid now.", examples=[False])
    live: bool = Field(description="Whether a prompt may be on the phone.", examples=[True])
    state: Annotated[str, one_of(_PAGE_STATES)] = Field(examples=["waiting"])
    prompt_expires_at: Moment | None
    seconds_left: int | None = Field(examples=[60])
    receipt_url: str | None = Field(description="A page.", examples=[None])
    message: str = Field(examples=["Enter your PIN there to pay. Keep this page open."])


class _Begun(Answer):
    checkout_request_id: str | None = Field(examples=["ws_CO_211120260900005712345678"])
    merchant_request_id: str | None = Field(examples=["29115-34620561-1"])
    customer_message: str = Field(examples=[CUSTOMER_MESSAGE])
    status: StatusWord


class InitiateData(_ForThePage, _Begun):
    """The attempt, with null ids where nobody knows whether the prompt was sent."""


class InitiateAnswer(Answer):
    """The prompt is on its way, or, with 202, nobody knows whether it was sent."""

    success: bool = Field(default=True, examples=[True])
    message: str = Field(examples=["STK Push sent successfully"])
    data: InitiateData


class _Known(Answer):
    status: StatusWord
    payment_reference: Receipt | None
    payment_status: StatusWord
    reason: str | None = Field(description="Why there is no money, or what a person looks at.")
    result_code: str | None = Field(description="How the prompt ended, by M-Pesa's code.")
    result_desc: str | None
    result_meaning: str | None = Field(description="The same in words.")
    review: bool = Field(description="Whether a person has to look at it.")


class QueryData(_ForThePage, _Known):
    """How an order stands by the shop's own books."""


class QueryAnswer(Answer):
    """How an order stands by the shop's own books."""

    success: bool = Field(default=True, examples=[True])
    data: QueryData


class VerifyData(Answer):
    """Whether an order is paid, and by what."""

    order_id: Uuid
    order_number: int = Field(examples=[7])
    payment_status: StatusWord
    payment_method: Annotated[str, one_of(["mpesa"])] | None
    payment_reference: Receipt | None
    paid_at: Moment | None
    total: int | float = Field(description="Shillings.", examples=[3000])


class VerifyAnswer(Answer):
    """Whether an order is paid, and by what."""

    success: bool = Field(default=True, examples=[True])
    data: VerifyData


@shop_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    """Put this document's words in front where it promises them."""
    if isinstance(error, InvalidPhone) and "field" in error.details:
        error.message = f"Invalid Phone Number. {PHONE_FORMS}"
    elif isinstance(error, InvalidPhone) or "phone_number" in error.details.get("fields", {}):
        error.message = f"Invalid Phone Number. {error.message}"
    elif error.details.get("reason") == "refused_credentials":
        told = str(error.details.get("provider_message", ""))
        named = "Invalid Access Token" if "token" in told.lower() else "Insufficient Permissions"
        error.message = f"{named}. {error.message}"
    return answer_error(error)


@shop_dialect.post("/mpesa/initiate")
@documented(
    "Send the prompt for an order",
    {200: InitiateAnswer, 202: InitiateAnswer},
    body=InitiateBody,
    refusals=PROMPT,
    about="The amount is what is owed. While a prompt may be on the phone, the same attempt is "
    "given back.",
)
@signed_in
@initiate_limit
@idempotent
def initiate() -> ResponseReturnValue:
    body = parse(request, InitiateBody)
    payment = payments.initiate(
        person=require_person(),
        order_ref=body.order_id,
        phone=body.phone_number,
        # The amount is the order's; a caller who states one is held to it.
        amount_cents=None if body.amount is None else cents_from_shillings(body.amount),
    )
    unknown = payment.status in (Status.CREATED, Status.UNCONFIRMED)
    message = "M-Pesa has not confirmed the prompt yet" if unknown else "STK Push sent successfully"
    data = InitiateData(
        checkout_request_id=payment.checkout_request_id,
        merchant_request_id=payment.merchant_request_id,
        customer_message=CUSTOMER_MESSAGE,
        status=STATUS_WORDS[Status(payment.status)],
        **_for_the_page(payments.read(payment.order, [payment])),
    )
    answer = InitiateAnswer(message=message, data=data)
    return jsonify(answer.model_dump()), 202 if unknown else 200


@shop_dialect.post("/mpesa/query")
@documented(
    "Ask how an order stands",
    QueryAnswer,
    body=QueryBody,
    refusals=(NotFound,),
    about="For polling: it reads the shop's own books; a question to M-Pesa that is due starts.",
)
@signed_in
@status_limit
def query() -> ResponseReturnValue:
    reading = payments.read_order(parse(request, QueryBody).order_id, require_person())
    if (attempt := payments.telling_attempt(reading.attempts)) is not None:
        payments.wake(attempt)
    unchanged.leave(reading)
    return jsonify(QueryAnswer(data=_status_of(reading)).model_dump())


@shop_dialect.get("/verify/<order_id>")
@documented("Ask whether an order is paid", VerifyAnswer)
@signed_in
@status_limit
def verify(order_id: str) -> ResponseReturnValue:
    order = orders.find_order(order_id, require_person())
    attempt, receipt = _what_tells(order, payments.attempts_of(order))
    data = VerifyData(
        order_id=str(order.uuid),
        order_number=order.number,
        payment_status=_payment_word(order, attempt),
        payment_method="mpesa" if attempt or receipt else None,
        payment_reference=receipt,
        paid_at=iso_seconds(order.paid_at) if order.paid_at else None,
        total=shillings_number(order.total_cents),
    )
    return jsonify(VerifyAnswer(data=data).model_dump())


@shop_dialect.post("/mpesa/callback")
@documented_callback()
@for_provider
def callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


def _status_of(reading: Reading) -> QueryData:
    order = reading.order
    attempt, receipt = _what_tells(order, reading.attempts)
    word = _payment_word(order, attempt)
    return QueryData(
        status=word,
        payment_reference=receipt,
        payment_status=word,
        reason=_reason(attempt),
        result_code=attempt.result_code if attempt else None,
        result_desc=attempt.result_desc if attempt else None,
        result_meaning=meaning("stk", attempt.result_code) if attempt else None,
        review=order.status == OrderStatus.REVIEW or (attempt is not None and attempt.needs_review),
        **_for_the_page(reading),
    )


def _what_tells(order: Order, attempts: Sequence[Payment]) -> tuple[Payment | None, str | None]:
    """Pick the attempt that says how an order stands, and the receipt of the money.

    Where an order was paid by hand at the paybill, no attempt of ours does.
    """
    attempt = payments.telling_attempt(attempts)
    if order.status == OrderStatus.PAID and not (attempt and attempt.is_completed):
        by_hand = payments.paid_by_hand(order.id)
        return None, by_hand[0].receipt if by_hand else None
    return attempt, attempt.mpesa_receipt if attempt else None


def _payment_word(order: Order, attempt: Payment | None) -> str:
    if attempt is None:
        return "completed" if order.status == OrderStatus.PAID else "pending"
    return STATUS_WORDS[Status(attempt.status)]


def _reason(attempt: Payment | None) -> str | None:
    return (attempt.review_reason or attempt.reason) if attempt else None


def _for_the_page(reading: Reading) -> dict[str, Any]:
    """Add what the payment dialog shows; programs may pass it over."""
    state = state_of(reading)
    return {
        "order_id": str(reading.order.uuid),
        "transaction_id": state["transaction_id"],
        "title": in_readers_language(state["title"]),
        "can_retry": state["can_pay"],
        "live": state["live"],
        "state": state["state"],
        "prompt_expires_at": state["prompt_expires_at"],
        "seconds_left": state["seconds_left"],
        "receipt_url": state["receipt_url"],
        "message": " ".join(
            in_readers_language(told) for told in (state["message"], state["warning"]) if told
        ),
    }
