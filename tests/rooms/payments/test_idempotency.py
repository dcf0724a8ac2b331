"""Idempotency-Key at the door: one key, one prompt, one answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.core.idempotency import LEASE_SECONDS, IdempotencyKey
from app.extensions import db
from app.mpesa.messages import StkPush
from app.mpesa.service import MpesaService
from tests.services.launch import free_port
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html, paid, refuse, unpaid

INITIATE = "/api/payments/mpesa/initiate"


class Killed(BaseException):
    """The process ends here: no handler runs and no answer is sent."""


def pay(
    shop: Shop, who: Account, order: dict[str, Any], key: str = "first", **more: Any
) -> TestResponse:
    body = {"order_id": order["id"], "phone_number": shop.number_for(order["id"])} | more
    headers = who.headers | {"Idempotency-Key": key}
    return shop.client().post(INITIATE, json=body, headers=headers)


def is_replayed(answer: TestResponse) -> bool:
    assert answer.headers.get("Idempotency-Replayed") in (None, "true")
    return "Idempotency-Replayed" in answer.headers


def rows(shop: Shop) -> list[IdempotencyKey]:
    with shop.app.app_context():
        return list(db.session.scalars(select(IdempotencyKey).order_by(IdempotencyKey.id)))


def headers_of(answer: TestResponse) -> dict[str, str]:
    """Every header but those that name this one exchange."""
    own = {"X-Request-ID", "Idempotency-Replayed", "Date"}
    return {name: value for name, value in answer.headers.items() if name not in own}


def test_d2_a_repetition_is_answered_byte_for_byte_and_sends_nothing(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    first, second = pay(shop, shopper, order), pay(shop, shopper, order)
    assert (first.status_code, second.status_code) == (200, 200)
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert second.data == first.data
    assert headers_of(second) == headers_of(first)
    assert len(daraja.pushes) == 1


def test_d2_the_answer_stays_the_first_one_whatever_became_of_the_payment(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    first = pay(shop, shopper, order)
    payment = shop.payment(order)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"
    assert pay(shop, shopper, order).data == first.data
    assert pay(shop, shopper, order, "second").get_json()["code"] == "ORDER_ALREADY_PAID"
    assert len(daraja.pushes) == 1


def test_d2_another_body_is_a_mismatch_and_does_nothing(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order, other = shop.order(shopper), shop.order(shopper)
    first = pay(shop, shopper, order)
    for answer in (
        pay(shop, shopper, other),
        pay(shop, shopper, order, phone_number="0711111111"),
        pay(shop, shopper, order, amount=1500),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
        assert not is_replayed(answer)
        assert first.get_json()["data"]["transaction_id"] not in answer.text
    assert shop.payments(other) == []
    assert len(daraja.pushes) == 1


def test_d2_a_request_that_is_still_running_is_409(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order, arrived, answered = shop.order(shopper), threading.Event(), []
    daraja.on_push = lambda _: arrived.set()
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.5)
    first = threading.Thread(target=lambda: answered.append(pay(shop, shopper, order)))
    first.start()
    assert arrived.wait(5)
    early = pay(shop, shopper, order)
    first.join(10)
    assert (early.status_code, early.get_json()["code"]) == (409, "CONFLICT")
    assert early.headers["Retry-After"] == "1"
    late = pay(shop, shopper, order)
    assert (late.status_code, late.data) == (200, answered[0].data)
    assert is_replayed(late)
    assert len(daraja.pushes) == 1


def test_d2_another_persons_same_key_is_unrelated_and_reveals_nothing(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    first = pay(shop, shopper, order)
    probe = pay(shop, other_shopper, order)
    assert (probe.status_code, probe.get_json()["code"]) == (404, "NOT_FOUND")
    own = pay(shop, other_shopper, shop.order(other_shopper), "another")
    assert own.status_code == 200
    for answer in (probe, own):
        assert not is_replayed(answer)
        assert first.get_json()["data"]["transaction_id"] not in answer.text
    assert len(daraja.pushes) == 2


def test_d2_eight_first_requests_at_once_send_one_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.2)
    order = shop.order(shopper)
    answers = together(8, lambda _: pay(shop, shopper, order))
    good = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len([answer for answer in good if not is_replayed(answer)]) == 1
    assert len({answer.data for answer in good}) == 1
    assert len(daraja.pushes) == 1
    assert len(shop.payments(order)) == 1


def killed_after_the_push(
    shop: Shop, who: Account, order: dict[str, Any], patch: pytest.MonkeyPatch
) -> None:
    """Send the prompt, and end before Daraja's answer is read."""
    push = MpesaService.push

    def push_and_die(service: MpesaService, prompt: StkPush) -> None:
        push(service, prompt)
        raise Killed

    with patch.context() as within:
        within.setattr(MpesaService, "push", push_and_die)
        with pytest.raises(Killed):
            pay(shop, who, order)


def test_d2_a_killed_request_is_taken_over_after_its_lease_without_a_second_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shopper)
    killed_after_the_push(shop, shopper, order, monkeypatch)
    payment = shop.payment(order)
    assert rows(shop)[0].subject == f"payment:{payment.id}"
    assert pay(shop, shopper, order).status_code == 409
    with later(LEASE_SECONDS + 1):
        answer = pay(shop, shopper, order)
        assert answer.status_code in (200, 202)
        assert answer.get_json()["data"]["transaction_id"] == payment.public_ref
        assert pay(shop, shopper, order).data == answer.data
    assert len(daraja.pushes) == 1


def test_d2_a_takeover_gives_the_bound_attempt_back_though_it_has_ended(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order has no live prompt by then: only the key knows that it has had its own."""
    order = shop.order(shopper)
    killed_after_the_push(shop, shopper, order, monkeypatch)
    payment = shop.payment(order)
    shop.callback(unpaid("ws_CO_21112026010203254712345678"), token=payment.callback_token)
    assert shop.fresh(payment).status == "cancelled"
    with later(LEASE_SECONDS + 1):
        answer = pay(shop, shopper, order)
    assert answer.get_json()["data"]["transaction_id"] == payment.public_ref
    assert answer.get_json()["data"]["status"] == "failed"
    assert len(daraja.pushes) == 1


def test_d2_after_an_accident_a_repetition_gives_the_same_attempt_back(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shopper)
    with monkeypatch.context() as patch:
        patch.setattr("app.dialects.shop.CUSTOMER_MESSAGE", object())
        assert pay(shop, shopper, order).status_code == 500
    payment = shop.payment(order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    answer = pay(shop, shopper, order)
    assert answer.status_code == 200
    assert not is_replayed(answer)
    assert answer.get_json()["data"]["transaction_id"] == payment.public_ref
    assert len(daraja.pushes) == 1


def test_d2_a_daraja_that_could_not_be_reached_spends_no_key(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    assert pay(shop, shopper, order).status_code == 503
    assert rows(shop) == []
    shop.restore_settings()
    answer = pay(shop, shopper, order)
    assert answer.status_code == 200
    assert not is_replayed(answer)
    assert len(daraja.pushes) == 1


def test_d2_who_is_turned_away_at_the_door_spends_no_key(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    stranger = Account(0, "", "not-a-token", "")
    assert pay(shop, stranger, order).status_code == 401
    shop.set(rate_limit_initiate="1/minute")
    assert pay(shop, shopper, order, "another").status_code == 200
    assert pay(shop, shopper, order).status_code == 429
    assert [row.key for row in rows(shop)] == ["another"]
    with later(61):
        assert not is_replayed(pay(shop, shopper, order))


def test_d2_a_refusal_is_kept(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    order = shop.order(shopper)
    daraja.push_answer = refuse("Unable to lock subscriber")
    first = pay(shop, shopper, order)
    daraja.push_answer = daraja.accept
    again = pay(shop, shopper, order)
    assert (first.status_code, again.status_code) == (502, 502)
    assert (again.data, is_replayed(again)) == (first.data, True)
    wrong = [pay(shop, shopper, order, "wrong", phone_number="0712") for _ in range(2)]
    assert [answer.status_code for answer in wrong] == [400, 400]
    assert wrong[0].data == wrong[1].data
    assert wrong[0].get_json()["message"].startswith("Invalid Phone Number")
    assert [is_replayed(answer) for answer in wrong] == [False, True]
    assert pay(shop, shopper, order, "second").status_code == 200


def test_d2_a_push_of_unknown_fate_is_kept_as_202(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    daraja.push_answer = html(502)
    answers = [pay(shop, shopper, order) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].data == answers[1].data
    assert len(daraja.pushes) == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x00b", "a\tb", "a\x7f", "malipo-é"])
def test_d2_a_key_that_cannot_be_one_is_refused_by_name(
    shop: Shop, shopper: Account, daraja: FakeDaraja, key: str
) -> None:
    answer = pay(shop, shopper, shop.order(shopper), key)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "VALIDATION_ERROR")
    assert "Idempotency-Key" in answer.get_json()["message"]
    assert daraja.pushes == []
    assert rows(shop) == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "0c5f5b9e-93b2-4e6a", '"quoted, and spaced"'])
def test_d2_any_printable_key_of_up_to_255_characters_will_do(
    shop: Shop, shopper: Account, key: str
) -> None:
    order = shop.order(shopper)
    assert pay(shop, shopper, order, key).status_code == 200
    assert is_replayed(pay(shop, shopper, order, key))


def test_d2_a_request_without_a_json_body_is_a_request_too(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    headers = shopper.headers | {"Idempotency-Key": "first"}
    answers = [shop.client().post(INITIATE, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [415, 415]
    assert is_replayed(answers[1])
    assert pay(shop, shopper, order).status_code == 422


def test_d2_what_is_kept_holds_no_secret(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    pay(shop, shopper, order)
    (row,) = rows(shop)
    kept = row.body.decode() + str(row.headers)
    for secret in (shop.payment(order).callback_token, shopper.access, shopper.refresh):
        assert secret not in kept
    assert set(row.headers) == {"Content-Type"}
    assert row.caller == f"person:{shopper.id}"
