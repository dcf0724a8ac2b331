"""A phone bears one prompt at a time, whichever order it is for."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.payments.models import PhonePrompt
from tests.support.app import PHONE, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html, paid, refuse, still_processing, unpaid


def asks(shop: Shop, who: Account, order: dict[str, Any]) -> TestResponse:
    """Ask for an order's money on the one phone."""
    return shop.pay(who, order, phone_number=PHONE)


def busy_phones(shop: Shop) -> list[str]:
    with shop.app.app_context():
        return list(db.session.scalars(select(PhonePrompt.phone)))


def test_a_second_order_is_refused_and_leaves_no_attempt(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    asks(shop, shopper, shop.order(shopper))
    second = shop.order(other_shopper)
    answer = asks(shop, other_shopper, second)
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (409, "PAYMENT_IN_PROGRESS")
    assert told["details"]["reason"] == "phone_busy"
    assert 0 < told["details"]["retry_after_seconds"] <= 60
    assert int(answer.headers["Retry-After"]) == told["details"]["retry_after_seconds"]
    assert "other_order_url" not in told["details"], "what somebody else buys is nobody's business"
    assert "another phone" in told["message"]
    assert shop.payments(second) == []
    assert len(daraja.pushes) == 1
    assert shop.order_now(other_shopper, second)["status"] == "pending"


def test_whoever_asks_for_two_orders_of_their_own_is_told_the_first(
    shop: Shop, shopper: Account
) -> None:
    first = shop.order(shopper)
    asks(shop, shopper, first)
    told = asks(shop, shopper, shop.order(shopper)).get_json()
    assert told["details"]["other_order_url"] == f"/orders/{first['id']}"


def test_the_same_order_is_given_its_live_attempt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    answers = [asks(shop, shopper, order).get_json()["data"] for _ in range(2)]
    assert answers[0]["checkout_request_id"] == answers[1]["checkout_request_id"]
    assert len(daraja.pushes) == 1


@pytest.mark.parametrize("end", ["paid", "cancelled", "refused"])
def test_a_phone_is_free_as_soon_as_its_prompt_has_ended(
    shop: Shop, shopper: Account, daraja: FakeDaraja, end: str
) -> None:
    order = shop.order(shopper)
    if end == "refused":
        daraja.push_answer = refuse("Wrong credentials")
    asks(shop, shopper, order)
    daraja.push_answer = daraja.accept
    payment = shop.payment(order)
    if end != "refused":
        body = paid if end == "paid" else unpaid
        shop.callback(body(payment.checkout_request_id), token=payment.callback_token)
    assert busy_phones(shop) == []
    assert asks(shop, shopper, shop.order(shopper)).status_code == 200


def test_a_prompt_that_has_left_the_phone_blocks_nobody_though_its_end_is_not_known(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    unknown = shop.order(shopper)
    daraja.push_answer = html(502)
    asks(shop, shopper, unknown)
    daraja.push_answer = daraja.accept
    second = shop.order(shopper)
    with later(50):
        shop.sweep()
        assert asks(shop, shopper, second).status_code == 409, "it may still be on the phone"
    with later(61):
        assert asks(shop, shopper, second).status_code == 200
        assert shop.payment(unknown).status == "unconfirmed"
        first = shop.payment(unknown)
        shop.callback(paid("ws_CO_late"), token=first.callback_token)
        assert shop.fresh(first).status == "completed"
        third = asks(shop, shopper, shop.order(shopper))
        assert third.status_code == 409, "the first one's end does not free what the second holds"


def test_numbers_are_not_kept_for_longer_than_they_are_needed(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.query_answer = still_processing
    shop.prompted(shopper)
    with later(61):
        shop.sweep()
    assert busy_phones(shop) == []


def test_what_was_written_before_the_clock_was_set_back_blocks_nobody(
    shop: Shop, shopper: Account
) -> None:
    with later(700):
        asks(shop, shopper, shop.order(shopper))
    assert asks(shop, shopper, shop.order(shopper)).status_code == 200


def test_of_many_orders_at_once_exactly_one_gets_the_phone(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    placed = [shop.order(shopper) for _ in range(6)]
    codes = together(6, lambda number: asks(shop, shopper, placed[number]).status_code)
    assert sorted(codes) == [200, 409, 409, 409, 409, 409]
    assert len(daraja.pushes) == 1
    assert sum(len(shop.payments(order)) for order in placed) == 1


def test_another_phone_is_another_matter(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    placed = [shop.order(shopper) for _ in range(2)]
    for order, phone in zip(placed, (PHONE, "0722000111"), strict=True):
        assert shop.pay(shopper, order, phone_number=phone).status_code == 200
    assert len(daraja.pushes) == 2
