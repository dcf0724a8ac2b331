"""The tables that can be taken out: headings, and rows that are read bit by bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.accounts.models import Person
from app.audit.models import AuditEntry
from app.core.texts import marked
from app.core.unit_of_work import end_reads
from app.disbursements.models import Disbursement
from app.exports.cells import Cell, moment, money, phone
from app.extensions import db
from app.ledger.models import Transfer
from app.orders.models import Order
from app.payments import search
from app.payments.models import Credit, Payment
from app.payments.search import Filters
from app.payments.states import Status

#: So many rows are read, written and let go at a time.
CHUNK = 1000

Row = tuple[Cell, ...]


class What(StrEnum):
    """What can be taken out."""

    PAYMENTS = "payments"
    MONEY_OUT = "money-out"
    LEDGER = "ledger"
    AUDIT = "audit"
    ORDERS = "orders"


@dataclass(frozen=True)
class Wish:
    """Which rows are wanted: days in Nairobi, both included; ``filters`` are for payments."""

    first: date | None = None
    last: date | None = None
    whole_phones: bool = False
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class Table:
    """A table's name for people, its headings, and where its rows come from."""

    title: str
    headings: tuple[str, ...]
    rows: Callable[[Wish], Iterator[Row]]


_PAYMENT_COLUMNS = (
    Payment.id,
    Payment.created_at,
    Payment.completed_at,
    Payment.public_ref,
    Payment.order_id,
    Order.reference,
    Payment.status,
    Payment.phone,
    Payment.amount_cents,
    Credit.amount_cents.label("received_cents"),
    Payment.mpesa_receipt,
    Payment.result_code,
    Payment.result_desc,
    Payment.evidence,
    Payment.review_reason,
    Payment.reviewed_at,
)


def _payments(wish: Wish) -> Iterator[Row]:
    query = (
        select(*_PAYMENT_COLUMNS)
        .join(Order, Order.id == Payment.order_id)
        .outerjoin(Credit, Credit.payment_id == Payment.id)
    )
    for ids in search.id_pages(wish.filters, CHUNK):
        rows = {row.id: row for row in db.session.execute(query.where(Payment.id.in_(ids)))}
        end_reads()
        yield from (_payment(rows[row_id], wish) for row_id in ids if row_id in rows)


def _payment(payment: Any, wish: Wish) -> Row:
    flagged = payment.review_reason is not None and payment.reviewed_at is None
    return (
        moment(payment.created_at),
        moment(payment.completed_at),
        payment.public_ref,
        str(payment.order_id),
        payment.reference,
        payment.status,
        phone(payment.phone, whole=wish.whole_phones),
        money(payment.amount_cents),
        money(payment.received_cents),
        payment.mpesa_receipt,
        payment.result_code,
        payment.result_desc,
        payment.evidence,
        "yes" if flagged or payment.status == Status.REVIEW else "",
    )


def _money_out(wish: Wish) -> Iterator[Row]:
    query = select(Disbursement).options(
        joinedload(Disbursement.supplier),
        joinedload(Disbursement.payment).lazyload(Payment.credit),
        joinedload(Disbursement.credit).lazyload(Credit.payment),
        joinedload(Disbursement.person),
        joinedload(Disbursement.approver),
    )
    for record in _each(query, Disbursement.id, Disbursement.created_at, wish):
        receiver = record.supplier.name if record.supplier else None
        yield (
            moment(record.created_at),
            moment(record.sent_at),
            moment(record.completed_at),
            record.public_ref,
            record.kind,
            receiver or _money_of(record),
            phone(record.msisdn, whole=wish.whole_phones),
            money(record.amount_cents),
            money(record.charge_cents),
            record.status,
            record.receipt,
            record.person.email,
            record.approver.email if record.approver else "",
            record.reason,
        )


def _money_of(record: Disbursement) -> str:
    """Name the money that a refund sends back."""
    return record.payment.public_ref if record.payment else record.receipt_back or ""


def _ledger(wish: Wish) -> Iterator[Row]:
    for line in _each(select(Transfer), Transfer.id, Transfer.at, wish):
        yield (
            moment(line.at),
            line.id,
            line.subject,
            line.what,
            line.credit,
            line.debit,
            money(line.amount_cents),
        )


def _audit(wish: Wish) -> Iterator[Row]:
    for entry in _each(select(AuditEntry), AuditEntry.id, AuditEntry.at, wish):
        yield (
            moment(entry.at),
            entry.id,
            entry.actor,
            entry.action,
            entry.subject,
            json.dumps(entry.detail, ensure_ascii=False, sort_keys=True),
            entry.previous_hash,
            entry.hash,
        )


def _orders(wish: Wish) -> Iterator[Row]:
    paid = select(func.coalesce(func.sum(Credit.amount_cents), 0)).where(
        Credit.order_id == Order.id
    )
    columns = (
        Order.id,
        Order.created_at,
        Order.paid_at,
        Order.reference,
        Order.external_reference,
        Order.status,
        Order.total_cents,
        paid.scalar_subquery().label("paid_cents"),
        Person.name.label("buyer"),
    )
    query = select(*columns).outerjoin(Person, Person.id == Order.person_id)
    for order in _each(query, Order.id, Order.created_at, wish, scalars=False):
        yield (
            moment(order.created_at),
            moment(order.paid_at),
            str(order.id),
            order.reference,
            order.external_reference,
            order.status,
            money(order.total_cents),
            money(int(order.paid_cents)),
            order.buyer,
        )


def _each(
    query: Select[Any],
    key: InstrumentedAttribute[int],
    at: InstrumentedAttribute[Any],
    wish: Wish,
    *,
    scalars: bool = True,
) -> Iterator[Any]:
    """Read rows oldest first, each chunk by itself: a slow reader holds no transaction open."""
    if wish.first:
        query = query.where(at >= search.begin_of(wish.first))
    if wish.last:
        query = query.where(at < search.begin_of(wish.last + timedelta(days=1)))
    last_id = 0
    while True:
        chunk = query.where(key > last_id).order_by(key).limit(CHUNK)
        result = db.session.execute(chunk)
        page = list(result.scalars() if scalars else result)
        ids = [row.id for row in page]
        yield from page
        if len(ids) < CHUNK:
            return
        last_id = ids[-1]
        end_reads()


TABLES: dict[What, Table] = {
    What.PAYMENTS: Table(
        marked("Payments"),
        (
            "Begun",
            "Paid",
            "Payment",
            "Order",
            "Order reference",
            "State",
            "Phone",
            "Asked for (KES)",
            "Came in (KES)",
            "M-Pesa code",
            "Result code",
            "Result",
            "Known by",
            "Needs a person",
        ),
        _payments,
    ),
    What.MONEY_OUT: Table(
        marked("Payouts and refunds"),
        (
            "Asked for",
            "Sent",
            "Arrived",
            "Name",
            "Kind",
            "For",
            "Phone",
            "Amount (KES)",
            "Charge (KES)",
            "State",
            "M-Pesa code",
            "Asked by",
            "Agreed to by",
            "Reason",
        ),
        _money_out,
    ),
    What.LEDGER: Table(
        marked("Ledger"),
        ("When", "Line", "What of", "What", "From", "To", "Amount (KES)"),
        _ledger,
    ),
    What.AUDIT: Table(
        marked("Audit trail"),
        ("When", "Row", "Who", "What", "What of", "Detail", "Follows", "Hash"),
        _audit,
    ),
    What.ORDERS: Table(
        marked("Orders"),
        (
            "Placed",
            "Paid",
            "Order",
            "Reference",
            "Own reference",
            "State",
            "Total (KES)",
            "Came in (KES)",
            "Buyer",
        ),
        _orders,
    ),
}
