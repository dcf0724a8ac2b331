"""JSON for orders: what was ordered, and every attempt and credit beside it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictInt

from app.accounts.guard import require_person, signed_in
from app.core.clock import iso_seconds
from app.core.money import shillings_number
from app.core.reading import page_of, parse
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import service as payments
from app.payments.models import Payment

orders_api = Blueprint("orders_api", __name__, url_prefix="/api/orders")


class ItemBody(BaseModel):
    product_id: StrictInt = Field(ge=1, lt=2**63)
    quantity: StrictInt = Field(default=1, ge=1, le=orders.MAX_QUANTITY)


class OrderBody(BaseModel):
    items: list[ItemBody] = Field(min_length=1, max_length=orders.MAX_LINES)


@orders_api.post("")
@signed_in
def place_order() -> ResponseReturnValue:
    body = parse(request, OrderBody)
    items = [(item.product_id, item.quantity) for item in body.items]
    order = orders.place_order(require_person(), items)
    return jsonify(order_json(order)), 201


@orders_api.get("")
@signed_in
def list_orders() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = orders.list_orders(require_person(), page, per_page)
    return jsonify(results=[order_json(order) for order in found], total=total, page=page)


@orders_api.get("/<order_id>")
@signed_in
def get_order(order_id: str) -> ResponseReturnValue:
    return jsonify(order_json(orders.find_order(order_id, require_person())))


@orders_api.post("/<order_id>/cancel")
@signed_in
def cancel_order(order_id: str) -> ResponseReturnValue:
    return jsonify(order_json(payments.cancel_order(order_id, require_person())))


def order_json(order: Order) -> dict[str, Any]:
    attempts = payments.attempts_of(order)
    paid_cents = payments.amount_paid_cents(db.session(), order.id)
    telling = payments.telling_attempt(attempts)
    return {
        "id": str(order.uuid),
        "number": order.number,
        "reference": order.reference,
        "status": order.status,
        "total": shillings_number(order.total_cents),
        "currency": order.currency,
        "items": [_line_json(line) for line in order.lines],
        "payment_status": payments.external_status(telling.status) if telling else "pending",
        "amount_paid": shillings_number(paid_cents),
        "amount_due": shillings_number(max(0, order.total_cents - paid_cents)),
        "review": order.status == OrderStatus.REVIEW
        or order.review_reason is not None
        or any(attempt.needs_review for attempt in attempts),
        "payments": [payment_json(attempt) for attempt in attempts],
        "created_at": iso_seconds(order.created_at),
        "paid_at": iso_seconds(order.paid_at) if order.paid_at else None,
    }


def payment_json(payment: Payment) -> dict[str, Any]:
    return {
        "transaction_id": payment.public_ref,
        "status": payments.external_status(payment.status),
        "amount": shillings_number(payment.amount_cents),
        "receipt": payment.mpesa_receipt,
        "result_code": payment.result_code,
        "reason": payment.review_reason or payment.reason,
        "review": payment.needs_review,
        "created_at": iso_seconds(payment.created_at),
    }


def _line_json(line: Any) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        "name": line.name,
        "quantity": line.quantity,
        "unit_price": shillings_number(line.unit_price_cents),
        "total": shillings_number(line.total_cents),
    }
