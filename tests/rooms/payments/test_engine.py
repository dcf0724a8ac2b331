"""The background's share: asking patiently, once, and never guessing."""

from __future__ import annotations

import pytest

from app.core.clock import now
from app.extensions import db
from app.payments import engine
from app.payments.settle import settle
from app.payments.signals import check_wanted, payment_watched
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import (
    FakeDaraja,
    bare,
    ended,
    html,
    paid,
    refuse,
    still_processing,
    text,
    unpaid,
)


def test_ten_threads_ask_daraja_once(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    payment = shop.prompted(shopper)
    with later(20):
        answers = together(10, lambda _: shop.ask(payment))
    assert answers.count("not due") == 9
    assert len(daraja.queries) == 1
    assert shop.fresh(payment).checks == 1


def test_nothing_is_asked_before_it_is_due(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    assert shop.ask(payment) == "not due"
    shop.sweep()
    assert daraja.queries == []


def test_the_pauses_between_questions_grow(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """Within the five questions a minute that the sandbox allows."""
    payment = shop.prompted(shopper)
    pauses, seconds = [], 16.0
    for _ in range(8):
        with later(seconds):
            shop.sweep()
            asked = shop.fresh(payment)
            assert asked.next_check_at is not None
            assert asked.last_asked_at is not None
            pause = (asked.next_check_at - asked.last_asked_at).total_seconds()
        pauses.append(round(pause))
        seconds += pause + 1
    assert len(daraja.queries) == 8
    assert pauses == sorted(pauses)
    assert pauses[0] >= 12
    assert pauses[-1] >= 300


@pytest.mark.parametrize(
    "script",
    [
        still_processing,
        html(502),
        html(403),
        refuse("The transaction is being processed"),
        refuse("The transaction does not Exist"),
        refuse("Bad Request - Invalid CheckoutRequestID", "400.002.02", 400),
        text(b'{"fault": {"faultstring": "Spike arrest violation"}}', 429),
        text(b""),
        text(b"[]"),
    ],
    ids=["4999", "502", "403", "processed", "unknown", "too early", "429", "empty", "array"],
)
def test_an_answer_that_is_not_final_leaves_the_payment_pending(
    shop: Shop, shopper: Account, daraja: FakeDaraja, script: object
) -> None:
    """B6, C-28: an error of a query says nothing about the payment."""
    payment = shop.prompted(shopper)
    daraja.query_answer = script  # type: ignore[assignment]
    for seconds in (20, 60, 600, 7200):
        with later(seconds):
            shop.sweep()
    after = shop.fresh(payment)
    assert after.status == "pending"
    assert after.next_check_at is not None
    assert len(daraja.queries) == 4


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("1032", "cancelled", "cancelled"),
        ("1037", "expired", "timeout"),
        ("1019", "expired", "timeout"),
        ("1", "failed", "insufficient_funds"),
        ("2001", "failed", "wrong_pin"),
        ("8006", "failed", "pin_locked"),
        ("E3008", "failed", "number_refused"),
        ("31415", "failed", "declined"),
    ],
)
def test_a_final_answer_ends_the_attempt_without_any_callback(
    shop: Shop, shopper: Account, daraja: FakeDaraja, code: str, status: str, reason: str
) -> None:
    """S4-68, S4-109 to S4-112."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended(code, "as told")
    with later(20):
        shop.sweep()
    after = shop.fresh(payment)
    assert (after.status, after.reason, after.result_code) == (status, reason, code)
    assert after.next_check_at is None or after.next_check_at > after.prompt_expires_at
    told = shop.status(shopper, order)
    assert (told["status"], told["reason"]) == ("failed", reason), "C-20"
    assert shop.order_now(shopper, order)["status"] == "pending"


def test_a_query_alone_completes_a_payment(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-68, S4-74: polling must be enough without any callback."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    with later(20):
        shop.sweep()
    after = shop.fresh(payment)
    assert (after.status, after.evidence, after.received_cents) == ("completed", "query", 150_000)
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_a_settled_payment_is_not_asked_about(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    with later(3600):
        shop.sweep()
    assert daraja.queries == []


def test_polls_of_shoppers_reach_our_own_database_only(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """B7: however many watch, Daraja is asked by the engine and at its own pace."""
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    for _ in range(24):
        assert shop.status(shopper, order)["status"] == "pending"
    assert daraja.queries == []


def test_a_poll_wakes_a_question_that_is_due(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    payment, woken = shop.prompted(shopper, order), []

    def note(_sender: object, *, payment_id: int, at: object) -> None:
        woken.append(payment_id)

    with check_wanted.connected_to(note):
        shop.status(shopper, order)
        assert woken == []
        with later(20):
            shop.status(shopper, order)
    assert woken == [payment.id]


def test_an_unanswered_push_goes_quiet_only_after_its_prompt_has_long_ended(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = html(502)
    order = shop.order(shopper)
    shop.pay(shopper, order)
    with later(90):
        shop.sweep()
        assert shop.payment(order).status == "unconfirmed"
    with later(130):
        shop.sweep()
        quiet = shop.payment(order)
    assert (quiet.status, quiet.reason) == ("expired", "no_answer")
    assert daraja.queries == [], "there is nothing to ask by"


def test_money_for_an_attempt_that_went_quiet_still_counts(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    payment = shop.unanswered(shopper, order)
    with later(130):
        shop.sweep()
    shop.callback(paid("ws_CO_late"), token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_an_attempt_that_a_dead_process_left_behind_comes_to_an_end(
    shop: Shop, shopper: Account
) -> None:
    """A1: written, and the process ended before the push."""
    shop.written_by_hand = True
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    with shop.app.app_context(), db.engine.begin() as connection:
        table = db.metadata.tables["payments"]
        gone = {"status": "created", "checkout_request_id": None, "merchant_request_id": None}
        connection.execute(table.update().values(**gone, next_check_at=payment.prompt_expires_at))
    with later(200):
        shop.sweep()
        assert shop.fresh(payment).status == "expired"
        assert shop.pay(shopper, order).status_code == 200, "the shopper may try again"


def test_what_stays_open_too_long_is_shown_to_a_person(shop: Shop, shopper: Account) -> None:
    """I5."""
    payment = shop.prompted(shopper)
    with later(125):
        assert payment.id in shop.asked_about()


def test_one_poisoned_row_does_not_keep_the_others_waiting(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, healthy = shop.prompted(shopper), shop.prompted(shopper)
    daraja.query_answer = ended("0")

    def fails_for_one(payment_id: int, outcome: object) -> str:
        if payment_id == poisoned.id:
            raise RuntimeError("poison")
        return settle(payment_id, outcome)  # type: ignore[arg-type]

    with later(20), monkeypatch.context() as patch:
        patch.setattr("app.payments.engine.settle", fails_for_one)
        shop.sweep()
    assert shop.fresh(healthy).status == "completed"
    assert shop.fresh(poisoned).status == "pending"
    again_at = shop.fresh(poisoned).next_check_at
    assert again_at is not None, "it is asked about again"
    assert again_at > now()


def test_an_order_nobody_paid_gives_its_goods_back(shop: Shop, shopper: Account) -> None:
    product = shop.product(stock=5)
    order = shop.order(shopper, product, quantity=3)
    assert shop.stock(product) == 2
    with later(29 * 60):
        shop.sweep()
    assert shop.stock(product) == 2
    with later(31 * 60):
        shop.sweep()
        shop.sweep()
    assert shop.stock(product) == 5
    assert shop.order_now(shopper, order)["status"] == "expired"


def test_goods_are_not_given_away_while_a_prompt_for_them_is_open(
    shop: Shop, shopper: Account
) -> None:
    product = shop.product(stock=1)
    order = shop.order(shopper, product)
    with later(29 * 60 + 50):
        shop.prompted(shopper, order)
        with later(40):
            shop.sweep()
    assert shop.stock(product) == 0
    assert shop.order_now(shopper, order)["status"] == "pending"


def test_b8_a_time_out_that_daraja_told_is_asked_about_again_and_money_wins(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """The payer was slow: "timed out" first, paid all the same, and no callback ever came."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended("1037", "DS timeout")
    with later(70):
        shop.sweep()
        assert shop.fresh(payment).status == "expired"
    daraja.query_answer = ended("0")
    with later(200):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_second_thoughts_about_an_unpaid_end_are_few(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("1032", "Cancelled")
    for seconds in range(30, 40_000, 600):
        with later(seconds):
            shop.sweep()
    assert len(daraja.queries) == 3
    assert shop.fresh(payment).next_check_at is None


def test_late_news_about_an_ended_payment_is_asked_about_until_there_is_an_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id, 1037), token=payment.callback_token)
    shop.callback(bare(payment.checkout_request_id), token=payment.callback_token)
    daraja.query_answer = html(403)
    shop.sweep()
    assert shop.fresh(payment).status == "expired"
    daraja.query_answer = ended("0")
    with later(40):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"


def test_a_failure_does_not_take_back_a_question_that_other_news_called_for(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("0")
    shop.callback(bare(payment.checkout_request_id), token=payment.callback_token)
    shop.callback(unpaid(payment.checkout_request_id, 1037), token=payment.callback_token)
    shop.sweep()
    assert shop.fresh(payment).status == "completed"


def test_c21_while_somebody_watches_daraja_is_asked_every_ten_seconds_and_no_more(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)

    def look(_sender: object, *, payment_id: int) -> None:
        engine.look(payment_id)

    with payment_watched.connected_to(look):
        for second in range(0, 60, 5):
            with later(second):
                shop.sweep()
                for _ in range(3):
                    shop.status(shopper, order)
    assert len(daraja.queries) == 5, "at 15, 25, 35, 45 and 55 seconds"
    assert shop.fresh(payment).checks <= 3, "watchers do not use up the engine's patience"
