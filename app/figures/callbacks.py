"""Callbacks that came to nothing: those that failed us, and those that nobody vouched for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.extensions import db
from app.figures.periods import Period
from app.payments.models import InboxMessage

#: Among so many of the newest callbacks those without proof are looked for. In a shop where all is
#: well there are none, and a search for them would else go through every callback that ever came.
NEWEST_ROWS = 1000


def failures(session: Session, period: Period) -> int:
    """Count the callbacks of a period that could not be acted on.

    Either something went wrong with us, and they are tried again or wait for a person; or they
    came from an address of Safaricom's and cannot be read, or name no payment of ours.
    """
    in_period = and_(
        InboxMessage.received_at >= period.start, InboxMessage.received_at < period.end
    )
    # Two counts, since each has an index of its own.
    not_done = select(func.count()).where(
        InboxMessage.handled_at.is_(None), InboxMessage.tries > 0, in_period
    )
    nobodys = select(func.count()).where(
        InboxMessage.payment_id.is_(None),
        InboxMessage.handled_at.is_not(None),
        InboxMessage.origin_proven,
        in_period,
    )
    return int(session.scalar(not_done) or 0) + int(session.scalar(nobodys) or 0)


def unproven(limit: int) -> Sequence[InboxMessage]:
    """Return the newest callbacks that lacked a proof or could not be read."""
    newest = select(func.max(InboxMessage.id)).scalar_subquery()
    return db.session.scalars(
        select(InboxMessage)
        .where(
            InboxMessage.id > newest - NEWEST_ROWS,
            or_(
                InboxMessage.origin_proven.is_(False),
                InboxMessage.token_payment_id.is_(None),
                InboxMessage.payment_id.is_(None),
            ),
        )
        .order_by(InboxMessage.id.desc())
        .limit(limit)
    ).all()
