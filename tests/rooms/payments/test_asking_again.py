"""A prompt that certainly was never seen comes once more by itself, and no more than once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pytest

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import ProviderRefused
from app.extensions import db
from app.orders.models import Order
from app.payments import repeating
from app.payments import service as payments
from app.payments.models import Payment
from app.payments.signals import repeat_wanted
from app.payments.view import order_state
from tests.support.app import PHONE, Account, Shop, later, together
from tests.support.claims import Claims
from tests.support.daraja import FakeDaraja, paid, refuse, unpaid


def begin(shop: Shop, who: Account, order: dict[str, Any], *, by_page: bool = True) -> Payment:
    """Ask for an order's money as a page of ours does."""
    with shop.app.app_context():
        person = db.session.get_one(Person, who.id)
        # A refused push is told to the page, and its attempt is there all the same.
        with suppress(ProviderRefused):
            payments.initiate(
                person=person, order_ref=order["id"], phone=PHONE, may_ask_again=by_page
            )
    return shop.payment(order)


def locked(shop: Shop, payment: Payment, code: str = "1001") -> None:
    """Let Daraja say that another menu was open, or another end."""
    body = unpaid(payment.checkout_request_id, code)
    shop.callback(body, token=payment.callback_token)


def state(shop: Shop, order: dict[str, Any]) -> dict[str, Any]:
    with shop.app.app_context():
        return order_state(db.session.get_one(Order, order["number"]))


def events(shop: Shop, payment: Payment) -> list[str]:
    return [entry.event for entry in shop.timeline(payment)]


@pytest.fixture
def planned(shop: Shop, shopper: Account) -> tuple[dict[str, Any], Payment]:
    """An order whose prompt met another open menu."""
    order = shop.order(shopper)
    payment = begin(shop, shopper, order)
    locked(shop, payment)
    return order, shop.fresh(payment)


def test_a_locked_phone_is_asked_once_more_and_then_no_more(
    shop: Shop, planned: tuple[dict[str, Any], Payment], daraja: FakeDaraja
) -> None:
    order, first = planned
    shop.sweep()
    assert len(daraja.pushes) == 1, "half a minute is left to close the menu"
    with later(31):
        shop.sweep()
        assert len(daraja.pushes) == 2
        second = shop.payment(order)
        assert (second.status, second.phone) == ("pending", first.phone)
        locked(shop, second)
    with later(120):
        shop.sweep()
    assert len(daraja.pushes) == 2
    assert events(shop, first)[-2:] == ["ask_again_planned", "asked_again"]
    assert shop.timeline(second)[0].actor == "engine: asked again"


def test_the_page_says_when_it_comes_again(
    shop: Shop, planned: tuple[dict[str, Any], Payment]
) -> None:
    told = state(shop, planned[0])
    assert told["title"] == "Another M-Pesa menu is open on your phone"
    assert 25 <= told["again_seconds"] <= 30
    assert "we send our prompt once more by ourselves" in told["message"]
    assert told["again_at"]
    assert told["can_pay"], "another phone may be used at once"


@pytest.mark.parametrize(
    ("code", "comes"), [("1025", True), ("1032", False), ("1037", False), ("9999", False)]
)
def test_only_what_was_certainly_never_seen_comes_again(
    shop: Shop, shopper: Account, daraja: FakeDaraja, code: str, comes: bool
) -> None:
    order = shop.order(shopper)
    locked(shop, begin(shop, shopper, order), code)
    assert (shop.payment(order).ask_again_at is not None) is comes
    with later(31):
        shop.sweep()
    assert len(daraja.pushes) == 1 + comes


def test_a_push_that_is_refused_for_an_open_prompt_comes_again_too(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = refuse("Unable to lock subscriber, a transaction is already in process")
    order = shop.order(shopper)
    begin(shop, shopper, order)
    daraja.push_answer = daraja.accept
    assert state(shop, order)["again_seconds"]
    with later(31):
        shop.sweep()
    assert shop.payment(order).status == "pending"


def test_an_open_prompt_that_may_be_our_own_and_paid_is_not_followed_by_another(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    # Told as timed out, which a slow payer may overtake: it can be what holds the phone.
    locked(shop, begin(shop, shopper, order), "1037")
    daraja.push_answer = refuse("Unable to lock subscriber, a transaction is already in process")
    begin(shop, shopper, order)
    daraja.push_answer = daraja.accept
    assert state(shop, order)["again_at"] is None
    with later(31):
        shop.sweep()
    assert len(daraja.pushes) == 2
    assert "othing was paid" not in state(shop, order)["message"]


def test_programs_are_never_surprised_by_a_second_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    locked(shop, begin(shop, shopper, order, by_page=False))
    with later(31):
        shop.sweep()
    assert len(daraja.pushes) == 1


def test_the_setting_turns_it_off(shop: Shop, shopper: Account) -> None:
    shop.set(ask_again_seconds=0)
    order = shop.order(shopper)
    locked(shop, begin(shop, shopper, order))
    assert shop.payment(order).ask_again_at is None


@contextmanager
def _stopped(shop: Shop, order: dict[str, Any], how: str, who: Account) -> Iterator[None]:
    with shop.app.app_context():
        found = db.session.get_one(Order, order["number"])
        if how == "stopped":
            assert payments.stop_asking_again(found)
            assert not payments.stop_asking_again(found), "there is nothing left to stop"
        elif how == "cancelled":
            payments.cancel_order(found.uuid, db.session.get_one(Person, who.id))
    if how == "another attempt":
        locked(shop, begin(shop, who, order, by_page=False), "1032")
    elif how == "paid":
        payment = shop.payment(order)
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    yield


@pytest.mark.parametrize("how", ["stopped", "cancelled", "another attempt", "paid"])
def test_it_does_not_come_where_the_shopper_has_done_something_else(
    shop: Shop,
    shopper: Account,
    planned: tuple[dict[str, Any], Payment],
    daraja: FakeDaraja,
    how: str,
) -> None:
    order, first = planned
    with _stopped(shop, order, how, shopper):
        sent = len(daraja.pushes)
        assert state(shop, order)["again_at"] is None
        with later(31):
            shop.sweep()
    assert len(daraja.pushes) == sent
    assert shop.fresh(first).ask_again_at is None
    expected = "ask_again_stopped" if how == "stopped" else "ask_again_dropped"
    assert expected in events(shop, first)


@pytest.mark.parametrize("when", ["planned", "live"])
def test_no_phone_rings_again_while_a_code_for_the_order_is_looked_at(
    shop: Shop, shopper: Account, daraja: FakeDaraja, when: str
) -> None:
    order = shop.order(shopper)
    payment = begin(shop, shopper, order)
    claims = Claims(shop)
    if when == "live":
        claims.claimed(shopper, order)
        locked(shop, payment)
    else:
        locked(shop, payment)
        claims.claimed(shopper, order)
    assert state(shop, order)["again_at"] is None
    with later(31):
        shop.sweep()
    assert len(daraja.pushes) == 1


def test_ten_wakers_send_one_prompt(
    shop: Shop, planned: tuple[dict[str, Any], Payment], daraja: FakeDaraja
) -> None:
    def wake(_: int) -> str:
        with shop.app.app_context():
            return repeating.ask_again(planned[1].id)

    with later(31):
        assert sorted(together(10, wake))[:9] == ["not due"] * 9
    assert len(daraja.pushes) == 2


def test_after_a_death_between_plan_and_prompt_nothing_comes_by_itself(
    shop: Shop,
    planned: tuple[dict[str, Any], Payment],
    daraja: FakeDaraja,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as power, later(31), shop.app.app_context():
        power.setattr(repeating, "start", die)
        with pytest.raises(SystemExit):
            repeating.ask_again(planned[1].id)
    with later(40):
        shop.sweep()
    assert len(daraja.pushes) == 1
    assert state(shop, planned[0])["can_pay"]


def test_a_shop_that_was_down_for_long_rings_no_phone(
    shop: Shop, planned: tuple[dict[str, Any], Payment], daraja: FakeDaraja
) -> None:
    with later(600):
        assert state(shop, planned[0])["again_at"] is None
        shop.sweep()
    assert len(daraja.pushes) == 1
    assert events(shop, planned[1])[-1] == "ask_again_dropped"


def test_a_phone_that_another_order_has_taken_is_left_alone(
    shop: Shop, shopper: Account, planned: tuple[dict[str, Any], Payment], daraja: FakeDaraja
) -> None:
    shop.pay(shopper, shop.order(shopper), phone_number=PHONE)
    with later(31):
        shop.sweep()
    assert len(daraja.pushes) == 2
    assert events(shop, planned[1])[-1] == "ask_again_refused"


def test_the_queue_is_told_the_moment(shop: Shop, shopper: Account) -> None:
    heard: list[tuple[int, datetime]] = []

    def hear(_: object, *, payment_id: int, at: datetime) -> None:
        heard.append((payment_id, at))

    order = shop.order(shopper)
    with repeat_wanted.connected_to(hear):
        locked(shop, begin(shop, shopper, order))
    [(payment_id, at)] = heard
    assert payment_id == shop.payment(order).id
    assert 25 <= (at - now()).total_seconds() <= 30
