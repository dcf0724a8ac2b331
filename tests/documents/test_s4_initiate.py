"""The shop guide: starting a payment, promise by promise."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import Environment
from app.payments.states import Status
from tests.documents.s4 import (
    CHECKOUT_ID,
    CUSTOMER_MESSAGE,
    INITIATE,
    PHONE,
    PRICE,
    SELF_APPROVING,
    UUID,
    WIRE_PHONE,
    begun,
    call_back,
    initiate,
    order,
    post,
    queried,
    refused,
)
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, html, json_answer, unpaid


def test_s4_01_s4_03_s4_27_to_s4_32_the_printed_request_has_the_printed_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-01, S4-03, S4-04, S4-27, S4-29, S4-30, S4-31, S4-32, S4-123."""
    wanted = order(shop, shopper)
    assert UUID.fullmatch(wanted["id"])
    answer = initiate(shop, shopper, wanted)
    body = answer.get_json()
    assert answer.status_code == 200
    assert list(body) == ["success", "message", "data"]
    assert body["success"] is True
    assert body["message"] == "STK Push sent successfully"
    data, payment = body["data"], shop.payment(wanted)
    assert data["checkout_request_id"] == payment.checkout_request_id
    assert CHECKOUT_ID.fullmatch(data["checkout_request_id"])
    assert data["merchant_request_id"] == payment.merchant_request_id
    assert data["customer_message"] == CUSTOMER_MESSAGE
    (push,) = daraja.pushes
    assert (push["Amount"], push["PhoneNumber"], push["PartyA"]) == (PRICE, WIRE_PHONE, WIRE_PHONE)


def test_s4_31_ids_are_given_exactly_as_daraja_wrote_them(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-31: C-14."""
    ids = {"MerchantRequestID": "12345-67890-1"}
    ids["CheckoutRequestID"] = "ws_CO_01012024120000000712345678"
    daraja.push_answer = lambda _: json_answer(ids | {"ResponseCode": "0"})
    data = initiate(shop, shopper, order(shop, shopper)).get_json()["data"]
    assert data["merchant_request_id"] == "12345-67890-1"
    assert data["checkout_request_id"] == "ws_CO_01012024120000000712345678"


@pytest.mark.parametrize("path", [INITIATE, f"{INITIATE}/"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "JWT"])
def test_s4_27_s4_28_the_scheme_word_is_bearer_with_a_slash_or_without(
    shop: Shop, shopper: Account, scheme: str, path: str
) -> None:
    """S4-27, S4-28: C-1, C-5."""
    body = {"order_id": order(shop, shopper)["id"], "phone_number": PHONE}
    headers = {"Authorization": f"{scheme} {shopper.access}"}
    assert shop.client().post(path, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made.up.token"}])
def test_s4_28_a_stranger_starts_no_payment(
    shop: Shop, shopper: Account, daraja: FakeDaraja, headers: dict[str, str]
) -> None:
    """S4-28."""
    body = {"order_id": order(shop, shopper)["id"], "phone_number": PHONE}
    answer = shop.client().post(INITIATE, json=body, headers=headers)
    refused(answer, 401, "UNAUTHORIZED")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert daraja.pushes == []


def test_s4_29_an_order_is_named_by_its_uuid_or_its_number_and_must_be_ones_own(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-29: C-11."""
    wanted = order(shop, shopper)
    first = initiate(shop, shopper, wanted).get_json()
    for name in (wanted["number"], str(wanted["number"])):
        again = initiate(shop, shopper, wanted, order_id=name)
        assert (
            again.get_json()["data"]["checkout_request_id"]
            == (first["data"]["checkout_request_id"])
        )
    refused(initiate(shop, other_shopper, wanted), 404, "NOT_FOUND")
    refused(initiate(shop, shopper, wanted, order_id="test-order-id"), 404, "NOT_FOUND")
    assert len(daraja.pushes) == 1


@pytest.mark.parametrize("field", ["order_id", "phone_number"])
@pytest.mark.parametrize("value", [..., None, True, 1.5, [], {}])
def test_s4_29_a_field_that_is_missing_or_no_text_is_named(
    shop: Shop, shopper: Account, field: str, value: object
) -> None:
    """S4-29."""
    answer = initiate(shop, shopper, order(shop, shopper), **{field: value})
    words = "Invalid Phone Number" if field == "phone_number" else ""
    body = refused(answer, 400, "VALIDATION_ERROR", words)
    assert {name.partition(".")[0] for name in body["details"]["fields"]} == {field}


def test_s4_29_a_stated_amount_must_be_what_is_owed(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-29: C-23. The document sends none: the order says what is owed."""
    wanted = order(shop, shopper)
    answer = initiate(shop, shopper, wanted, amount=1)
    assert refused(answer, 400, "AMOUNT_MISMATCH")["details"] == {"expected": PRICE}
    for amount in (10.5, "1e3", -1, True):
        refused(initiate(shop, shopper, wanted, amount=amount), 400, "INVALID_AMOUNT")
    assert daraja.pushes == []
    begun(shop, shopper, wanted, amount="1000.00")


def test_s4_30_keys_that_nobody_asked_for_change_nothing(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S4-30."""
    extra: dict[str, Any] = {"status": "completed", "user_id": other_shopper.id, "price": 1}
    payment = begun(shop, shopper, order(shop, shopper), **extra, callback_url="https://x/")
    assert (payment.person_id, payment.status) == (shopper.id, Status.PENDING)


def test_s4_30_the_body_must_be_a_json_object(shop: Shop, shopper: Account) -> None:
    """S4-30."""
    client, headers = shop.client(), shopper.headers
    refused(client.post(INITIATE, json=[1], headers=headers), 400, "VALIDATION_ERROR")
    form = client.post(INITIATE, data={"phone_number": PHONE}, headers=headers)
    refused(form, 415, "UNSUPPORTED_MEDIA_TYPE")
    refused(client.get(INITIATE, headers=headers), 405, "METHOD_NOT_ALLOWED")


def test_s4_30_a_push_of_unknown_fate_is_202_with_the_same_keys_and_no_second_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-30."""
    daraja.push_answer = html(502)
    wanted = order(shop, shopper)
    answer = initiate(shop, shopper, wanted)
    body = answer.get_json()
    assert (answer.status_code, body["success"]) == (202, True)
    assert body["data"]["checkout_request_id"] is None
    assert body["data"]["merchant_request_id"] is None
    assert body["data"]["customer_message"] == CUSTOMER_MESSAGE
    assert (body["data"]["status"], queried(shop, shopper, wanted)["status"]) == ("pending",) * 2
    assert initiate(shop, shopper, wanted).status_code == 202
    assert len(daraja.pushes) == 1


# How much, and how often.


def test_s4_120_the_most_is_70_000_in_tests_and_a_setting_in_production(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-120: C-39."""
    answer = initiate(shop, shopper, order(shop, shopper, 70_001))
    body = refused(answer, 400, "AMOUNT_TOO_HIGH")
    assert body["details"]["maximum"] == 70_000
    begun(shop, shopper, order(shop, shopper, 70_000))
    shop.set(mpesa_environment=Environment.SANDBOX)
    assert shop.app.extensions["lipa_settings"].max_amount_shillings == 70_000
    live = {"mpesa_environment": Environment.PRODUCTION}
    shop.set(**live)
    assert shop.app.extensions["lipa_settings"].max_amount_shillings == 250_000
    shop.set(**live, mpesa_max_amount=150_000)
    assert shop.app.extensions["lipa_settings"].max_amount_shillings == 150_000


def test_s4_90_one_shilling_can_be_paid_in_production(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-90."""
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        mpesa_consumer_key="your_production_consumer_key",
        mpesa_consumer_secret="your_production_consumer_secret",
        mpesa_shortcode="600123",
        mpesa_passkey="your_production_passkey",
        mpesa_callback_url="https://yourdomain.com/api/payments/mpesa/callback",
    )
    payment = begun(shop, shopper, order(shop, shopper, 1), phone_number=WIRE_PHONE)
    (push,) = daraja.pushes
    assert (push["Amount"], push["PhoneNumber"]) == (1, WIRE_PHONE)
    assert (push["BusinessShortCode"], push["PartyB"]) == ("600123", "600123")
    assert push["CallBackURL"] == (
        f"https://yourdomain.com/api/payments/mpesa/callback?token={payment.callback_token}"
    )


def test_s4_106_a_failed_payment_is_tried_again_by_the_shopper_and_by_nobody_else(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-106: C-41. A retry is a new attempt, and the first one's late money still counts."""
    wanted = order(shop, shopper)
    failed = begun(shop, shopper, wanted)
    shop.callback(unpaid(failed.checkout_request_id), token=failed.callback_token)
    for _ in range(3):
        shop.sweep()
    assert len(daraja.pushes) == 1
    told = queried(shop, shopper, wanted)
    assert (told["status"], told["can_retry"]) == ("failed", True)
    again = begun(shop, shopper, wanted)
    assert again.id != failed.id
    assert len(daraja.pushes) == 2
    call_back(shop, again)
    assert queried(shop, shopper, wanted)["status"] == "completed"
    refused(initiate(shop, shopper, wanted), 409, "ORDER_ALREADY_PAID")


def test_s4_106_a_push_that_is_not_answered_is_never_sent_again_by_itself(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-106: C-41."""
    daraja.push_answer = html(502)
    initiate(shop, shopper, order(shop, shopper))
    for _ in range(3):
        shop.sweep()
    assert len(daraja.pushes) == 1


def test_s4_106_of_ten_requests_at_once_one_prompts(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-106."""
    wanted = order(shop, shopper)
    answers = together(10, lambda _: initiate(shop, shopper, wanted).get_json()["data"])
    assert {data["checkout_request_id"] for data in answers} == {
        shop.payment(wanted).checkout_request_id
    }
    assert len(daraja.pushes) == 1


def test_s4_106_a_repeated_request_with_a_key_has_the_first_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-106."""
    body = {"order_id": order(shop, shopper)["id"], "phone_number": SELF_APPROVING}
    first = post(shop, shopper, INITIATE, body, **{"Idempotency-Key": "one"})
    again = post(shop, shopper, INITIATE, body, **{"Idempotency-Key": "one"})
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert len(daraja.pushes) == 1


def test_s4_107_each_door_has_its_limit_for_each_person(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S4-107: C-38."""
    shop.set(rate_limit_initiate="1/minute", rate_limit_status="2/minute")
    wanted = order(shop, shopper)
    begun(shop, shopper, wanted)
    limited = initiate(shop, shopper, wanted)
    refused(limited, 429, "RATE_LIMITED")
    assert int(limited.headers["Retry-After"]) > 0
    queried(shop, shopper, wanted)
    path = f"/api/payments/verify/{wanted['id']}"
    assert shop.client().get(path, headers=shopper.headers).status_code == 200
    refused(shop.client().get(path, headers=shopper.headers), 429, "RATE_LIMITED")
    begun(shop, other_shopper, order(shop, other_shopper))
