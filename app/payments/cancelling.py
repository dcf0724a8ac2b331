"""Somebody of the shop calls an order off, and says why."""

from __future__ import annotations

from app.accounts.models import Person
from app.audit.service import record
from app.core.errors import Conflict, PaymentInProgress, ValidationError
from app.core.money import Kes
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.orders import service as orders
from app.orders.states import OrderEvent, OrderStatus
from app.payments.queries import amount_paid_cents, live_attempt

MOST_WHY = 500


def call_off(order_id: int, person: Person, why: str) -> None:
    """Cancel an order that waits for its money and give its goods back to the shelf.

    Raises ValidationError without a reason, PaymentInProgress while a prompt may be on a phone,
    and Conflict where money has come in or the order has come to an end.
    """
    reason = " ".join(why.split())
    if not 1 <= len(reason) <= MOST_WHY:
        raise ValidationError(
            said("Say why, in {least} to {most} characters.", least=1, most=MOST_WHY),
            details={"field": "why"},
        )
    with transaction() as session:
        order = orders.lock_order(session, order_id)
        if live_attempt(session, order_id) is not None:
            raise PaymentInProgress(
                marked(
                    "A prompt for this order may be on the payer's phone. Wait for its end, which "
                    "is a minute or two, and try again."
                )
            )
        paid = amount_paid_cents(session, order_id)
        if paid:
            raise Conflict(
                said(
                    "{amount} has come in for this order, and a cancelled order has no money. "
                    "Send it back at the payment below instead.",
                    amount=Kes(paid),
                )
            )
        if order.status != OrderStatus.PENDING:
            raise Conflict(marked("Only an order that waits for its money can be cancelled."))
        who = f"person {person.id}"
        orders.close_order(session, order, OrderEvent.CANCELLED, who, reason)
        record(session, person, "order.cancelled", f"order {order_id}", why=reason)
