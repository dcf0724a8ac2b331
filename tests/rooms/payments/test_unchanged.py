"""A poll that comes again: the same answer while nothing has changed, and never a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.accounts import sign_ins
from app.accounts.models import Person
from app.core.clock import now
from app.core.unit_of_work import transaction
from app.extensions import Model, limiter
from app.payments import unchanged
from app.payments.claims.models import Claim
from app.payments.models import Credit, Payment
from app.payments.signals import check_wanted, payment_watched
from tests.support.app import Account, Shop, later, standing
from tests.support.daraja import paid, unpaid

QUERY = "/api/payments/mpesa/query"


def poll(shop: Shop, who: Account, order: dict[str, Any], **headers: str) -> TestResponse:
    sent = who.headers | headers
    return shop.client().post(QUERY, json={"order_id": order["id"]}, headers=sent)


def whole_way(shop: Shop, who: Account, order: dict[str, Any]) -> TestResponse:
    """Poll with a header that nobody has sent before."""
    return poll(shop, who, order, Accept=f"application/json, x/{now().timestamp():f}")


def goes_whole_way(shop: Shop, who: Account, order: dict[str, Any]) -> bool:
    """Poll as before, and tell whether the view was asked."""
    way = shop.app.full_dispatch_request
    with mock.patch.object(shop.app, "full_dispatch_request", side_effect=way) as whole:
        assert poll(shop, who, order).status_code == 200
    return bool(whole.called)


@pytest.fixture
def order(shop: Shop, shopper: Account) -> dict[str, Any]:
    """An order with an open prompt, of which a poll has been answered once."""
    placed = shop.order(shopper)
    shop.prompted(shopper, placed)
    assert poll(shop, shopper, placed).status_code == 200
    return placed


def test_a_repeated_poll_is_answered_by_one_statement_and_in_the_same_words(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    with mock.patch.object(shop.app, "full_dispatch_request", side_effect=AssertionError):
        again = poll(shop, shopper, order)
    assert again.status_code == 200
    with standing():
        first = whole_way(shop, shopper, order)
        assert poll(shop, shopper, order).get_json() == first.get_json()
    own = {"X-Request-ID", "Content-Length"}
    told = {name: value for name, value in again.headers.items() if name not in own}
    assert told == {name: value for name, value in first.headers.items() if name not in own}
    assert again.headers["Content-Length"] == str(len(again.data))
    assert len({again.headers["X-Request-ID"], first.headers["X-Request-ID"]}) == 2


def test_the_seconds_that_are_left_go_on(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    before = poll(shop, shopper, order).get_json()["data"]["seconds_left"]
    with later(7):
        after = poll(shop, shopper, order).get_json()["data"]["seconds_left"]
    assert 6 <= before - after <= 8


def pays(shop: Shop, payment: Payment) -> None:
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)


def refuses(shop: Shop, payment: Payment) -> None:
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)


def speaks_swahili(shop: Shop, payment: Payment) -> None:
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Person).values(language="sw"))


def runs_out(shop: Shop, payment: Payment) -> None:
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Payment).values(prompt_expires_at=now()))


@pytest.mark.parametrize("happens", [pays, refuses, speaks_swahili, runs_out])
def test_what_has_changed_is_told_by_the_very_next_poll(
    shop: Shop,
    shopper: Account,
    order: dict[str, Any],
    happens: Callable[[Shop, Payment], None],
) -> None:
    before = poll(shop, shopper, order)
    happens(shop, shop.payment(order))
    with standing():
        after = poll(shop, shopper, order)
        assert after.get_json() == whole_way(shop, shopper, order).get_json()
    assert after.get_json() != before.get_json()


@pytest.mark.parametrize("kind", [Credit, Claim])
def test_money_or_a_claim_by_another_road_is_read_the_whole_way(
    shop: Shop, shopper: Account, order: dict[str, Any], kind: type[Model]
) -> None:
    # A row as another road writes it, without that road's books.
    shop.written_by_hand = True
    given: dict[str, Any] = {"order_id": shop.payment(order).order_id}
    if kind is Credit:
        given |= {"amount_cents": 50_000, "standing": "exact", "evidence": "statement"}
    else:
        given |= {"door": "page", "code": "UKL4ZZ00ZZ", "text": "", "state": "with_person"}
    assert not goes_whole_way(shop, shopper, order)
    with shop.app.app_context(), transaction() as session:
        session.add(kind(**given))
    assert goes_whole_way(shop, shopper, order)


def test_a_sign_in_that_was_ended_hears_no_more(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    with shop.app.app_context():
        for sign_in in sign_ins.open_ones(shopper.id):
            sign_ins.end(sign_in.uuid)
    assert poll(shop, shopper, order).status_code == 401


def test_who_is_suspended_hears_no_more(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Person).values(suspended_at=now()))
    assert poll(shop, shopper, order).status_code == 401


def test_a_token_that_has_expired_opens_nothing(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    with shop.app.app_context(), transaction() as session:
        far = {"prompt_expires_at": now() + timedelta(hours=3), "next_check_at": None}
        session.execute(update(Payment).values(**far))
    with mock.patch.object(unchanged, "KEPT", timedelta(hours=3)):
        poll(shop, shopper, order)
    with later(3_500):
        assert not goes_whole_way(shop, shopper, order)
    with later(3_700):
        assert poll(shop, shopper, order).status_code == 401


def test_somebody_else_does_not_hear_it(
    shop: Shop, other_shopper: Account, order: dict[str, Any]
) -> None:
    assert poll(shop, other_shopper, order).status_code == 404


def test_every_poll_counts_for_the_limit_whichever_way_it_goes(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    shop.set(rate_limit_status="6/minute")
    ways = [poll, whole_way]
    with standing():
        told = [way(shop, shopper, order).status_code for way in ways * 4]
    assert told == [200] * 6 + [429] * 2


def test_of_a_high_limit_some_polls_are_counted_at_once_and_never_too_many(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    shop.set(rate_limit_status="300/minute")
    hit = limiter.limiter.hit
    with standing(), mock.patch.object(limiter.limiter, "hit", side_effect=hit) as counted:
        told = [poll(shop, shopper, order).status_code for _ in range(305)]
    assert counted.call_count < 120
    assert set(told[:298]) == {200}
    assert set(told[300:]) == {429}


def test_a_question_that_is_due_is_begun_by_a_repeated_poll_too(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    heard: list[str] = []

    def hear(sender: Any, **told: Any) -> None:
        heard.append(str(sender))

    for signal in (check_wanted, payment_watched):
        signal.connect(hear)
    poll(shop, shopper, order)
    assert heard == []
    with later(16):
        poll(shop, shopper, order)
    assert len(heard) == 1


def test_a_database_that_is_away_gives_no_answer_again(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    away = OperationalError("SELECT", {}, Exception("away"))
    with mock.patch("sqlalchemy.engine.base.Connection.execute", side_effect=away):
        assert poll(shop, shopper, order).status_code == 503


def test_a_store_of_limits_that_is_away_gives_no_answer_again(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    # Nothing has been counted of this limit that could be left.
    shop.set(rate_limit_status="99/minute")
    with mock.patch.object(limiter.limiter, "hit", side_effect=ConnectionError):
        assert goes_whole_way(shop, shopper, order)


def test_a_body_that_stops_short_is_told_so(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    answer = shop.client().post(
        QUERY,
        data=b'{"order',
        content_type="application/json",
        headers=shopper.headers,
        environ_overrides={"CONTENT_LENGTH": "90"},
    )
    assert answer.status_code == 400


def test_no_more_answers_are_kept_than_there_is_room_for(shop: Shop, shopper: Account) -> None:
    orders = [shop.order(shopper) for _ in range(3)]
    for each in orders:
        shop.prompted(shopper, each)
    with mock.patch.object(unchanged, "MOST_KEPT", 2):
        told = [poll(shop, shopper, each).status_code for each in orders * 2]
    assert told == [200] * 6
