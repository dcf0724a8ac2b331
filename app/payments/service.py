"""The front door of this room: what pages, dialects and commands may call."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.models import Person
from app.core.errors import Conflict, NotFound, PaymentInProgress
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderEvent
from app.payments.asking import wake
from app.payments.asking_again import stop_asking_again
from app.payments.engine import check_now
from app.payments.initiate import initiate, readable_phone, start, with_token
from app.payments.models import Payment
from app.payments.queries import (
    Money,
    amount_paid_cents,
    attempts_of,
    find_payment,
    live_attempt,
    money_of,
    paid_by_hand,
    telling_attempt,
    timeline_of,
)
from app.payments.reading import read, read_order
from app.payments.settle import external_status
from app.settings.service import callback_url

__all__ = [
    "Money",
    "ReceiptView",
    "amount_paid_cents",
    "attempts_of",
    "callback_address",
    "cancel_order",
    "check_now",
    "external_status",
    "find_payment",
    "initiate",
    "live_attempt",
    "money_of",
    "paid_by_hand",
    "read",
    "read_order",
    "readable_phone",
    "receipt_for",
    "start",
    "stop_asking_again",
    "telling_attempt",
    "timeline_of",
    "wake",
]


@dataclass(frozen=True)
class ReceiptView:
    """A completed payment and the order that it paid."""

    payment: Payment
    order: Order

    @property
    def number(self) -> str:
        """Return the receipt's number: RCP and the seventeen characters of the TXN name."""
        return self.payment.public_ref.replace("TXN", "RCP", 1)


def receipt_for(ref: object, person: Person) -> ReceiptView:
    """Return the receipt of a completed payment. Raises NotFound for any other."""
    payment = find_payment(ref, person)
    if not payment.is_completed:
        raise NotFound(marked("There is no receipt: this payment is not completed."))
    return ReceiptView(payment, payment.order)


def cancel_order(ref: object, person: Person) -> Order:
    """Cancel an unpaid order. Raises PaymentInProgress while its prompt may be on a phone."""
    order_id = orders.find_order(ref, person).id
    with transaction() as session:
        order = orders.lock_order(session, order_id)
        if live_attempt(session, order_id) is not None:
            raise PaymentInProgress(
                marked(
                    "A prompt for this order may be on the phone. Cancel it there, or wait for its "
                    "end."
                )
            )
        if amount_paid_cents(session, order_id):
            raise Conflict(
                marked("Part of this order is paid. Pay the rest, or ask the shop for a refund.")
            )
        event, who = OrderEvent.CANCELLED, f"person {person.id}"
        why = marked("asked for on the order's page")
        if not orders.close_order(session, order, event, who, why):
            raise Conflict(
                marked("Only an order that is still waiting for payment can be cancelled.")
            )
    return db.session.get_one(Order, order_id)


def callback_address(payment: Payment) -> str:
    """Return the address that was given to Daraja for this attempt, secret token included.

    Raises NoTunnel. A tunnel that has changed since leads to the same place by its new name.
    """
    return with_token(callback_url(), payment.callback_token)
