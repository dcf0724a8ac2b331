"""JSON for orders: what was ordered, and every attempt and credit beside it."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictInt

from app.accounts.guard import require_person, signed_in
from app.core.clock import iso_seconds
from app.core.errors import Conflict, NotFound, PaymentInProgress
from app.core.money import shillings_number
from app.core.reading import page_of, parse
from app.openapi import (
    Answer,
    Moment,
    Receipt,
    TransactionName,
    Uuid,
    documented,
    integral,
    one_of,
)
from app.orders import service as orders
from app.orders.models import Order, OrderLine
from app.orders.states import OrderStatus
from app.payments import service as payments
from app.payments.models import Credit, Payment
from app.payments.states import Standing, Status

orders_api = Blueprint("orders_api", __name__, url_prefix="/api/orders")

PaymentWord = Annotated[str, one_of(payments.external_status(status) for status in Status)]
#: Cents appear only where a refund or a fee left some.
Amount = Annotated[int | float, Field(description="Shillings.", examples=[3000])]


class ItemBody(BaseModel):
    product_id: Annotated[StrictInt, Field(ge=1, lt=2**63, examples=[1]), integral]
    quantity: Annotated[StrictInt, Field(ge=1, le=orders.MAX_QUANTITY, examples=[2]), integral] = 1


class OrderBody(BaseModel):
    items: list[ItemBody] = Field(min_length=1, max_length=orders.MAX_LINES)


class LineAnswer(Answer):
    """What was ordered, at the price of that moment."""

    product_id: int = Field(examples=[1])
    name: str = Field(examples=["Kiondo basket"])
    quantity: int = Field(examples=[2])
    unit_price: int | float = Field(description="Shillings.", examples=[1500])
    total: Amount


class AttemptAnswer(Answer):
    """An attempt to collect an order's money, or money that was sent to the paybill for it."""

    transaction_id: TransactionName | None = Field(description="None for what was paid by hand.")
    status: PaymentWord
    amount: Amount
    receipt: Receipt | None
    result_code: str | None = Field(description="How the prompt ended, by M-Pesa's code.")
    reason: str | None = Field(description="Why it ended without money, or waits for a person.")
    review: bool = Field(description="Whether a person has to look at it.")
    created_at: Moment


class OrderAnswer(Answer):
    """An order and every attempt to collect its money, newest first.

    ``reference`` is what M-Pesa shows as the account, and what a person types at the paybill.
    """

    id: Uuid
    number: int = Field(examples=[7])
    reference: str = Field(examples=["K7QM2XWA"])
    status: Annotated[str, one_of(OrderStatus)]
    total: Amount
    currency: Annotated[str, one_of(["KES"])]
    items: list[LineAnswer]
    payment_status: PaymentWord
    amount_paid: int | float = Field(description="Shillings that came in.", examples=[0])
    amount_due: Amount
    review: bool = Field(description="Whether a person has to look at it.")
    payments: list[AttemptAnswer]
    created_at: Moment
    paid_at: Moment | None = Field(examples=[None])


class OrdersAnswer(Answer):
    """One page of orders, newest first, and how many there are in all."""

    results: list[OrderAnswer]
    total: int = Field(examples=[1])
    page: int = Field(examples=[1])


@orders_api.post("")
@documented(
    "Place an order",
    {201: OrderAnswer},
    body=OrderBody,
    refusals=(NotFound, Conflict),
    about="The prices are the shop's. The goods are set aside for a while.",
)
@signed_in
def place_order() -> ResponseReturnValue:
    body = parse(request, OrderBody)
    items = [(item.product_id, item.quantity) for item in body.items]
    order = orders.place_order(require_person(), items)
    return jsonify(_told(order).model_dump()), 201


@orders_api.get("")
@documented("List the caller's orders; admins see all", OrdersAnswer, pages=20)
@signed_in
def list_orders() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = orders.list_orders(require_person(), page, per_page)
    money = payments.money_of(found)
    results = [_told(order, money[order.id]) for order in found]
    answer = OrdersAnswer(results=results, total=total, page=page)
    return jsonify(answer.model_dump())


@orders_api.get("/<order_id>")
@documented("Read an order", OrderAnswer)
@signed_in
def get_order(order_id: str) -> ResponseReturnValue:
    return jsonify(_told(orders.find_order(order_id, require_person())).model_dump())


@orders_api.post("/<order_id>/cancel")
@documented(
    "Cancel an order",
    OrderAnswer,
    refusals=(Conflict, PaymentInProgress),
    about="While nothing of it is paid and no prompt for it may be on a phone.",
)
@signed_in
def cancel_order(order_id: str) -> ResponseReturnValue:
    return jsonify(_told(payments.cancel_order(order_id, require_person())).model_dump())


def _told(order: Order, money: payments.Money | None = None) -> OrderAnswer:
    money = money or payments.money_of([order])[order.id]
    attempts, paid_cents = money.attempts, money.paid_cents
    telling = payments.telling_attempt(attempts)
    return OrderAnswer(
        id=str(order.uuid),
        number=order.number,
        reference=order.reference,
        status=order.status,
        total=shillings_number(order.total_cents),
        currency=order.currency,
        items=[_line(line) for line in order.lines],
        payment_status=_payment_status(order, telling),
        amount_paid=shillings_number(paid_cents),
        amount_due=shillings_number(max(0, order.total_cents - paid_cents)),
        review=order.status == OrderStatus.REVIEW
        or order.review_reason is not None
        or any(attempt.needs_review for attempt in attempts),
        payments=[
            *(_by_hand(credit) for credit in money.by_hand),
            *(_attempt(attempt) for attempt in attempts),
        ],
        created_at=iso_seconds(order.created_at),
        paid_at=iso_seconds(order.paid_at) if order.paid_at else None,
    )


def _payment_status(order: Order, telling: Payment | None) -> str:
    """Tell a payment's status by its attempt; an order paid by hand has none that says so."""
    if order.status == OrderStatus.PAID:
        return Status.COMPLETED
    return payments.external_status(telling.status) if telling else "pending"


def _by_hand(credit: Credit) -> AttemptAnswer:
    fits = credit.standing == Standing.EXACT or credit.decision is not None
    return AttemptAnswer(
        transaction_id=None,
        status=Status.COMPLETED if fits else "pending",
        amount=shillings_number(credit.amount_cents),
        receipt=credit.receipt,
        result_code=None,
        reason=None if fits else f"{credit.standing}_money",
        review=not fits,
        created_at=iso_seconds(credit.created_at),
    )


def _attempt(payment: Payment) -> AttemptAnswer:
    return AttemptAnswer(
        transaction_id=payment.public_ref,
        status=payments.external_status(payment.status),
        amount=shillings_number(payment.amount_cents),
        receipt=payment.mpesa_receipt,
        result_code=payment.result_code,
        reason=payment.review_reason or payment.reason,
        review=payment.needs_review,
        created_at=iso_seconds(payment.created_at),
    )


def _line(line: OrderLine) -> LineAnswer:
    return LineAnswer(
        product_id=line.product_id,
        name=line.name,
        quantity=line.quantity,
        unit_price=shillings_number(line.unit_price_cents),
        total=shillings_number(line.total_cents),
    )
