"""What happens in the shop, as events for the owner's other programs.

Events are written in the transaction of the change that they tell of: no commit without its
event, and no event without its commit.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import outbox
from app.core.clock import iso_seconds, now
from app.core.money import shillings_number
from app.core.texts import marked
from app.core.unit_of_work import after_commit
from app.disbursements.machine import PAYOUT_UPDATE
from app.disbursements.models import Disbursement
from app.mpesa.phone import masked
from app.payments.models import Credit, Payment
from app.payments.settle import PAYMENT_UPDATE
from app.webhooks.models import Delivery, Endpoint
from app.webhooks.signals import delivery_staged

#: What an endpoint can ask to be told of, with words for people. ``.*`` stands for all of them.
CHOICES = {
    "payment.completed": marked("A payment came in"),
    "payment.failed": marked("A payment failed"),
    "payment.cancelled": marked("A payer cancelled"),
    "payment.expired": marked("A prompt ran out"),
    "payment.review": marked("Money came that a person has to look at"),
    "payment.corrected": marked("A receipt or an amount became known later"),
    "order.paid_by_hand": marked("An order was paid by hand, at the paybill"),
    "order.money_by_hand": marked("Money came by hand that does not pay its order"),
    "refund.*": marked("Whatever becomes of a refund"),
    "payout.*": marked("Whatever becomes of a payout"),
    "alert.*": marked("An alert opens or closes"),
}
TEST = "webhook.test"


def listen() -> None:
    """Begin to turn what rooms announce into events."""
    outbox.listen(_heard)


def emit(session: Session, kind: str, data: dict[str, Any]) -> int:
    """Write an event for every endpoint that asked for it; return for how many."""
    endpoints = [found for found in _present(session) if wants(found, kind)]
    if endpoints:
        write(session, kind, data, endpoints)
    return len(endpoints)


def write(session: Session, kind: str, data: dict[str, Any], endpoints: list[Endpoint]) -> None:
    """Write one event for these endpoints, in the caller's transaction, and wake the sender."""
    event_id = uuid4()
    told = {"id": str(event_id), "type": kind, "created_at": iso_seconds(now()), "data": data}
    body = json.dumps(told, separators=(",", ":"))
    session.add_all(
        Delivery(event_id=event_id, endpoint_id=endpoint.id, type=kind, body=body)
        for endpoint in endpoints
    )
    after_commit(delivery_staged.send)


def wants(endpoint: Endpoint, kind: str) -> bool:
    """Tell whether an endpoint asked for events of this type."""
    return kind in endpoint.events or f"{kind.partition('.')[0]}.*" in endpoint.events


def _present(session: Session) -> list[Endpoint]:
    return list(session.scalars(select(Endpoint).where(Endpoint.removed_at.is_(None))))


def _heard(session: Session, topic: str, body: dict[str, Any]) -> None:
    if topic == PAYMENT_UPDATE and "event" in body:
        kind = body["event"]
        # What comes by hand has no attempt, and so no TXN name.
        look_up = _payment if body["update"]["transaction_id"] else _money_by_hand
    elif topic == PAYOUT_UPDATE:
        kind, look_up = f"{body['update']['kind']}.{body['update']['status']}", _money_out
    else:
        return
    endpoints = [found for found in _present(session) if wants(found, kind)]
    if endpoints:
        write(session, kind, look_up(session, body["update"]), endpoints)


def _payment(session: Session, update: dict[str, Any]) -> dict[str, Any]:
    query = select(Payment).where(Payment.public_ref == update["transaction_id"])
    payment = session.scalars(query).one()
    received = payment.received_cents
    return {
        "transaction_id": payment.public_ref,
        "order_id": update["order_id"],
        "status": payment.status,
        "reason": payment.reason,
        "review_reason": payment.review_reason,
        "amount": shillings_number(payment.amount_cents),
        "received": None if received is None else shillings_number(received),
        "currency": payment.currency,
        "receipt": payment.mpesa_receipt,
        "phone": masked(payment.phone),
    }


def _money_by_hand(session: Session, update: dict[str, Any]) -> dict[str, Any]:
    credit = session.scalars(select(Credit).where(Credit.receipt == update["receipt"])).one()
    return {
        "order_id": update["order_id"],
        "status": credit.order.status if credit.order else None,
        "standing": credit.standing,
        "received": shillings_number(credit.amount_cents),
        "currency": "KES",
        "receipt": credit.receipt,
        "account": credit.account,
    }


def _money_out(session: Session, update: dict[str, Any]) -> dict[str, Any]:
    query = select(Disbursement).where(Disbursement.public_ref == update["reference"])
    record = session.scalars(query).one()
    return {
        "reference": record.public_ref,
        "id": str(record.uuid),
        "status": record.status,
        "held": record.held,
        "failure": record.failure,
        "amount": shillings_number(record.amount_cents),
        "currency": "KES",
        "receipt": record.receipt,
        "payment": record.payment.public_ref if record.payment else None,
        "paid_by_hand": record.credit.receipt if record.credit else None,
        "supplier_id": str(record.supplier.uuid) if record.supplier else None,
        "phone": masked(record.msisdn),
    }
