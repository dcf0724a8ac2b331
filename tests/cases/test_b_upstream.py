"""B: a Daraja that answers badly, late or not at all, and what the shopper is told meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine

from app.core.clock import now
from app.payments import engine, provider
from app.payments.schedule import MAX_CHECKS, MINIMUM_PAUSE_SECONDS
from app.payments.signals import check_wanted
from tests.cases.books import steps_offered
from tests.cases.people import browser, cancel_order, press_pay, sign_in
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later, together
from tests.support.daraja import (
    Answer,
    FakeDaraja,
    Script,
    ended,
    html,
    paid,
    reset,
    still_processing,
    text,
)

#: A prompt's end is known, or a person is asked, after so long and one round of the engine.
KNOWN_WITHIN_SECONDS = 120 + 60


class CutShort(bytes):
    """A body that promises more bytes than come before the connection ends."""

    def __len__(self) -> int:
        return super().__len__() + 50


def accepted_and_cut(kind: Callable[[bytes], bytes]) -> Callable[[FakeDaraja], Script]:
    """Queue the prompt, and let only the first half of the answer through."""

    def for_daraja(daraja: FakeDaraja) -> Script:
        def script(push: dict[str, Any]) -> Answer:
            whole = daraja.accept(push).body
            return Answer(body=kind(whole[: len(whole) // 2]))

        return script

    return for_daraja


#: Daraja has taken the prompt each time; only what it says about it does not arrive.
LOST_ANSWERS: dict[str, Callable[[FakeDaraja], Script]] = {
    "500 html": lambda _: html(500),
    "502 html": lambda _: html(502),
    "504 html": lambda _: html(504),
    "connection reset": lambda _: reset,
    "broken json": lambda _: text(b'{"MerchantRequestID": oops'),
    "empty 200": lambda _: text(b""),
    "truncated json": accepted_and_cut(bytes),
    "connection cut": accepted_and_cut(CutShort),
}
each_lost_answer = pytest.mark.parametrize("lost", LOST_ANSWERS.values(), ids=LOST_ANSWERS)


@each_lost_answer
def test_b2_an_answer_that_is_lost_is_told_as_checking_and_the_money_is_found(
    shop: Shop, shopper: Account, daraja: FakeDaraja, lost: Callable[[FakeDaraja], Script]
) -> None:
    daraja.push_answer = lost(daraja)
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    data = answer.get_json()["data"]
    assert (answer.status_code, data["status"]) == (202, "pending")
    assert (data["checkout_request_id"], data["merchant_request_id"]) == (None, None)
    assert data["title"] == "We are checking with M-Pesa"
    told = shop.status(shopper, order)
    assert (told["status"], told["live"], told["can_retry"]) == ("pending", True, False)

    assert shop.pay(shopper, order).status_code == 202
    assert press_pay(shop, shopper, order).status_code == 202
    assert cancel_order(shop, shopper, order).status_code == 409
    with later(70):
        shop.sweep()
        assert shop.pay(shopper, order).status_code == 202
    assert len(daraja.pushes) == 1, "nobody is prompted twice"

    payment = shop.payment(order)
    body = paid("ws_CO_of_the_lost_answer")
    shop.callback(body, token=payment.callback_token)
    assert shop.fresh(payment).mpesa_receipt == "UKL4XX00XX"
    assert shop.order_now(shopper, order)["status"] == "paid"


@each_lost_answer
def test_b2_a_lost_answer_without_any_callback_expires_and_stands_before_a_person(
    shop: Shop, shopper: Account, daraja: FakeDaraja, lost: Callable[[FakeDaraja], Script]
) -> None:
    daraja.push_answer = lost(daraja)
    order = shop.order(shopper)
    shop.pay(shopper, order)
    payment = shop.payment(order)
    with later(KNOWN_WITHIN_SECONDS):
        shop.sweep()
        assert shop.fresh(payment).status == "expired"
        assert steps_offered(shop) == {"no_answer": ["acknowledge"]}
        told = shop.status(shopper, order)
        assert (told["reason"], told["can_retry"]) == ("no_answer", True)
        assert "keep the M-Pesa message" in told["message"]
    assert len(daraja.pushes) == 1


def test_b2_the_page_says_checking_and_offers_no_second_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = reset
    order = shop.order(shopper)
    assert press_pay(shop, shopper, order).status_code == 202
    page = browser(shop, shopper).get(f"/orders/{order['id']}").text
    assert "We are checking with M-Pesa" in page
    assert f"/orders/{order['id']}/pay" not in page


def end_the_breakers_pause(shop: Shop) -> None:
    """Let Daraja be asked again: a circuit breaker goes by a clock that no test moves."""
    shop.app.extensions["lipa_daraja"][0].close()
    provider.prepare(shop.app)


@pytest.mark.parametrize(
    "script",
    [still_processing, html(500)],
    ids=["pending", "500"],
)
def test_b6_a_query_that_never_ends_backs_off_and_leaves_the_payment_to_a_person(
    shop: Shop, shopper: Account, daraja: FakeDaraja, script: Script
) -> None:
    daraja.query_answer = script
    product = shop.product(stock=1)
    order = shop.order(shopper, product)
    payment = shop.prompted(shopper, order)
    began, pauses = now(), []
    with time_machine.travel(began, tick=True) as clock:
        while (due := (asked := shop.fresh(payment)).next_check_at) is not None:
            if asked.last_asked_at is not None:
                pauses.append(round((due - asked.last_asked_at).total_seconds()))
            clock.move_to(due + timedelta(seconds=1))
            end_the_breakers_pause(shop)
            shop.sweep()
            assert shop.fresh(payment).status == "pending", "money may have moved"
            in_time = now() - began < timedelta(seconds=KNOWN_WITHIN_SECONDS)
            assert in_time or shop.asked_about() == [payment.id]
            assert len(pauses) <= MAX_CHECKS
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (15, 3600)
        assert shop.fresh(payment).checks == len(daraja.queries) == MAX_CHECKS

        who = sign_in(shop, shopper)
        assert shop.pay(who, order).status_code == 200, "the same attempt"
        assert len(daraja.pushes) == 1
        assert (shop.order_now(who, order)["status"], shop.stock(product)) == ("pending", 0)

        daraja.query_answer = ended("0")
        clock.shift(MINIMUM_PAUSE_SECONDS)
        end_the_breakers_pause(shop)
        browser(shop, who).post(f"/orders/{order['id']}/check")
        shop.sweep()
        assert shop.order_now(who, order)["status"] == "paid"


@contextmanager
def asking_in_threads(shop: Shop) -> Iterator[None]:
    """Do what the workers do: whatever is woken and due is asked about in a thread of its own."""
    asked: list[Future[str]] = []

    def ask(payment_id: int) -> str:
        with shop.app.app_context():
            return engine.ask(payment_id)

    with ThreadPoolExecutor(4) as workers:

        def wake(_sender: object, *, payment_id: int, at: datetime) -> None:
            if at <= now():
                asked.append(workers.submit(ask, payment_id))

        with check_wanted.connected_to(wake):
            yield
    for future in asked:
        future.result()


def poll(shop: Shop, who: Account, order: dict[str, Any]) -> None:
    """Look in each way that a page or a program has, five looks in all."""
    for _ in range(3):
        assert shop.status(who, order)["status"] == "pending"
    assert shop.order_now(who, order)["payment_status"] == "pending"
    path = f"/api/payments/verify/{order['id']}"
    verified = shop.client().get(path, headers=who.headers).get_json()["data"]
    assert verified["payment_status"] == "pending"


def test_b7_a_thousand_polls_cause_one_question_in_ten_seconds_at_most(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    shop.set(rate_limit_status="10000/minute")
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    asked_at: list[datetime] = []

    def note_the_time(query: dict[str, Any]) -> Answer:
        asked_at.append(now())
        return still_processing(query)

    def look_five_times_five(_: int) -> None:
        checked = browser(shop, shopper).post(f"/orders/{order['id']}/check")
        assert checked.status_code == 303
        for _ in range(5):
            poll(shop, shopper, order)

    daraja.query_answer = note_the_time
    with time_machine.travel(now(), tick=True) as clock, asking_in_threads(shop):
        for seconds in (16, 3, 3, 14, 4):
            clock.shift(seconds)
            together(8, look_five_times_five)
    assert len(asked_at) >= 2, "whoever looks wakes a question that is due"
    between = [(after - before).total_seconds() for before, after in pairwise(asked_at)]
    assert min(between) > 9, "ten, but for the time that a question is on its way"


def test_b7_a_poll_is_answered_while_daraja_keeps_a_question_waiting(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    shop.set(mpesa_timeout_seconds=30)
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    asked, release = threading.Event(), threading.Event()

    def hold(query: dict[str, Any]) -> Answer:
        asked.set()
        release.wait(20)
        return still_processing(query)

    daraja.query_answer = hold
    with later(20), asking_in_threads(shop):
        shop.status(shopper, order)
        assert asked.wait(10)
        took = []
        for _ in range(10):
            began = time.monotonic()
            poll(shop, shopper, order)
            took.append(time.monotonic() - began)
        release.set()
    assert max(took) < 3, "five looks, and Daraja took longer than all of them"
    assert len(daraja.queries) == 1


@pytest.mark.parametrize("status", [500, 502])
def test_b7_a_question_that_a_gateway_turns_away_is_not_sent_again_at_once(
    shop: Shop, shopper: Account, daraja: FakeDaraja, status: int
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = html(status)
    with later(20):
        shop.ask(payment)
        poll(shop, shopper, order)
        shop.sweep()
    assert len(daraja.queries) == 1, "one in ten seconds, whatever came of it"


@pytest.mark.parametrize("proof", ["both", "token", "origin"])
def test_b8_money_that_comes_after_a_query_said_1037_wins(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proof: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended("1037", "DS timeout user cannot be reached")
    with later(20):
        shop.sweep()
    assert shop.fresh(payment).status == "expired"
    assert shop.status(shopper, order)["reason"] == "timeout"

    daraja.query_answer = ended("0")
    with later(40):
        shop.callback(
            paid(payment.checkout_request_id),
            token=None if proof == "origin" else payment.callback_token,
            peer=STRANGER if proof == "token" else SAFARICOM,
        )
        shop.sweep()
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert shop.timeline(payment)[-1].event == "late_confirmation"
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert shop.status(shopper, order)["status"] == "completed"
