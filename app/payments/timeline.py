"""What happened to a payment, line by line, and the flag that puts it before a person."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.payments.models import Payment, TimelineEntry


def note(
    session: Session,
    payment_id: int,
    event: str,
    source: str,
    target: str,
    actor: str,
    why: str,
) -> None:
    """Write a line of a payment's timeline, in the caller's transaction."""
    session.add(
        TimelineEntry(
            payment_id=payment_id,
            event=event,
            from_status=source,
            to_status=target,
            actor=actor[:80],
            why=why,
        )
    )


def flag(session: Session, payment: Payment, reason: str, actor: str, why: str) -> None:
    """Put a payment before a person without moving it, in the caller's transaction."""
    session.execute(
        update(Payment)
        .where(Payment.id == payment.id)
        .values(review_reason=reason, reviewed_at=None)
        .execution_options(synchronize_session="fetch")
    )
    note(session, payment.id, reason, payment.status, payment.status, actor, why)
