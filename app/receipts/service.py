"""What a receipt tells: every sum that came for an order, and every sum that went back.

A receipt is of one payment, as the documents promise, or of a whole order, however it was paid.
Both are drawn from the credits: money that arrived, by whichever road.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from app.accounts.models import Person
from app.core.errors import NotFound
from app.core.texts import marked
from app.disbursements.models import Disbursement, Kind
from app.disbursements.of_money import back_from
from app.disbursements.states import OutStatus
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import links
from app.payments import service as payments
from app.payments.link_models import Opens
from app.payments.models import Credit, Payment
from app.payments.states import Status

_MOST = 100
_NO_RECEIPT = marked("There is no receipt: no money has come for this order.")
#: How a refund stands, for the person whose money it is.
_GOING_BACK = {
    OutStatus.AWAITING_APPROVAL: marked("Asked for"),
    OutStatus.QUEUED: marked("About to be sent"),
    OutStatus.PROCESSING: marked("On its way"),
    OutStatus.UNKNOWN: marked("Sent; M-Pesa has not confirmed it yet"),
    OutStatus.COMPLETED: marked("Sent back"),
    OutStatus.FAILED: marked("Did not go through; the shop looks at it"),
    OutStatus.CANCELLED: marked("Called off; nothing was sent"),
}


@dataclass(frozen=True)
class Received:
    """Money that came: cents, at a moment in UTC, and from which phone where that is known."""

    code: str | None
    amount_cents: int
    at: datetime
    phone: str | None
    by_hand: bool


@dataclass(frozen=True)
class Returned:
    """Money that goes back: cents, how far it is, and M-Pesa's code once it is there."""

    amount_cents: int
    words: str
    is_done: bool
    code: str | None
    at: datetime


@dataclass(frozen=True)
class Receipt:
    """One receipt, ready to be shown. ``path`` is where its owner finds it."""

    number: str
    path: str
    order: Order
    received: Sequence[Received]
    returned: Sequence[Returned]
    #: Whether the order has other money, which stands only on the order's own receipt.
    is_part: bool

    @property
    def paid_cents(self) -> int:
        return sum(money.amount_cents for money in self.received)

    @property
    def returned_cents(self) -> int:
        """What has really gone back; what is only on its way does not count."""
        return sum(money.amount_cents for money in self.returned if money.is_done)

    @property
    def net_cents(self) -> int:
        return self.paid_cents - self.returned_cents

    @property
    def due_cents(self) -> int:
        """What is still to be paid of an open order; a receipt of one payment does not say."""
        is_open = self.order.status == OrderStatus.PENDING and not self.is_part
        return max(0, self.order.total_cents - self.net_cents) if is_open else 0

    @property
    def customer_name(self) -> str | None:
        return self.order.person.name if self.order.person else None

    @property
    def first_name(self) -> str | None:
        """The one name that a shared receipt tells."""
        names = (self.customer_name or "").split()
        return names[0] if names else None


def find(ref: str, person: Person) -> Receipt:
    """Return a receipt by a payment's name, or by the UUID of an order.

    Raises NotFound for somebody else's, and for what has not been paid.
    """
    try:
        order = orders.find_order(UUID(ref), person)
    except (ValueError, NotFound):
        return _of_payment(payments.receipt_for(ref, person).payment)
    return of_order(order)


def shared(token: str) -> Receipt:
    """Return the receipt that a shared link opens. Raises NotFound."""
    return of_order(links.opened(token, Opens.RECEIPT).order)


def of_order(order: Order) -> Receipt:
    """Return the receipt of everything that came for an order. Raises NotFound."""
    credits = _credits(order)
    if not credits:
        raise NotFound(_NO_RECEIPT)
    return Receipt(
        number=_number_of(order, credits),
        path=f"/receipts/{order.uuid}",
        order=order,
        received=_received(credits),
        returned=_returned(credits),
        is_part=False,
    )


def _of_payment(payment: Payment) -> Receipt:
    credits = _credits(payment.order)
    own = [credit for credit in credits if credit.payment_id == payment.id]
    return Receipt(
        number=payments.ReceiptView(payment, payment.order).number,
        path=f"/receipts/{payment.public_ref}",
        order=payment.order,
        received=_received(own),
        returned=_returned(own),
        is_part=len(credits) > len(own),
    )


def _number_of(order: Order, credits: Sequence[Credit]) -> str:
    """Name an order's receipt: as its one payment's receipt, else by the order's reference."""
    only = credits[0].payment if len(credits) == 1 else None
    return payments.ReceiptView(only, order).number if only else f"RCP{order.reference}"


def _credits(order: Order) -> Sequence[Credit]:
    """Return an order's money, oldest first; not what still waits for a person's decision."""
    settled = or_(Credit.payment_id.is_(None), Payment.status == Status.COMPLETED)
    query = select(Credit).outerjoin(Payment, Payment.id == Credit.payment_id)
    query = query.where(Credit.order_id == order.id, settled)
    return db.session.scalars(query.order_by(Credit.id).limit(_MOST)).all()


def _received(credits: Sequence[Credit]) -> list[Received]:
    return [_money_in(credit) for credit in credits]


def _money_in(credit: Credit) -> Received:
    payment = credit.payment
    if payment is None:
        return Received(credit.receipt, credit.amount_cents, credit.created_at, None, by_hand=True)
    at = payment.completed_at or payment.created_at
    return Received(payment.mpesa_receipt, credit.amount_cents, at, payment.phone, by_hand=False)


def _returned(credits: Sequence[Credit]) -> list[Returned]:
    if not credits:
        return []
    query = select(Disbursement).where(Disbursement.kind == Kind.REFUND, _of(credits))
    found = db.session.scalars(query.order_by(Disbursement.id).limit(_MOST))
    return [_money_out(record) for record in found]


def _of(credits: Sequence[Credit]) -> ColumnElement[bool]:
    # Money may have gone back before it was known which payment had brought it.
    by_payment = [credit.payment_id for credit in credits if credit.payment_id is not None]
    by_credit = [credit.id for credit in credits]
    return back_from(by_payment, by_credit)


def _money_out(record: Disbursement) -> Returned:
    return Returned(
        amount_cents=record.amount_cents,
        words=_GOING_BACK[OutStatus(record.status)],
        is_done=record.is_completed,
        code=record.receipt,
        at=record.completed_at or record.created_at,
    )
