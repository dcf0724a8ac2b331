"""The shop dialect, ``/api/payments/mpesa/…``: envelopes of success, message and data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictInt, StrictStr

from app.accounts.guard import for_provider, require_person, signed_in
from app.core.clock import iso_seconds
from app.core.errors import InvalidPhone, LipaError
from app.core.money import cents_from_shillings, shillings_number
from app.core.reading import parse
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import service as payments
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.view import order_state
from app.payments.webhook import receive_stk_callback
from app.web import answer_error

shop_dialect = Blueprint("shop_dialect", __name__, url_prefix="/api/payments")

CUSTOMER_MESSAGE = "Please check your phone and enter your M-Pesa PIN"

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


class InitiateBody(BaseModel):
    order_id: StrictInt | StrictStr
    phone_number: StrictStr = Field(max_length=64)
    amount: Any = None


class QueryBody(BaseModel):
    order_id: StrictInt | StrictStr


@shop_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    """Put this document's words in front where it promises them."""
    if isinstance(error, InvalidPhone):
        error.message = f"Invalid Phone Number. {error.message}"
    elif error.details.get("reason") == "refused_credentials":
        told = str(error.details.get("provider_message", ""))
        named = "Invalid Access Token" if "token" in told.lower() else "Insufficient Permissions"
        error.message = f"{named}. {error.message}"
    return answer_error(error)


@shop_dialect.post("/mpesa/initiate")
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
    data = {
        "checkout_request_id": payment.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id,
        "customer_message": CUSTOMER_MESSAGE,
        "status": STATUS_WORDS[Status(payment.status)],
        **_for_the_page(payment.order, [payment]),
    }
    return jsonify(success=True, message=message, data=data), 202 if unknown else 200


@shop_dialect.post("/mpesa/query")
@signed_in
@status_limit
def query() -> ResponseReturnValue:
    order = orders.find_order(parse(request, QueryBody).order_id, require_person())
    attempts = payments.attempts_of(order)
    if (attempt := payments.telling_attempt(attempts)) is not None:
        payments.wake(attempt)
    return jsonify(success=True, data=_status_of(order, attempts))


@shop_dialect.get("/verify/<order_id>")
@signed_in
@status_limit
def verify(order_id: str) -> ResponseReturnValue:
    order = orders.find_order(order_id, require_person())
    attempt = payments.telling_attempt(payments.attempts_of(order))
    data = {
        "order_id": str(order.uuid),
        "order_number": order.number,
        "payment_status": _payment_word(order, attempt),
        "payment_method": "mpesa" if attempt else None,
        "payment_reference": attempt.mpesa_receipt if attempt else None,
        "paid_at": iso_seconds(order.paid_at) if order.paid_at else None,
        "total": shillings_number(order.total_cents),
    }
    return jsonify(success=True, data=data)


@shop_dialect.post("/mpesa/callback")
@for_provider
def callback() -> ResponseReturnValue:
    return receive_stk_callback(request)


def _status_of(order: Order, attempts: Sequence[Payment]) -> dict[str, Any]:
    attempt = payments.telling_attempt(attempts)
    word = _payment_word(order, attempt)
    return {
        "status": word,
        "payment_reference": attempt.mpesa_receipt if attempt else None,
        "payment_status": word,
        "reason": _reason(attempt),
        "result_code": attempt.result_code if attempt else None,
        "result_desc": attempt.result_desc if attempt else None,
        "review": order.status == OrderStatus.REVIEW
        or (attempt is not None and attempt.needs_review),
        **_for_the_page(order, attempts),
    }


def _payment_word(order: Order, attempt: Payment | None) -> str:
    if attempt is None:
        return "completed" if order.status == OrderStatus.PAID else "pending"
    return STATUS_WORDS[Status(attempt.status)]


def _reason(attempt: Payment | None) -> str | None:
    return (attempt.review_reason or attempt.reason) if attempt else None


def _for_the_page(order: Order, attempts: Sequence[Payment]) -> dict[str, Any]:
    """Add what the payment dialog shows; programs may pass it over."""
    state = order_state(order, attempts)
    return {
        "order_id": str(order.uuid),
        "transaction_id": state["transaction_id"],
        "title": state["title"],
        "can_retry": state["can_pay"],
        "live": state["live"],
        "state": state["state"],
        "prompt_expires_at": state["prompt_expires_at"],
        "seconds_left": state["seconds_left"],
        "receipt_url": state["receipt_url"],
        "message": state["message"],
    }
