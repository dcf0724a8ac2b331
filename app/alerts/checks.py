"""Looking for what is wrong: each check reads a few counts and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from app.core.clock import now
from app.core.money import CENTS, Kes
from app.core.texts import said
from app.disbursements import funds
from app.disbursements.models import Disbursement, ResultMessage
from app.disbursements.provider import shortcode
from app.disbursements.states import OutStatus
from app.extensions import db
from app.payments import provider, suspicion
from app.payments.models import InboxMessage, Payment
from app.payments.schedule import QUIET_SECONDS
from app.payments.states import LIVE
from app.settings.service import settings
from app.webhooks.models import Delivery, DeliveryState, Endpoint

#: No check finds more than this.
MOST_FINDINGS = 50


class Finding(NamedTuple):
    """One thing that is wrong at this moment."""

    kind: str
    subject: str
    detail: str


def stuck_payments() -> Iterator[Finding]:
    """Payments that stay live although silence about their prompt is news by now."""
    long_ago = now() - timedelta(seconds=QUIET_SECONDS)
    query = select(func.count(), func.min(Payment.public_ref)).where(
        Payment.status.in_(LIVE), Payment.prompt_expires_at < long_ago
    )
    count, first = db.session.execute(query).one()
    if count:
        yield Finding("payments_stuck", "", _many(count, first))


def failing_callbacks() -> Iterator[Finding]:
    """What Daraja posted, and acting on it went wrong."""
    count = 0
    for table in (InboxMessage, ResultMessage):
        query = select(func.count()).where(table.handled_at.is_(None), table.tries > 0)
        count += db.session.scalar(query) or 0
    if count:
        yield Finding("callbacks_failing", "", str(count))


def suspicious_patterns() -> Iterator[Finding]:
    """Forged callbacks, and phones that are prompted again and again."""
    for pattern in suspicion.patterns():
        yield Finding("suspicious", pattern.subject, f"{pattern.title}: {pattern.count}")


def open_breakers() -> Iterator[Finding]:
    """Roads to Daraja on which nothing is sent for now."""
    for name, state in provider.breaker_states().items():
        if state != "closed":
            yield Finding("breaker_open", name, state)


def low_float() -> Iterator[Finding]:
    """A paying account that is known to hold less than FLOAT_ALERT_BELOW."""
    limit = settings().float_alert_below
    if limit is None:
        return
    known = funds.available_cents(db.session(), shortcode())
    if known is not None and known < limit * CENTS:
        told = said("{known}, less than {limit}", known=Kes(known), limit=Kes(limit * CENTS))
        yield Finding("float_low", shortcode(), told)


def unknown_money_out() -> Iterator[Finding]:
    """Refunds and payouts of which nobody knows whether the money left."""
    query = select(func.count(), func.min(Disbursement.public_ref))
    count, first = db.session.execute(query.where(Disbursement.status == OutStatus.UNKNOWN)).one()
    if count:
        yield Finding("out_unknown", "", _many(count, first))


def given_up_webhooks() -> Iterator[Finding]:
    """Endpoints that did not take what they were told."""
    query = (
        select(Delivery.endpoint_id, func.count())
        .join(Endpoint)
        .where(Delivery.state == DeliveryState.GIVEN_UP, Endpoint.removed_at.is_(None))
        .group_by(Delivery.endpoint_id)
        .limit(MOST_FINDINGS)
    )
    for endpoint_id, count in db.session.execute(query):
        yield Finding("webhooks_given_up", str(endpoint_id), f"{count} given up")


def _many(count: int, first: str) -> str:
    return said("{count}, {first} among them", count=count, first=first)


#: By the kinds that each may find: a check that cannot look says nothing about its kind.
CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "payments_stuck": stuck_payments,
    "callbacks_failing": failing_callbacks,
    "suspicious": suspicious_patterns,
    "breaker_open": open_breakers,
    "float_low": low_float,
    "out_unknown": unknown_money_out,
    "webhooks_given_up": given_up_webhooks,
}
