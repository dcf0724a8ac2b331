"""Telling how a claim stands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from app.extensions import db
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.claims import words
from app.payments.claims.models import OPEN, Claim, ClaimState


def told(order: Order) -> dict[str, Any] | None:
    """Say how the newest claim for an order stands; None where there is none, or no need."""
    claim = db.session.scalar(_NEWEST, {"order_id": order.id})
    if claim is None or claim.state == ClaimState.CLOSED:
        return None
    if order.status == OrderStatus.PAID and claim.state not in OPEN:
        return None
    return words.told_of(claim)


#: Asked whenever an order is told of: put together once.
_NEWEST = (
    select(Claim)
    .where(Claim.order_id == bindparam("order_id"))
    .order_by(Claim.id.desc())
    .limit(1)
    .execution_options(populate_existing=True)
)
