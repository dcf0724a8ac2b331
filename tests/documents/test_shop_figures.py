"""The figures that the documents want watched, of a day whose every payment is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.unit_of_work import transaction
from app.payments.inbox import MOST_TRIES
from app.payments.models import InboxMessage
from tests.support.app import STRANGER, Account, Shop
from tests.support.daraja import paid, refuse, unpaid
from tests.support.days import clock

PAGE = {"Accept": "text/html"}
_numbers = itertools.count()


@pytest.fixture
def watcher(shop: Shop) -> Iterator[Account]:
    """An admin at noon. The test goes on from there."""
    with clock("12:00"):
        yield shop.person("achieng", admin=True)


def somebody(shop: Shop) -> Account:
    """Somebody new, whose sign-in begins now."""
    return shop.person(f"shopper{next(_numbers)}")


def ended(shop: Shop, began: str, end: str, code: int = 0, days_ago: int = 0) -> None:
    """Let somebody be prompted, and pay or not at another moment of the same day."""
    with clock(began, days_ago):
        payment = shop.prompted(somebody(shop))
    with clock(end, days_ago):
        body = unpaid(payment.checkout_request_id, code)
        if code == 0:
            body = paid(payment.checkout_request_id, 1500, f"UKL5{payment.id:06d}")
        shop.callback(body, token=payment.callback_token)


@pytest.fixture
def day(shop: Shop, watcher: Account) -> None:
    """Since midnight: three paid, four failed, three open. One was paid just before midnight."""
    ended(shop, "23:58:00", "23:58:20", days_ago=1)
    ended(shop, "0:01:00", "0:01:10")
    ended(shop, "9:00:00", "9:00:20")
    ended(shop, "10:59:00", "11:00:00")
    ended(shop, "11:00:10", "11:00:30", code=1032)
    ended(shop, "11:10", "11:11", code=1032)
    ended(shop, "11:20", "11:21", code=2001)
    with clock("11:30"):
        shop.daraja.push_answer = refuse("Merchant does not exist", "400.002.02", 400)
        who = somebody(shop)
        shop.pay(who, shop.order(who))
    with clock("11:40"):
        shop.unanswered(somebody(shop))
    shop.daraja.push_answer = shop.daraja.accept
    for moment in ("11:50", "11:59:30"):
        with clock(moment):
            shop.prompted(somebody(shop))


def figures(shop: Shop, who: Account, days: int = 1) -> dict[str, Any]:
    answer = shop.client().get(f"/api/admin/figures?days={days}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.get_json()
    return told


def test_s0_65_s4_91_s4_95_s4_96_s4_97_how_many_were_asked_for_paid_and_failed(
    shop: Shop, watcher: Account, day: None
) -> None:
    """S0-65, S4-91, S4-95, S4-96, S4-97: and the rest of them is told too."""
    told = figures(shop, watcher)
    names = ("total_initiated", "successful", "failed", "still_open", "in_review")
    assert [told[name] for name in names] == [10, 3, 4, 3, 0]
    assert told["success_rate"] == pytest.approx(3 / 7)
    week = figures(shop, watcher, 7)
    assert [week[name] for name in names] == [11, 4, 4, 3, 0]
    assert week["success_rate"] == pytest.approx(4 / 8)
    page = shop.client().get("/admin", headers=watcher.headers | PAGE).text
    assert "42.8%" in page, "three of seven, and not rounded up"


def test_s4_93_s4_98_which_failed_and_which_hang(shop: Shop, watcher: Account, day: None) -> None:
    """S4-93, S4-98: failures by their reasons; and what is open for more than five minutes."""
    told = figures(shop, watcher)
    reasons = {row["reason"]: row["count"] for row in told["failed_transactions"]}
    assert sum(reasons.values()) == told["failed"]
    assert reasons.pop("cancelled") == 2
    assert reasons.pop("wrong_pin") == 1
    assert list(reasons.values()) == [1]
    assert told["pending_over_5_minutes"] == 2, "not the one of half a minute ago"


def test_s4_94_the_average_payment_takes_as_long_as_the_paid_ones_did(
    shop: Shop, watcher: Account, day: None
) -> None:
    """S4-94: 10, 20 and 60 seconds; the hour is the one in which it was asked for."""
    told = figures(shop, watcher)
    # The clock runs on while the test is at work.
    assert told["average_payment_seconds"] == pytest.approx(30, abs=2)
    steps = {step["at"]: step for step in told["steps"]}
    assert len(steps) == 13
    first, ten = steps["2027-03-09T21:00:00Z"], steps["2027-03-10T07:00:00Z"]
    assert first["payment_seconds"]["half"] == pytest.approx(10, abs=2)
    assert ten["payment_seconds"]["most"] == pytest.approx(60, abs=2)
    assert (first["takings"], ten["takings"]) == (1500, 0), "money counts when it comes"
    assert steps["2027-03-10T08:00:00Z"]["takings"] == 1500


def test_s4_92_s4_99_which_callbacks_came_and_which_could_not_be_acted_on(
    shop: Shop, watcher: Account, day: None
) -> None:
    """S4-92, S4-99: a stranger's word is neither a callback nor a failure."""
    told = figures(shop, watcher)
    assert told["callback_receipt_rate"] == pytest.approx(6 / 7), "the one at 11:50 is missing"
    assert told["callback_failures"] == 0
    shop.callback(b"nobody can read this", peer=STRANGER)
    assert figures(shop, watcher)["callback_failures"] == 0
    shop.callback(b"this is from Safaricom, and cannot be read")
    shop.callback(paid("ws_CO_of_nobody", 10, "UKL5999999"))
    assert figures(shop, watcher)["callback_failures"] == 2
    with shop.app.app_context(), transaction() as session:
        message = session.query(InboxMessage).order_by(InboxMessage.id.desc()).first()
        assert message is not None
        message.handled_at, message.tries = None, MOST_TRIES
    assert figures(shop, watcher)["callback_failures"] == 2, "each is counted once"
