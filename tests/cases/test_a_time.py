"""A9: a clock that jumps neither ends a prompt that lives nor locks anybody out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import time_machine

from app.core.clock import now
from tests.cases.people import sign_in
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, paid

HOURS = 2 * 3600
EITHER_WAY = [HOURS, -HOURS]
LEAP_SECONDS = [1, -1]
#: A prompt's end is known, or a person is asked, after so long and one round of the engine.
KNOWN_WITHIN_SECONDS = 120 + 60


@contextmanager
def a_jump(shop: Shop, seconds: int) -> Iterator[time_machine.Traveller]:
    """Turn the clock by so much; all news is sent before it is turned back."""
    with time_machine.travel(now(), tick=True) as clock:
        clock.shift(seconds)
        yield clock
        shop.announce()


@pytest.mark.parametrize("jump", EITHER_WAY + LEAP_SECONDS)
def test_a9_a_prompt_that_lives_is_still_the_orders_one_prompt_after_a_jump(
    shop: Shop, shopper: Account, daraja: FakeDaraja, jump: int
) -> None:
    order = shop.order(shopper, shop.product(stock=1))
    payment = shop.prompted(shopper, order)
    with a_jump(shop, jump):
        shop.sweep()
        shop.sweep()
        assert shop.fresh(payment).status == "pending"
        who = sign_in(shop, shopper)
        assert shop.order_now(who, order)["status"] == "pending"
        again = shop.pay(who, order).get_json()["data"]
        assert again["checkout_request_id"] == payment.checkout_request_id
        assert len(daraja.pushes) == 1
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
        assert shop.order_now(who, order)["status"] == "paid"


@pytest.mark.parametrize("jump", EITHER_WAY)
def test_a9_a_prompt_of_unknown_fate_is_not_given_up_because_of_a_jump(
    shop: Shop, shopper: Account, daraja: FakeDaraja, jump: int
) -> None:
    """It was sent a moment ago: whatever the clock says, it may be on the phone."""
    order = shop.order(shopper)
    payment = shop.unanswered(shopper, order)
    with a_jump(shop, jump):
        shop.sweep()
        assert shop.fresh(payment).status == "unconfirmed"
        assert shop.pay(sign_in(shop, shopper), order).status_code == 202
        assert len(daraja.pushes) == 1


@pytest.mark.parametrize("jump", EITHER_WAY)
def test_a9_a_jump_while_the_push_is_on_the_wire_loses_nothing_of_its_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja, jump: int
) -> None:
    order = shop.order(shopper)
    with a_jump(shop, 0) as clock:

        def jump_and_sweep(_push: object) -> None:
            clock.shift(jump)
            shop.sweep()

        daraja.on_push = jump_and_sweep
        shop.pay(shopper, order)
        payment = shop.payment(order)
        assert payment.status == "pending"
        assert payment.checkout_request_id is not None


@pytest.mark.parametrize("jump", EITHER_WAY)
def test_a9_a_prompt_in_silence_comes_to_its_end_in_time_after_a_jump(
    shop: Shop, shopper: Account, daraja: FakeDaraja, jump: int
) -> None:
    """I5: it is asked about, or a person is, however the hands of the clock were turned."""
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("0")
    with a_jump(shop, jump), later(KNOWN_WITHIN_SECONDS):
        shop.sweep()
        assert shop.fresh(payment).status == "completed" or payment.id in shop.asked_about()


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, 200), (-5, 200), (-300, 401), (3600 + 5, 200), (3600 + 60, 401)],
)
def test_a9_a_token_forgives_seconds_and_no_minutes(
    shop: Shop, shopper: Account, seconds: int, status: int
) -> None:
    with later(seconds):
        answer = shop.client().get("/api/auth/me", headers=shopper.headers)
    assert answer.status_code == status


def test_a9_two_hours_on_whoever_was_signed_in_gets_a_new_token(
    shop: Shop, shopper: Account
) -> None:
    with a_jump(shop, HOURS):
        refresh = {"Authorization": f"Bearer {shopper.refresh}"}
        answer = shop.client().post("/api/auth/refresh", headers=refresh)
        assert answer.status_code == 200
        access = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
        assert shop.client().get("/api/auth/me", headers=access).status_code == 200


def test_a9_two_hours_back_people_sign_in_and_pay(shop: Shop, shopper: Account) -> None:
    with a_jump(shop, -HOURS):
        who = sign_in(shop, shopper)
        order = shop.order(who)
        payment = shop.prompted(who, order)
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
        assert shop.order_now(who, order)["status"] == "paid"


@pytest.mark.parametrize(
    "written", [20261231235960, "20261231235960", "2026-12-31T23:59:60Z", "31-12-2026 23:59:60"]
)
def test_a9_a_leap_second_in_a_callback_is_no_obstacle(
    shop: Shop, shopper: Account, written: object
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id)
    items = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    next(item for item in items if item["Name"] == "TransactionDate")["Value"] = written
    shop.callback(body, token=payment.callback_token)
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_a9_a_clock_that_stands_still_for_a_leap_second_keeps_the_order_of_things(
    shop: Shop, shopper: Account
) -> None:
    with time_machine.travel(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), tick=False):
        who = sign_in(shop, shopper)
        orders = [shop.order(who) for _ in range(5)]
        payments = [shop.prompted(who, order) for order in orders]
        assert len({payment.public_ref for payment in payments}) == 5
        for number, payment in enumerate(payments):
            body = paid(payment.checkout_request_id, receipt=f"UKL4LEAP0{number}")
            shop.callback(body, token=payment.callback_token)
        assert {shop.order_now(who, order)["status"] for order in orders} == {"paid"}
        told = [entry.event for entry in shop.timeline(payments[0])]
    assert told == ["created", "push_accepted", "payment_confirmed"]
