"""Sending what is due: claimed by compare-and-set, posted between transactions, recorded after."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.statements import rows_changed
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.settings.cipher import UnreadableSetting
from app.webhooks.addresses import NotAllowed
from app.webhooks.endpoints import MOST_ENDPOINTS, target_of
from app.webhooks.models import Delivery, DeliveryState, Endpoint
from app.webhooks.posting import Outcome, post
from app.webhooks.signing import ID_HEADER, SIGNATURE_HEADER, secrets_of, signature

logger = logging.getLogger("lipa.webhooks")

#: Pauses after each try in seconds, ten of them to a day; after the last one it is given up.
PAUSES_SECONDS = (
    *(10, 30, 60, 120, 300, 600, 1800),
    *(3600, 7200, 14_400, 28_800, 43_200, 86_400, 86_400),
)
MOST_TRIES = len(PAUSES_SECONDS) + 1
#: Whoever claimed a delivery is done by then, or has died.
LEASE_SECONDS = 60
#: One endpoint's turn: then whoever sends looks at the clock and at who else waits.
TURN = 50
#: What was delivered or given up is kept so long.
KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 500

#: Nothing is left that is due; a try failed; or there may be more.
Turn = Literal["done", "failed", "over"]


class Claim(NamedTuple):
    """A try that is ours to make. ``number`` is which one it is, from 1."""

    id: int
    number: int
    event_id: str
    body: str


def due_endpoints() -> list[int]:
    """Return the endpoints for which something is due."""
    query = select(Delivery.endpoint_id).join(Endpoint).where(_is_due(), _is_open()).distinct()
    return list(db.session.scalars(query.limit(MOST_ENDPOINTS)))


def serve(endpoint_id: int, most: int = TURN) -> Turn:
    """Send one endpoint what is due, oldest first, until a try fails or its turn is over."""
    for _ in range(most):
        claim = _claim(endpoint_id)
        if claim is None:
            return "done"
        outcome = _send(endpoint_id, claim)
        _record(claim, outcome)
        if not outcome.is_taken:
            return "failed"
    return "over"


def prune() -> int:
    """Forget what ended long ago; return how many rows that was, PRUNED_AT_ONCE at most."""
    old = select(Delivery.id).where(
        Delivery.state != DeliveryState.WAITING, Delivery.created_at < now() - KEPT
    )
    with transaction() as session:
        gone = delete(Delivery).where(Delivery.id.in_(old.limit(PRUNED_AT_ONCE)))
        return rows_changed(session, gone)


def _is_due() -> ColumnElement[bool]:
    return and_(Delivery.state == DeliveryState.WAITING, Delivery.next_try_at <= now(), _is_free())


def _is_free() -> ColumnElement[bool]:
    return or_(Delivery.leased_until.is_(None), Delivery.leased_until < now())


def _is_open() -> ColumnElement[bool]:
    return and_(Endpoint.paused_at.is_(None), Endpoint.removed_at.is_(None))


def _claim(endpoint_id: int) -> Claim | None:
    """Take the oldest due delivery of an endpoint, or None when nobody left one."""
    oldest = (
        select(Delivery)
        .join(Endpoint)
        .where(Delivery.endpoint_id == endpoint_id, _is_due(), _is_open())
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(1)
    )
    with transaction() as session:
        found = session.scalars(oldest).first()
        if found is None or not _take(session, found):
            return None
        return Claim(found.id, found.tries + 1, str(found.event_id), found.body)


def _take(session: Session, found: Delivery) -> bool:
    mine = (
        update(Delivery)
        .where(
            Delivery.id == found.id,
            Delivery.state == DeliveryState.WAITING,
            Delivery.tries == found.tries,
            _is_free(),
        )
        .values(
            tries=found.tries + 1,
            tried_at=now(),
            leased_until=now() + timedelta(seconds=LEASE_SECONDS),
        )
        .execution_options(synchronize_session=False)
    )
    return rows_changed(session, mine) == 1


def _send(endpoint_id: int, claim: Claim) -> Outcome:
    endpoint = db.session.get_one(Endpoint, endpoint_id)
    try:
        target, signers = target_of(endpoint.address), secrets_of(endpoint)
    except (NotAllowed, UnreadableSetting) as error:
        return Outcome(0, problem=error.message[:200])
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Lipa-Webhooks/1",
        ID_HEADER: claim.event_id,
        SIGNATURE_HEADER: signature(claim.body, int(time.time()), signers),
    }
    end_reads()
    return post(target, claim.body.encode(), headers)


def _record(claim: Claim, outcome: Outcome) -> None:
    """Write down what came of a try, unless somebody else has had a later one since."""
    state, next_try_at = DeliveryState.WAITING, now()
    if outcome.is_taken:
        state = DeliveryState.DELIVERED
    elif claim.number >= MOST_TRIES:
        state = DeliveryState.GIVEN_UP
    else:
        next_try_at += timedelta(seconds=PAUSES_SECONDS[claim.number - 1])
    with transaction() as session:
        ours = Delivery.id == claim.id, Delivery.tries == claim.number
        session.execute(
            update(Delivery)
            .where(*ours)
            .values(
                state=state,
                next_try_at=next_try_at,
                leased_until=None,
                answer_status=outcome.status,
                answer=outcome.answer or None,
                problem=outcome.problem,
                took_ms=outcome.took_ms,
            )
            .execution_options(synchronize_session=False)
        )
    if state is DeliveryState.GIVEN_UP:
        logger.warning("webhook delivery %s is given up after %s tries", claim.id, claim.number)
