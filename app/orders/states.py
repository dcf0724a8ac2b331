"""The life of an order, as data: every status it may have and the event on every edge."""

from __future__ import annotations

from enum import StrEnum


class OrderStatus(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVIEW = "review"


class OrderEvent(StrEnum):
    PLACED = "placed"
    PAID_IN_FULL = "paid_in_full"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MONEY_QUESTIONED = "money_questioned"
    MONEY_ACCEPTED = "money_accepted"
    REST_ASKED = "rest_asked"


OrderEdges = dict[tuple[OrderStatus, OrderEvent], OrderStatus]

ORDER_EDGES: OrderEdges = {
    (OrderStatus.PENDING, OrderEvent.PAID_IN_FULL): OrderStatus.PAID,
    (OrderStatus.PENDING, OrderEvent.CANCELLED): OrderStatus.CANCELLED,
    (OrderStatus.PENDING, OrderEvent.EXPIRED): OrderStatus.EXPIRED,
    # Money came that does not simply fit: a person decides, and nothing is revived in silence.
    (OrderStatus.PENDING, OrderEvent.MONEY_QUESTIONED): OrderStatus.REVIEW,
    (OrderStatus.CANCELLED, OrderEvent.MONEY_QUESTIONED): OrderStatus.REVIEW,
    (OrderStatus.EXPIRED, OrderEvent.MONEY_QUESTIONED): OrderStatus.REVIEW,
    (OrderStatus.REVIEW, OrderEvent.MONEY_ACCEPTED): OrderStatus.PAID,
    (OrderStatus.REVIEW, OrderEvent.REST_ASKED): OrderStatus.PENDING,
}


def order_target(status: str, event: OrderEvent) -> OrderStatus | None:
    """Return where an event leads from a status, or None when it changes nothing there."""
    return ORDER_EDGES.get((OrderStatus(status), event))
