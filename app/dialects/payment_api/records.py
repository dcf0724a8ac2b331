"""What has been paid: history, receipts, and asking for money back."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictStr

from app.accounts.guard import require_person, require_refunder, signed_in
from app.core.clock import iso_seconds, nairobi
from app.core.errors import (
    Conflict,
    InvalidCurrency,
    PaymentExpired,
    PaymentFailed,
    ProviderRefused,
)
from app.core.money import cents_from_shillings, kes
from app.core.reading import page_of, parse
from app.dialects.payment_api.paying import Currency
from app.dialects.payment_api.words import (
    Returned,
    StatusWord,
    amount_cents,
    not_completed,
    receipt_word,
    shillings,
    status_word,
    told,
)
from app.disbursements import engine as money_out
from app.disbursements import refunds
from app.disbursements.refusal import require_not_refused
from app.disbursements.returned import returned_cents
from app.disbursements.states import OutStatus
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.openapi import (
    MONEY_BACK,
    Answer,
    Moment,
    Shillings,
    TransactionName,
    absent,
    documented,
    one_of,
)
from app.payments import service as payments
from app.payments.history import payments_of
from app.payments.methods import MPESA, require_currency
from app.payments.models import Payment

record_doors = Blueprint("records", __name__)


class HistoryRow(BaseModel):
    """The last two keys are there only where they say something."""

    id: TransactionName
    amount: float = Field(description="Shillings.", examples=[1000.0])
    status: StatusWord
    payment_method: Annotated[str, one_of([MPESA])]
    created_at: Moment
    review: bool = absent(description="A person has to look at it.")
    refunded_amount: Returned = absent()


class HistoryAnswer(Answer):
    """One page of the caller's payments, newest first, and how many there are in all."""

    results: list[HistoryRow]
    total: int = Field(examples=[1])
    page: int = Field(examples=[1])


class ReceiptAnswer(Answer):
    """What a receipt says, with its date in Nairobi."""

    receipt_number: str = Field(examples=["RCP20261121090000K7Q"])
    date: str = Field(description="In Nairobi.", examples=["2026-11-21 12:00:21"])
    amount: str = Field(examples=["KES 1,000.00"])
    payment_method: Annotated[str, one_of(["M-Pesa"])]
    status: Annotated[str, one_of(["Completed"])]
    customer_name: str | None = Field(examples=["Wanjiku Kamau"])
    order_reference: str = Field(examples=["Order #7"])


class RefundBody(BaseModel):
    amount: Shillings
    reason: StrictStr = Field(
        min_length=1, max_length=refunds.MOST_WORDS, examples=["The lamp was broken"]
    )
    currency: Currency = None


class RefundAnswer(Answer):
    """The money has gone back."""

    message: str = Field(examples=["Refund processed successfully"])
    refund_id: str = Field(examples=["RFD20261121090000M3X"])


class RefundAcceptedAnswer(RefundAnswer):
    """The money has not gone back yet; ``status`` says what it waits for."""

    message: str = Field(examples=["Refund accepted"])
    status: Annotated[str, one_of(OutStatus)]


@record_doors.get("/history")
@documented("List the caller's payments", HistoryAnswer, pages=20)
@signed_in
@status_limit
def history() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = payments_of(require_person(), page, per_page)
    refunded = returned_cents(found)
    rows = [_row(payment, refunded.get(payment.id)) for payment in found]
    return told(HistoryAnswer(results=rows, total=total, page=page))


@record_doors.get("/transactions/<transaction_id>/receipt")
@documented(
    "Read the receipt of a payment",
    ReceiptAnswer,
    refusals=(Conflict, PaymentFailed, PaymentExpired),
    about="409 for what is not completed; its code says whether it ever will be.",
)
@signed_in
@status_limit
def receipt(transaction_id: str) -> ResponseReturnValue:
    person = require_person()
    payment = payments.find_payment(transaction_id, person)
    if not payment.is_completed:
        raise not_completed(payment)
    return told(_receipt(payments.receipt_for(payment.id, person)))


@record_doors.post("/transactions/<transaction_id>/refund")
@documented(
    "Ask for a payment's money back",
    {200: RefundAnswer, 202: RefundAcceptedAnswer},
    body=RefundBody,
    refusals=(*MONEY_BACK, InvalidCurrency, ProviderRefused),
)
@signed_in
@initiate_limit
@idempotent
def refund(transaction_id: str) -> ResponseReturnValue:
    body = parse(request, RefundBody)
    require_currency(body.currency)
    wanted_cents = cents_from_shillings(body.amount)
    asked = money_out.refund_now(
        refunds.ask(transaction_id, require_refunder(), wanted_cents, body.reason)
    )
    require_not_refused(asked)
    if asked.status == OutStatus.COMPLETED:
        done = "Refund processed successfully"
        return told(RefundAnswer(message=done, refund_id=asked.public_ref))
    accepted = "Refund accepted"
    answer = RefundAcceptedAnswer(message=accepted, refund_id=asked.public_ref, status=asked.status)
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
