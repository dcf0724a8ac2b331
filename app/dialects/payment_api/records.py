"""What has been paid: history, receipts, and asking for money back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictStr

from app.accounts.guard import require_person, signed_in
from app.core.clock import iso_seconds, nairobi
from app.core.money import cents_from_shillings, kes
from app.core.reading import page_of, parse
from app.dialects.payment_api.words import (
    amount_cents,
    not_completed,
    receipt_word,
    shillings,
    status_word,
    told,
)
from app.disbursements import refunds
from app.disbursements.models import OutStatus
from app.disbursements.returned import returned_cents
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.payments import service as payments
from app.payments.history import payments_of
from app.payments.methods import MPESA, require_currency
from app.payments.models import Payment

record_doors = Blueprint("records", __name__)


class HistoryRow(BaseModel):
    """The last two keys are there only where they say something."""

    id: str
    amount: float
    status: str
    payment_method: str
    created_at: str
    review: bool = False
    refunded_amount: float = 0


class HistoryAnswer(BaseModel):
    results: list[HistoryRow]
    total: int
    page: int


class ReceiptAnswer(BaseModel):
    receipt_number: str
    date: str
    amount: str
    payment_method: str
    status: str
    customer_name: str | None
    order_reference: str


class RefundBody(BaseModel):
    amount: Any
    reason: StrictStr = Field(min_length=1, max_length=refunds.MOST_WORDS)
    currency: Any = None


class RefundAnswer(BaseModel):
    """``status`` is there only while the money has not gone back yet."""

    message: str
    refund_id: str
    status: str = "queued"


@record_doors.get("/history")
@signed_in
@status_limit
def history() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = payments_of(require_person(), page, per_page)
    refunded = returned_cents(found)
    rows = [_row(payment, refunded.get(payment.id)) for payment in found]
    return told(HistoryAnswer(results=rows, total=total, page=page))


@record_doors.get("/transactions/<transaction_id>/receipt")
@signed_in
@status_limit
def receipt(transaction_id: str) -> ResponseReturnValue:
    person = require_person()
    payment = payments.find_payment(transaction_id, person)
    if not payment.is_completed:
        raise not_completed(payment)
    return told(_receipt(payments.receipt_for(payment.id, person)))


@record_doors.post("/transactions/<transaction_id>/refund")
@signed_in
@initiate_limit
@idempotent
def refund(transaction_id: str) -> ResponseReturnValue:
    body = parse(request, RefundBody)
    require_currency(body.currency)
    wanted_cents = cents_from_shillings(body.amount)
    asked = refunds.ask(transaction_id, require_person(), wanted_cents, body.reason)
    if asked.status == OutStatus.COMPLETED:
        done = "Refund processed successfully"
        return told(RefundAnswer(message=done, refund_id=asked.public_ref))
    accepted = "Refund accepted"
    answer = RefundAnswer(message=accepted, refund_id=asked.public_ref, status=asked.status)
    return told(answer), 202


def _row(payment: Payment, refunded_cents: int | None) -> HistoryRow:
    row = HistoryRow(
        id=payment.public_ref,
        amount=shillings(amount_cents(payment)),
        status=status_word(payment),
        payment_method=MPESA,
        created_at=iso_seconds(payment.created_at),
    )
    if payment.needs_review:
        row.review = True
    if refunded_cents:
        row.refunded_amount = shillings(refunded_cents)
    return row


def _receipt(view: payments.ReceiptView) -> ReceiptAnswer:
    payment = view.payment
    return ReceiptAnswer(
        receipt_number=view.number,
        date=f"{nairobi(payment.completed_at or payment.created_at):%Y-%m-%d %H:%M:%S}",
        amount=kes(amount_cents(payment), decimals=True),
        payment_method="M-Pesa",
        status=receipt_word(payment),
        customer_name=payment.person.name if payment.person else None,
        order_reference=f"Order #{view.order.number}",
    )
