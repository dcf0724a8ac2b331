"""What stands in the books at the moment of being asked: counts and ages, by few queries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from threading import Lock

from flask import Flask
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.alerts.models import AlertRow, Heartbeat
from app.alerts.service import SWEEP
from app.core.clock import now
from app.core.outbox import Announcement
from app.disbursements.models import Disbursement
from app.disbursements.states import NOT_PAID, OutStatus
from app.extensions import db
from app.jobs import Jobs
from app.payments import provider
from app.payments.models import InboxMessage, Payment
from app.payments.states import LIVE, Status
from app.webhooks.models import Delivery, DeliveryState

logger = logging.getLogger("lipa.metrics")

#: However often one asks, the database is asked this seldom.
CACHE_SECONDS = 10.0
_OPEN_PAYMENTS = [*sorted(LIVE), Status.REVIEW]
_OPEN_OUT = [status for status in OutStatus if status not in {*NOT_PAID, OutStatus.COMPLETED}]


class Gauges(Collector):
    """The books of one application, as Prometheus reads them."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = Lock()
        self._kept: list[Metric] = []
        self._read_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if time.monotonic() - self._read_at > CACHE_SECONDS:
                self._kept = list(self._read())
                self._read_at = time.monotonic()
            yield from self._kept

    def forget(self) -> None:
        """Read anew the next time."""
        self._read_at = float("-inf")

    def _read(self) -> Iterator[Metric]:
        is_up = True
        for part in _DATABASE:
            try:
                yield from list(part())
            except SQLAlchemyError as error:
                db.session.rollback()
                logger.warning("figures could not be read (%s)", type(error).__name__)
                is_up = False
        yield _gauge("lipa_database_up", "Whether the database answered.", int(is_up))
        jobs: Jobs = self._app.extensions["lipa_jobs"]
        depth = jobs.depth()
        if depth is not None:
            yield _gauge("lipa_queue_depth", "Tasks that wait in the queue.", depth)
        yield from _breakers()


def _payments() -> Iterator[Metric]:
    query = (
        select(Payment.status, func.count(), func.min(Payment.created_at))
        .where(Payment.status.in_(_OPEN_PAYMENTS))
        .group_by(Payment.status)
    )
    found = {status: (count, first) for status, count, first in db.session.execute(query)}
    yield from _counts_and_ages("lipa_payments_open", "Payments", "status", _OPEN_PAYMENTS, found)


def _money_out() -> Iterator[Metric]:
    query = (
        select(Disbursement.status, func.count(), func.min(Disbursement.created_at))
        .where(Disbursement.status.in_(_OPEN_OUT))
        .group_by(Disbursement.status)
    )
    found = {status: (count, first) for status, count, first in db.session.execute(query)}
    yield from _counts_and_ages("lipa_money_out_open", "Money out", "status", _OPEN_OUT, found)


def _callbacks() -> Iterator[Metric]:
    query = select(func.count(), func.min(InboxMessage.received_at))
    found = db.session.execute(query.where(InboxMessage.handled_at.is_(None))).one()
    yield _gauge("lipa_callbacks_unhandled", "Callbacks kept and not acted on.", found[0])
    yield _gauge(
        "lipa_callback_lag_seconds", "Age of the oldest callback not acted on.", _age(found[1])
    )


def _waiting() -> Iterator[Metric]:
    news = db.session.scalar(select(func.count()).select_from(Announcement)) or 0
    yield _gauge("lipa_outbox_waiting", "Announcements not sent yet.", news)
    # By name, since no index finds what a state is not.
    waiting = (DeliveryState.WAITING, DeliveryState.GIVEN_UP)
    query = select(Delivery.state, func.count()).where(Delivery.state.in_(waiting))
    counts: dict[str, int] = {}
    for found, count in db.session.execute(query.group_by(Delivery.state)):
        counts[found] = count
    for state in waiting:
        yield _gauge(f"lipa_webhooks_{state}", "Webhook deliveries.", counts.get(state, 0))


def _alerts() -> Iterator[Metric]:
    query = select(AlertRow.kind, func.count()).where(AlertRow.closed_at.is_(None))
    family = GaugeMetricFamily("lipa_alerts_open", "Open alerts.", labels=["kind"])
    for kind, count in db.session.execute(query.group_by(AlertRow.kind)):
        family.add_metric([kind], count)
    yield family
    beat = db.session.get(Heartbeat, SWEEP, populate_existing=True)
    if beat is not None:
        yield _gauge("lipa_sweep_age_seconds", "Since the sweep last looked.", _age(beat.at))


def _breakers() -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "lipa_breaker_open", "1 where nothing is sent to Daraja for now.", labels=["road"]
    )
    for road, state in provider.breaker_states().items():
        family.add_metric([road], int(state != "closed"))
    yield family


_DATABASE: tuple[Callable[[], Iterator[Metric]], ...] = (
    _payments,
    _money_out,
    _callbacks,
    _waiting,
    _alerts,
)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _counts_and_ages(
    name: str, what: str, label: str, values: Sequence[str], found: dict[str, tuple[int, datetime]]
) -> Iterator[Metric]:
    """Give every value its count, nought included, so that a graph does not end at the last one."""
    counts = GaugeMetricFamily(name, f"{what} that have not ended.", labels=[label])
    ages = GaugeMetricFamily(
        f"{name}_oldest_seconds", f"{what}: age of the oldest that has not ended.", labels=[label]
    )
    for value in values:
        count, first = found.get(value, (0, None))
        counts.add_metric([value], count)
        ages.add_metric([value], _age(first))
    yield counts
    yield ages


def _age(moment: datetime | None) -> float:
    return max(0.0, (now() - moment).total_seconds()) if moment else 0.0
