"""What is kept about somebody's orders and their money."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, select

from app.core.money import shillings_number
from app.customer.kept import Row, Subject, by_id, moment
from app.disbursements.models import Disbursement, Kind
from app.disbursements.of_money import back_from
from app.mpesa.phone import masked
from app.orders.models import Order
from app.payments.claims.models import Claim
from app.payments.link_models import SharedLink
from app.payments.models import Credit, Payment, TimelineEntry


def orders_of(person_id: int) -> ColumnElement[bool]:
    """Pick rows that are joined to an order of this person's."""
    return Order.person_id == person_id


def refunds_to(person_id: int) -> ColumnElement[bool]:
    """Pick the refunds of what came in for a person's orders."""
    own = select(Order.id).where(orders_of(person_id))
    paid = select(Payment.id).where(Payment.order_id.in_(own))
    received = select(Credit.id).where(Credit.order_id.in_(own))
    return and_(Disbursement.kind == Kind.REFUND, back_from(paid, received))


def orders(subject: Subject) -> Iterator[Row]:
    for (order,) in by_id(select(Order).where(orders_of(subject.id)), Order.id):
        yield {
            "number": order.number,
            "id": str(order.uuid),
            "reference": order.reference,
            "external_reference": order.external_reference,
            "description": order.description,
            "status": order.status,
            "total": shillings_number(order.total_cents),
            "currency": order.currency,
            "placed_at": moment(order.created_at),
            "paid_at": moment(order.paid_at),
            "lines": [
                {
                    "name": line.name,
                    "quantity": line.quantity,
                    "unit_price": shillings_number(line.unit_price_cents),
                }
                for line in order.lines
            ],
        }


def payments(subject: Subject) -> Iterator[Row]:
    """Yield the attempts to pay; a number that somebody else has typed, by a link, is masked."""
    typed = and_(
        TimelineEntry.payment_id == Payment.id,
        TimelineEntry.event == "created",
        TimelineEntry.actor == f"person {subject.id}",
    )
    query = select(Payment, TimelineEntry.id).join(Payment.order).outerjoin(TimelineEntry, typed)
    for payment, own in by_id(query.where(orders_of(subject.id)), Payment.id):
        yield {
            "id": payment.public_ref,
            "order": payment.order_id,
            "phone": payment.phone if own else masked(payment.phone),
            "amount": shillings_number(payment.amount_cents),
            "currency": payment.currency,
            "status": payment.status,
            "reason": payment.reason,
            "mpesa_code": payment.mpesa_receipt,
            "asked_at": moment(payment.created_at),
            "paid_at": moment(payment.completed_at),
        }


def credits(subject: Subject) -> Iterator[Row]:
    query = select(Credit).join(Credit.order).where(orders_of(subject.id))
    for (credit,) in by_id(query, Credit.id):
        yield {
            "order": credit.order_id,
            "amount": shillings_number(credit.amount_cents),
            "returned": shillings_number(credit.returned_cents),
            "mpesa_code": credit.receipt,
            "account": credit.account,
            "standing": credit.standing,
            "received_at": moment(credit.created_at),
        }


def refunds(subject: Subject) -> Iterator[Row]:
    query = select(Disbursement).where(refunds_to(subject.id))
    for (refund,) in by_id(query, Disbursement.id):
        yield {
            "id": refund.public_ref,
            "amount": shillings_number(refund.amount_cents),
            "status": refund.status,
            "reason": refund.reason,
            "mpesa_code": refund.receipt,
            "asked_at": moment(refund.created_at),
            "sent_back_at": moment(refund.completed_at),
        }


def claims(subject: Subject) -> Iterator[Row]:
    """Yield what was said to be paid; the text stands only where they pasted it themselves."""
    query = select(Claim).join(Claim.order).where(orders_of(subject.id))
    for (claim,) in by_id(query, Claim.id):
        yield {
            "order": claim.order_id,
            "mpesa_code": claim.code,
            "text": claim.text if claim.person_id == subject.id else None,
            "state": claim.state,
            "answer": claim.answer,
            "sent_at": moment(claim.created_at),
            "decided_at": moment(claim.decided_at),
        }


def links(subject: Subject) -> Iterator[Row]:
    """Yield the links that were made to somebody's orders; what opens them is not kept."""
    query = select(SharedLink).join(SharedLink.order).where(orders_of(subject.id))
    for (link,) in by_id(query, SharedLink.id):
        yield {
            "order": link.order_id,
            "opens": link.opens,
            "made_at": moment(link.made_at),
            "ended_at": moment(link.ended_at),
        }
