"""Figures are what the rows say: held against rows that are counted one by one."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from app.core.clock import nairobi, now
from app.core.errors import ValidationError
from app.core.unit_of_work import transaction
from app.extensions import db
from app.figures import callbacks, service
from app.figures.attempts import Ends, Seconds, Share
from app.figures.periods import DAY, HOUR, days_from, midnight, period_of
from app.figures.service import Figures, Shelf
from app.payments.models import Credit, InboxMessage, Payment
from app.payments.states import Status
from tests.support.app import STRANGER, Account, Shop, together
from tests.support.days import clock

ROWS = 150
ENDS = (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.REVIEW)


@pytest.fixture
def noon() -> Iterator[datetime]:
    with clock("12:34:56"):
        yield now()


def test_the_figures_of_any_rows_are_their_sums(shop: Shop, noon: datetime) -> None:
    """On both sides of each hour and midnight, with callbacks missing, late and forged."""
    shop.written_by_hand = True
    rows = _rows(shop, noon)
    for days in (1, 7, 30):
        with shop.app.app_context():
            told = service.compute(db.session(), period_of(days, noon))
        inside = [row for row in rows if period_of(days, noon).start <= row["at"] < noon]
        _agree(told, inside, HOUR if days == 1 else DAY)
        came = [row for row in rows if row["paid_at"] and row["paid_at"] < noon]
        came = [row for row in came if row["paid_at"] >= told.period.start]
        assert sum(step.taken.cents for step in told.steps) == sum(row["cents"] for row in came)
        assert sum(step.taken.count for step in told.steps) == len(came)


def _agree(told: Figures, rows: list[dict[str, Any]], step: timedelta) -> None:
    paid = [row for row in rows if row["status"] == Status.COMPLETED]
    failed = [row for row in rows if row["status"] in ENDS[1:4]]
    due = [row for row in rows if row["accepted"] and row["at"] < told.period.end - HOUR / 60]
    ends = told.ends
    assert (ends.initiated, ends.successful, ends.failed) == (len(rows), len(paid), len(failed))
    assert ends.in_review == len([row for row in rows if row["status"] == Status.REVIEW])
    assert ends.callbacks == Share(len([row for row in due if row["came_at"]]), len(due))
    if paid:
        took = [(row["paid_at"] - row["at"]).total_seconds() for row in paid]
        # Both moments lose what is less than a second.
        assert ends.took.average == pytest.approx(statistics.mean(took), abs=1)
    for number, part in enumerate(told.steps):
        start = told.period.start + number * step
        within = [row for row in rows if start <= row["at"] < start + step]
        assert (part.at, part.ends.initiated) == (start, len(within))
    assert sum(part.ends.initiated for part in told.steps) == len(rows)


def _rows(shop: Shop, end: datetime) -> list[dict[str, Any]]:
    """Write attempts of the last 40 days by hand, and return what was written."""
    dice = random.Random(4711)
    order_id = int(shop.order(shop.person())["number"])
    edges = [midnight(end) - days * DAY for days in (0, 6, 29)] + [midnight(end) + 9 * HOUR]
    hair = timedelta(microseconds=1)
    moments = [edge + shift for edge in edges for shift in (-hair, hair - hair, hair)]
    moments += [end - dice.random() * 40 * DAY for _ in range(ROWS // 2)]
    moments += [end - dice.random() * DAY / 2 for _ in range(ROWS // 2)]
    rows = [_row(dice, at) for at in moments]
    with shop.app.app_context(), transaction() as session:
        for number, row in enumerate(rows):
            _write(session, order_id, number, row)
    return rows


def _row(dice: random.Random, at: datetime) -> dict[str, Any]:
    status, accepted = dice.choice(ENDS), dice.random() < 0.9
    took = timedelta(seconds=dice.uniform(1, 90))
    came = accepted and dice.random() < 0.8
    return {
        "at": at,
        "status": status,
        "accepted": accepted,
        "cents": dice.randrange(1, 5000) * 100,
        "paid_at": at + took if status == Status.COMPLETED else None,
        "came_at": at + took if came else None,
        "forged": accepted and not came and dice.random() < 0.5,
    }


def _write(session: Any, order_id: int, number: int, row: dict[str, Any]) -> None:
    payment = Payment(
        public_ref=f"TXN{number:017d}",
        order_id=order_id,
        phone="254712345678",
        amount_cents=row["cents"],
        status=row["status"],
        reason=None if row["status"] == Status.COMPLETED else "cancelled",
        checkout_request_id=f"ws_CO_{number}" if row["accepted"] else None,
        created_at=row["at"],
        prompt_expires_at=row["at"],
        completed_at=row["paid_at"],
    )
    session.add(payment)
    session.flush()
    came = [row["came_at"], row["came_at"] + DAY] if row["came_at"] else []
    for copy, at in enumerate([*came, *([row["at"]] if row["forged"] else [])]):
        session.add(_message(f"{number}-{copy}", payment.id, at, proven=not row["forged"]))
    if row["paid_at"]:
        session.add(
            Credit(
                order_id=order_id,
                payment_id=payment.id,
                amount_cents=row["cents"],
                standing="exact",
                evidence="callback",
                created_at=row["paid_at"],
            )
        )


def _message(key: str, payment_id: int, at: datetime, *, proven: bool) -> InboxMessage:
    return InboxMessage(
        natural_key=key,
        path="/",
        peer=STRANGER,
        headers={},
        raw=b"",
        origin_proven=proven,
        payment_id=payment_id,
        received_at=at,
        handled_at=at,
    )


def test_today_is_compared_with_yesterday_at_the_same_time(shop: Shop) -> None:
    with clock("11:00", days_ago=1):
        shop.completed(shop.person("a"), price=100)
    with clock("13:00", days_ago=1):
        shop.completed(shop.person("b"), price=1000)
    with clock("0:00:30"):
        shop.completed(shop.person("c"), price=70)
    with clock("12:00"), shop.app.app_context():
        told = service.glance().takings
    assert (told.today, told.yesterday_so_far, told.yesterday) == (7000, 10000, 110000)


def test_what_waits_is_told_with_its_oldest(shop: Shop, admin: Account, shopper: Account) -> None:
    first, second = shop.prompted(shopper), shop.prompted(shopper)
    shop.unanswered(shopper)
    shop.set(payout_approval_above=1000)
    payout = shop.payout(admin, shop.supplier(admin), 5000)
    with shop.app.app_context():
        told = service.glance().standing
    assert (told.prompted.count, told.prompted.cents) == (2, 300000)
    assert told.prompted.oldest == min(first.created_at, second.created_at)
    assert (told.unconfirmed.count, told.unconfirmed.cents) == (1, 150000)
    assert (told.out_waiting.count, told.out_waiting.cents) == (1, 500000)
    assert told.out_waiting.oldest == payout.created_at
    assert (told.out_unknown.count, told.out_sent.count, told.long_pending.count) == (0, 0, 0)


def test_a_shop_without_payments_has_figures(shop: Shop) -> None:
    with shop.app.app_context():
        told = service.figures(7)
    assert len(told.steps) == 7
    assert (told.ends.success.rate, str(told.ends.success)) == (None, "–")
    assert (told.ends.took.average, told.ends.took.percentile(95)) == (None, None)


def test_a_forged_callback_is_listed_among_those_nobody_vouched_for(
    shop: Shop, shopper: Account
) -> None:
    shop.completed(shopper)
    shop.callback(b"forged", peer=STRANGER)
    with shop.app.app_context():
        assert [message.peer for message in callbacks.unproven(20)] == [STRANGER]


# Arithmetic, which needs no database.


def test_a_percentile_is_the_nearest_rank() -> None:
    took = Seconds()
    took.counts.update(range(1, 21))
    assert [took.percentile(percent) for percent in (5, 50, 95, 100)] == [1, 10, 19, 20]
    lone = Seconds()
    lone.counts.update([7])
    assert (lone.percentile(50), lone.percentile(95)) == (7, 7)


def test_a_share_is_never_rounded_up() -> None:
    assert [str(Share(*of)) for of in ((9999, 10000), (1, 1), (57, 100), (0, 3))] == [
        "99.9%",
        "100%",
        "57%",
        "0%",
    ]


@pytest.mark.parametrize("text", ["0", "2", "-1", "07", "1e9", "seven", "٧"])
def test_other_days_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        days_from(text)


def test_a_period_begins_at_a_midnight_in_nairobi() -> None:
    with clock("0:00:00"):
        period = period_of(7)
        assert nairobi(period.start).hour == 0
        assert len(period.moments) == 7
    with clock("23:59:59"):
        assert len(period_of(1).moments) == 24


# Keeping what was slow.


def test_slow_figures_are_computed_once_for_everybody_who_asks(shop: Shop) -> None:
    computed: list[int] = []
    found = _told_of(5)

    def slowly(_session: object, period: Any) -> Figures:
        computed.append(period.days)
        time.sleep(service.SLOW_SECONDS + 0.05)
        return found

    shelf = Shelf()

    def ask(_: int) -> Figures:
        with shop.app.app_context():
            return shelf.figures(30)

    with mock.patch.object(service, "compute", slowly):
        assert together(6, ask) == [found] * 6
    assert computed == [30]


@pytest.mark.parametrize(("attempts", "times"), [(1400, 2), (service.MANY_ATTEMPTS + 1, 1)])
def test_quick_figures_are_always_new_but_of_very_many_attempts(
    shop: Shop, attempts: int, times: int
) -> None:
    shelf, found = Shelf(), _told_of(attempts)
    computing = mock.patch.object(service, "compute", return_value=found)
    never_slow = mock.patch.object(service, "SLOW_SECONDS", 60.0)
    with shop.app.app_context(), never_slow, computing as compute:
        assert [shelf.figures(1), shelf.figures(1)] == [found] * 2
    assert compute.call_count == times


def _told_of(attempts: int) -> Figures:
    return Figures(period_of(30), (), Ends(initiated=attempts), 0)


def test_a_computation_that_fails_leaves_the_next_one_free(shop: Shop) -> None:
    shelf = Shelf()
    with shop.app.app_context():
        broken = mock.patch.object(service, "compute", side_effect=RuntimeError)
        with broken, pytest.raises(RuntimeError):
            shelf.figures(1)
        done = threading.Event()

        def ask() -> None:
            with shop.app.app_context():
                shelf.figures(1)
                done.set()

        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(5)
