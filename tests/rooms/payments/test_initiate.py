"""Starting a payment: one prompt, one attempt, and the truth about what Daraja said."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.mpesa.messages import PushAccepted
from app.payments.initiate import record_answer
from app.payments.models import Payment
from tests.services.launch import free_port
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, html, paid, refuse, reset, text


def test_an_accepted_push_is_told_in_the_documented_envelope(shop: Shop, shopper: Account) -> None:
    """S4-27, S4-29 to S4-32."""
    answer = shop.pay(shopper, shop.order(shopper))
    body = answer.get_json()
    assert answer.status_code == 200
    assert body["success"] is True
    assert body["message"] == "STK Push sent successfully"
    assert body["data"]["checkout_request_id"].startswith("ws_CO_")
    assert body["data"]["merchant_request_id"]
    assert body["data"]["customer_message"] == "Please check your phone and enter your M-Pesa PIN"
    assert body["data"]["status"] == "pending"


def test_the_attempt_is_committed_before_daraja_hears_of_it(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order, seen = shop.order(shopper), []

    def look(push: dict[str, Any]) -> None:
        payment = shop.payment(order)
        token = push["CallBackURL"].partition("token=")[2]
        seen.append((payment.status, payment.callback_token == token, payment.public_ref))

    daraja.on_push = look
    shop.pay(shopper, order)
    [(status, same_token, reference)] = seen
    assert status == "created"
    assert same_token
    assert re.fullmatch(r"TXN\d{14}[A-Z0-9]{3}", reference), "S0-12"


def test_the_push_carries_the_order_and_never_the_callers_own_words(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper, shop.product(price=250), quantity=3)
    shop.pay(shopper, order)
    [push] = daraja.pushes
    assert push["Amount"] == 750
    assert push["AccountReference"] == order["reference"]
    assert push["PartyA"] == push["PhoneNumber"] == "254712345678"
    assert push["CallBackURL"].startswith("http://shop.test/api/payments/mpesa/callback?token=")
    assert len(push["TransactionDesc"]) <= 13, "S3-32, C-42"


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ("Wrong credentials", 502, "PROVIDER_REFUSED"),
        ("Merchant does not exist", 502, "PROVIDER_REFUSED"),
        ("Unable to lock subscriber, a transaction is already in process", 502, "PROVIDER_REFUSED"),
    ],
)
def test_a_refused_push_ends_the_attempt_and_says_so(
    shop: Shop, shopper: Account, daraja: FakeDaraja, message: str, status: int, code: str
) -> None:
    daraja.push_answer = refuse(message)
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    payment = shop.payment(order)
    assert payment.status == "failed"
    assert [entry.event for entry in shop.timeline(payment)] == ["created", "push_refused"]
    assert payment.next_check_at is None, "nothing is left to ask about"


def test_a_throttled_push_may_be_tried_again_soon(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = refuse("Error Occurred: Spike Arrest Violation", "500.003.02")
    answer = shop.pay(shopper, shop.order(shopper))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_daraja_that_is_not_there_is_503_with_retry_after(shop: Shop, shopper: Account) -> None:
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "PROVIDER_UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) > 0
    assert shop.payment(order).status == "failed", "it is known that nothing was sent"


@pytest.mark.parametrize(
    "script",
    [html(502), html(500), reset, text(b"{not json"), text(b""), refuse("Internal Server Error")],
    ids=["html 502", "html 500", "reset", "broken json", "empty", "catch-all 500"],
)
def test_an_unanswered_push_is_202_with_null_ids_and_stays_pending(
    shop: Shop, shopper: Account, daraja: FakeDaraja, script: Any
) -> None:
    daraja.push_answer = script
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    data = answer.get_json()["data"]
    assert answer.status_code == 202
    assert data["status"] == "pending"
    assert data["checkout_request_id"] is None
    assert data["merchant_request_id"] is None
    assert shop.payment(order).status == "unconfirmed"


def test_a_push_that_takes_too_long_is_unanswered_and_not_sent_again(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    shop.set(mpesa_timeout_seconds=0.2)
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.5)
    order = shop.order(shopper)
    assert shop.pay(shopper, order).status_code == 202
    assert shop.pay(shopper, order).status_code == 202, "it gives the same attempt back"
    assert len(daraja.pushes) == 1
    assert len(shop.payments(order)) == 1


def test_a_repeated_initiation_gives_the_live_attempt_back(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    first, second = shop.pay(shopper, order), shop.pay(shopper, order)
    assert first.get_json()["data"]["checkout_request_id"]
    for name in ("checkout_request_id", "merchant_request_id", "transaction_id"):
        assert first.get_json()["data"][name] == second.get_json()["data"][name]
    assert len(daraja.pushes) == 1


def test_ten_clicks_at_once_send_one_prompt_and_hear_the_same_attempt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.2)
    order = shop.order(shopper)
    answers = together(10, lambda _: shop.pay(shopper, order))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.get_json()["data"]["checkout_request_id"] for answer in answers}) == 1
    assert len(daraja.pushes) == 1
    assert len(shop.payments(order)) == 1


def test_followers_of_a_refused_push_are_refused_too(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    arrived = threading.Event()

    def refused_slowly(push: dict[str, Any]) -> Any:
        arrived.set()
        threading.Event().wait(0.3)
        return refuse("Wrong credentials")(push)

    daraja.push_answer = refused_slowly
    order = shop.order(shopper)

    def click(number: int) -> int:
        if number:
            arrived.wait(5)
        return shop.pay(shopper, order).status_code

    assert together(3, click) == [502, 502, 502]
    assert len(daraja.pushes) == 1


def test_a_retry_after_a_refusal_is_a_new_attempt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    daraja.push_answer = refuse("Unable to lock subscriber")
    shop.pay(shopper, order)
    daraja.push_answer = daraja.accept
    assert shop.pay(shopper, order).status_code == 200
    assert [payment.status for payment in shop.payments(order)] == ["failed", "pending"]


def test_a_paid_order_cannot_be_paid_again(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    answer = shop.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "ORDER_ALREADY_PAID")
    assert len(daraja.pushes) == 1


def test_a_cancelled_order_cannot_be_paid(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    order = shop.order(shopper)
    shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    answer = shop.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert daraja.pushes == []


def test_an_order_with_a_live_prompt_cannot_be_cancelled(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    shop.prompted(shopper, order)
    answer = shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "PAYMENT_IN_PROGRESS")
    assert shop.order_now(shopper, order)["status"] == "pending"


@pytest.mark.parametrize("amount", [1499, 1, "1501", 150_000])
def test_a_stated_amount_must_be_what_is_owed(
    shop: Shop, shopper: Account, daraja: FakeDaraja, amount: object
) -> None:
    """C-23."""
    answer = shop.pay(shopper, shop.order(shopper), amount=amount)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (400, "AMOUNT_MISMATCH")
    assert body["details"]["expected"] == 1500
    assert daraja.pushes == []


@pytest.mark.parametrize("amount", [1500, "1500", "1500.00"])
def test_the_right_amount_may_be_stated_in_any_whole_form(
    shop: Shop, shopper: Account, amount: object
) -> None:
    assert shop.pay(shopper, shop.order(shopper), amount=amount).status_code == 200


@pytest.mark.parametrize("amount", [1500.5, -1500, "1e3", True, "", [], {}, "1,500", "KES 1500"])
def test_an_amount_that_is_not_whole_shillings_is_refused(
    shop: Shop, shopper: Account, daraja: FakeDaraja, amount: object
) -> None:
    answer = shop.pay(shopper, shop.order(shopper), amount=amount)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_AMOUNT")
    assert daraja.pushes == []


def test_more_than_the_limit_is_refused_before_anything_is_sent(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-40, S4-120."""
    order = shop.order(shopper, shop.product(price=70_001))
    answer = shop.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "AMOUNT_TOO_HIGH")
    assert answer.get_json()["details"]["maximum"] == 70_000
    assert daraja.pushes == []
    assert shop.payments(order) == []


def test_an_order_for_nothing_cannot_be_paid(shop: Shop, shopper: Account) -> None:
    answer = shop.pay(shopper, shop.order(shopper, shop.product(price=0)))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "AMOUNT_TOO_LOW")


@pytest.mark.parametrize("phone", ["", "0712", "not a phone", "+255712345678", "07123456789"])
def test_an_unreadable_phone_is_refused_in_this_documents_words(
    shop: Shop, shopper: Account, daraja: FakeDaraja, phone: str
) -> None:
    """S4-71."""
    answer = shop.pay(shopper, shop.order(shopper), phone_number=phone)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_PHONE")
    assert answer.get_json()["message"].startswith("Invalid Phone Number")
    assert daraja.pushes == []


def test_somebody_elses_order_is_not_found(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    order = shop.order(shopper)
    answer = shop.pay(other_shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")
    assert daraja.pushes == []


def test_without_credentials_nothing_is_sent_and_the_names_are_told(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-59."""
    shop.set(mpesa_environment="sandbox", mpesa_consumer_key=None)
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    assert answer.status_code == 503
    assert "Missing required M-Pesa settings" in answer.get_json()["message"]
    assert daraja.requests == []
    assert shop.payments(order) == []


def test_an_order_may_be_named_by_number_or_uuid(shop: Shop, shopper: Account) -> None:
    """C-11."""
    for name in ("number", "id"):
        order = shop.order(shopper)
        assert shop.pay(shopper, order, order_id=order[name]).status_code == 200
        assert shop.pay(shopper, order, order_id=str(order[name])).status_code == 200


def test_an_answer_that_loses_against_its_own_callback_is_no_accident(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """The callback settles the attempt between the answer's reading and writing of it."""
    shop.written_by_hand = True
    payment = shop.unanswered(shopper)
    outcome: list[object] = []

    def write_the_answer() -> None:
        with shop.app.app_context():
            try:
                outcome.append(record_answer(payment.id, PushAccepted("m-1", "ws_CO_1")).status)
            except Exception as error:
                outcome.append(error)

    with shop.app.app_context():
        row = db.metadata.tables["payments"]
        with db.engine.begin() as connection:
            connection.execute(row.update().values(status="created"))
        with db.engine.begin() as connection:
            connection.execute(row.update().values(status="completed"))
            writer = threading.Thread(target=write_the_answer)
            writer.start()
            threading.Event().wait(0.4)
        writer.join(10)
    assert outcome == ["completed"]


def test_names_never_collide_within_one_second(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S0-12: another name is drawn when the first one is taken."""
    names = iter(["TXN20261121010203AAA", "TXN20261121010203AAA", "TXN20261121010203BBB"])
    monkeypatch.setattr("app.payments.initiate.new_reference", lambda: next(names))
    for _ in range(2):
        assert shop.pay(shopper, shop.order(shopper)).status_code == 200
    with shop.app.app_context():
        taken = set(db.session.scalars(select(Payment.public_ref)))
    assert taken == {"TXN20261121010203AAA", "TXN20261121010203BBB"}
