"""How long a payment takes today, by the shop's own books."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.core.clock import now
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Order
from app.payments import usual
from app.payments.evidence import Evidence
from app.payments.initiate import new_reference
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.view import order_state
from tests.support.app import Account, Shop


@pytest.fixture(autouse=True)
def _fresh_figures(shop: Shop) -> None:
    with shop.app.app_context():
        usual.forget()


def completed_in(
    shop: Shop,
    who: Account,
    took: Sequence[float],
    *,
    days_ago: int = 0,
    evidence: str = Evidence.PROVEN_CALLBACK,
) -> None:
    """Write down payments that took so many seconds each; there is no money behind them."""
    shop.written_by_hand = True
    begun = now() - timedelta(days=days_ago, minutes=5)
    order = shop.order(who)
    with shop.app.app_context(), transaction() as session:
        for seconds in took:
            payment = Payment(
                public_ref=new_reference(f"T{secrets.token_hex(1)}"),
                order_id=order["number"],
                phone="254712345678",
                amount_cents=150_000,
                status=Status.COMPLETED,
                evidence=evidence,
                created_at=begun,
                prompt_expires_at=begun + timedelta(minutes=1),
                completed_at=begun + timedelta(seconds=seconds),
            )
            session.add(payment)


def sentence(shop: Shop) -> str | None:
    with shop.app.app_context():
        usual.forget()
        return usual.usual_sentence()


def test_the_median_of_today_is_told_rounded_up_to_five(shop: Shop, shopper: Account) -> None:
    completed_in(shop, shopper, [8, 9, 11, 40, 3000])
    assert sentence(shop) == "Today it usually takes about 15 seconds."


def test_a_shop_with_too_few_payments_says_nothing(shop: Shop, shopper: Account) -> None:
    completed_in(shop, shopper, [8, 9, 11, 12])
    assert sentence(shop) is None


def test_with_too_few_today_the_last_month_counts_and_nothing_older(
    shop: Shop, shopper: Account
) -> None:
    completed_in(shop, shopper, [300] * 3, days_ago=31)
    completed_in(shop, shopper, [20] * 4, days_ago=3)
    assert sentence(shop) is None
    completed_in(shop, shopper, [19])
    assert sentence(shop) == "It usually takes about 20 seconds."


def test_long_waits_are_told_in_minutes(shop: Shop, shopper: Account) -> None:
    completed_in(shop, shopper, [170] * 5)
    assert sentence(shop) == "Today it usually takes about 3 minutes."


def test_what_people_settled_from_a_statement_says_nothing_of_m_pesa(
    shop: Shop, shopper: Account
) -> None:
    completed_in(shop, shopper, [5000] * 5, evidence=Evidence.BY_HAND)
    assert sentence(shop) is None


def test_an_order_tells_the_usual_time_only_while_it_waits(shop: Shop, shopper: Account) -> None:
    completed_in(shop, shopper, [8] * 5)
    order = shop.order(shopper)

    def told() -> object:
        with shop.app.app_context():
            usual.forget()
            return order_state(db.session.get_one(Order, order["number"]))["usual"]

    assert told() is None
    shop.prompted(shopper, order)
    assert told() == "Today it usually takes about 10 seconds."


def test_the_figures_are_read_once_a_minute(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []
    monkeypatch.setattr("app.payments.usual._measure", lambda: measured.append(1))
    with shop.app.app_context():
        for _ in range(3):
            usual.usual()
    assert len(measured) == 1
