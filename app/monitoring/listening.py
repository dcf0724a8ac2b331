"""Counting what the rooms announce, once it has been committed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import outbox
from app.core.clock import now
from app.core.unit_of_work import after_commit
from app.disbursements.machine import PAYOUT_UPDATE
from app.monitoring.meters import meters
from app.payments.models import Payment
from app.payments.settle import PAYMENT_UPDATE
from app.payments.states import UNPAID_ENDS, Status

_ENDS = UNPAID_ENDS | {Status.COMPLETED, Status.REVIEW}


def listen() -> None:
    """Begin to count."""
    outbox.listen(_heard)


def _heard(session: Session, topic: str, body: dict[str, Any]) -> None:
    update = body.get("update", {})
    if topic == PAYOUT_UPDATE:
        event = f"{update['kind']}.{update['status']}"
        after_commit(lambda: meters().money_out.labels(event).inc())
    elif topic == PAYMENT_UPDATE and "event" in body:
        event = body["event"].removeprefix("payment.")
        after_commit(lambda: meters().payments.labels(event).inc())
        if event in _ENDS:
            _time(session, update["transaction_id"], event)


def _time(session: Session, public_ref: str, status: str) -> None:
    """Take how long the payer was waited for; what was set right later says nothing about that."""
    query = select(Payment.created_at).where(Payment.public_ref == public_ref)
    began = session.scalar(query)
    if began is not None:
        seconds = max(0.0, (now() - began).total_seconds())
        after_commit(lambda: meters().prompts.labels(status).observe(seconds))
