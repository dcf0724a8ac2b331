"""The guide with ``/api/payments/transactions/``: starting a payment, promise by promise."""

from __future__ import annotations

import pytest

from app.config import Environment
from app.payments.states import Status
from tests.documents.s2 import (
    CALLBACK,
    ERROR_KEYS,
    INITIATE,
    PHONE,
    begun,
    call_back,
    initiate,
    jwt,
    refused,
    status,
    told,
)
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, html, refuse, unpaid


def test_s2_01_s2_16_s2_18_to_s2_23_the_printed_request_has_the_printed_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-01, S2-16, S2-18, S2-19, S2-20, S2-21, S2-22, S2-23."""
    order = shop.order(shopper)
    answer = initiate(shop, shopper, order)
    body = answer.get_json()
    assert answer.status_code == 200
    assert body == {
        "status": "success",
        "message": "STK Push sent successfully. Please check your phone.",
        "transaction_id": shop.payment(order).id,
        "checkout_request_id": shop.payment(order).checkout_request_id,
        "customer_message": "Please check your phone for M-Pesa prompt.",
    }
    assert type(body["transaction_id"]) is int
    assert body["checkout_request_id"].startswith("ws_CO_")
    assert [(push["Amount"], push["PhoneNumber"]) for push in daraja.pushes] == [(1500, PHONE)]


@pytest.mark.parametrize("scheme", ["JWT", "jwt", "Bearer"])
def test_s2_17_s2_25_the_scheme_word_is_jwt_and_bearer_means_the_same(
    shop: Shop, shopper: Account, scheme: str
) -> None:
    """S2-17, S2-25."""
    payment = begun(shop, shopper)
    path = f"/api/payments/transactions/{payment.id}/check_mpesa_status/"
    headers = {"Authorization": f"{scheme} {shopper.access}"}
    assert shop.client().get(path, headers=headers).status_code == 200


def test_s2_17_s2_25_a_stranger_gets_neither_prompt_nor_status(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-17, S2-25."""
    payment = begun(shop, shopper)
    stranger = shop.client()
    body = {"order_id": 123, "phone_number": PHONE}
    refused(stranger.post(INITIATE, json=body), 401, "UNAUTHORIZED")
    path = f"/api/payments/transactions/{payment.id}/check_mpesa_status/"
    answer = stranger.get(path)
    refused(answer, 401, "UNAUTHORIZED")
    assert "JWT" in answer.headers["WWW-Authenticate"]
    assert len(daraja.pushes) == 1


def test_s2_18_the_amount_is_the_orders_and_a_stated_one_must_equal_it(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-18."""
    order = shop.order(shopper)
    body = refused(initiate(shop, shopper, order, amount=1), 400, "AMOUNT_MISMATCH")
    assert body["details"] == {"expected": 1500}
    assert initiate(shop, shopper, order, amount=1500).status_code == 200
    assert len(daraja.pushes) == 1


def test_s2_18_an_order_is_named_by_number_or_uuid_and_unknown_keys_are_passed_over(
    shop: Shop, shopper: Account
) -> None:
    """S2-18."""
    order = shop.order(shopper)
    extra = {"status": "completed", "person_id": 999, "callback_url": "https://evil.example/"}
    answer = initiate(shop, shopper, order, order_id=order["id"], **extra)
    assert answer.status_code == 200
    payment = shop.payment(order)
    assert (payment.person_id, payment.status) == (shopper.id, Status.PENDING)


@pytest.mark.parametrize("order_id", [None, 1.5, True, [], {}, "", "abc", -1, 0, 10**30, 424_242])
def test_s2_18_an_order_id_that_names_nothing_is_refused(
    shop: Shop, shopper: Account, daraja: FakeDaraja, order_id: object
) -> None:
    """S2-18."""
    answer = initiate(shop, shopper, shop.order(shopper), order_id=order_id)
    assert answer.status_code in (400, 404), answer.text
    assert set(answer.get_json()) == ERROR_KEYS
    assert daraja.pushes == []


def test_s2_18_a_missing_field_is_named(shop: Shop, shopper: Account) -> None:
    """S2-18."""
    for field in ("order_id", "phone_number"):
        body = {"order_id": 1, "phone_number": PHONE}
        del body[field]
        answer = shop.client().post(INITIATE, json=body, headers=jwt(shopper))
        told = refused(answer, 400, "VALIDATION_ERROR")
        assert list(told["details"]["fields"]) == [field]


def test_s2_18_somebody_elses_order_is_not_there(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-18."""
    refused(initiate(shop, other_shopper, shop.order(shopper)), 404, "NOT_FOUND")
    assert daraja.pushes == []


@pytest.mark.parametrize("phone", ["254712345678", "254708374149", "254711222333", "254110345678"])
def test_s2_44_s2_45_s2_64_the_documented_numbers_are_taken(
    shop: Shop, shopper: Account, daraja: FakeDaraja, phone: str
) -> None:
    """S2-44, S2-45, S2-64."""
    assert initiate(shop, shopper, shop.order(shopper), phone_number=phone).status_code == 200
    assert daraja.pushes[0]["PhoneNumber"] == phone


@pytest.mark.parametrize(
    "phone",
    [
        *("0712345678", "712345678", "+254712345678", "254 712 345 678", "254-712345678"),
        *("25471234567", "2547123456789", "255712345678", "", " ", "abc", "254" * 5000),
        *("٢٥٤٧١٢٣٤٥٦٧٨", "254712345678\n"),
    ],
)
def test_s2_49_s2_63_s2_64_any_other_form_is_an_invalid_phone_number_format(
    shop: Shop, shopper: Account, daraja: FakeDaraja, phone: str
) -> None:
    """S2-49, S2-63, S2-64."""
    answer = initiate(shop, shopper, shop.order(shopper), phone_number=phone)
    refused(answer, 400, "INVALID_PHONE", "Invalid phone number format")
    assert daraja.pushes == []


@pytest.mark.parametrize("phone", [None, 254712345678, True, [PHONE], {"number": PHONE}])
def test_s2_63_a_phone_that_is_no_text_is_refused_in_the_documented_words_too(
    shop: Shop, shopper: Account, phone: object
) -> None:
    """S2-63."""
    answer = initiate(shop, shopper, shop.order(shopper), phone_number=phone)
    refused(answer, 400, "VALIDATION_ERROR", "Invalid phone number format")


def test_s2_64_strictness_is_a_setting(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    """S2-64: C-15."""
    shop.set(phone_strict_dialects=False)
    answer = initiate(shop, shopper, shop.order(shopper), phone_number="0712 345-678")
    assert answer.status_code == 200
    assert daraja.pushes[0]["PhoneNumber"] == PHONE


def test_s2_16_the_body_must_be_a_json_object(shop: Shop, shopper: Account) -> None:
    """S2-16."""
    client, headers = shop.client(), jwt(shopper)
    refused(client.post(INITIATE, json=[1], headers=headers), 400, "VALIDATION_ERROR")
    raw = {"data": "{", "content_type": "application/json", "headers": headers}
    refused(client.post(INITIATE, **raw), 400, "VALIDATION_ERROR")
    form = client.post(INITIATE, data={"order_id": 1, "phone_number": PHONE}, headers=headers)
    refused(form, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_s2_39_asking_again_while_a_prompt_lives_gives_that_attempt_back(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-39."""
    order = shop.order(shopper)
    first = initiate(shop, shopper, order).get_json()
    assert initiate(shop, shopper, order).get_json() == first
    assert len(daraja.pushes) == 1


def test_s2_39_a_failed_payment_can_be_tried_again_and_a_paid_one_cannot(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-39."""
    order = shop.order(shopper)
    failed = begun(shop, shopper, order)
    shop.callback(unpaid(failed.checkout_request_id), token=failed.callback_token, path=CALLBACK)
    paid = begun(shop, shopper, order)
    assert paid.id != failed.id
    call_back(shop, paid)
    refused(initiate(shop, shopper, order), 409, "ORDER_ALREADY_PAID")
    assert len(daraja.pushes) == 2


def test_s2_16_a_repeated_request_with_a_key_has_the_first_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-16."""
    body = {"order_id": shop.order(shopper)["number"], "phone_number": PHONE}
    headers = jwt(shopper) | {"Idempotency-Key": "one"}
    first = shop.client().post(INITIATE, json=body, headers=headers)
    again = shop.client().post(INITIATE, json=body, headers=headers)
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    other = shop.client().post(INITIATE, json=body | {"order_id": 0}, headers=headers)
    refused(other, 422, "IDEMPOTENCY_MISMATCH")
    assert len(daraja.pushes) == 1


def test_s2_04_a_prompt_of_unknown_fate_is_pending_and_no_error(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-04."""
    daraja.push_answer = html(502)
    order = shop.order(shopper)
    answer = initiate(shop, shopper, order)
    body = answer.get_json()
    assert answer.status_code == 202
    assert set(body) == {
        *("status", "message", "transaction_id", "checkout_request_id", "customer_message"),
    }
    assert (body["status"], body["checkout_request_id"]) == ("pending", None)
    now_told = told(shop, shopper, shop.payment(order))
    assert now_told["transaction"]["payment_status"] == "pending"
    assert now_told["mpesa_status"]["ResultCode"] == "4999"


def test_s2_04_s2_61_what_daraja_refuses_is_an_error_with_its_reason(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-04, S2-61."""
    daraja.push_answer = refuse("Wrong credentials")
    body = refused(
        initiate(shop, shopper, shop.order(shopper)),
        502,
        "PROVIDER_REFUSED",
        "Failed to connect to M-Pesa API",
    )
    assert body["details"]["provider_message"] == "Wrong credentials"


def test_s2_61_an_api_that_cannot_be_reached_is_named(shop: Shop, shopper: Account) -> None:
    """S2-61."""
    shop.set(mpesa_base_url="http://127.0.0.1:9")
    answer = initiate(shop, shopper, shop.order(shopper))
    refused(answer, 503, "PROVIDER_UNAVAILABLE", "Failed to connect to M-Pesa API")
    assert answer.headers["Retry-After"]


def test_s2_59_settings_that_are_missing_are_named(shop: Shop, shopper: Account) -> None:
    """S2-59."""
    shop.set(mpesa_environment=Environment.SANDBOX)
    answer = initiate(shop, shopper, shop.order(shopper))
    words = "Missing required M-Pesa settings: MPESA_CONSUMER_KEY, MPESA_CONSUMER_SECRET"
    refused(answer, 503, "PROVIDER_UNAVAILABLE", words)


def test_s2_71_initiation_and_status_have_limits_a_person(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S2-71."""
    shop.set(rate_limit_initiate="2/minute", rate_limit_status="2/minute")
    orders = {who.id: shop.order(who) for who in (shopper, other_shopper)}
    for _ in range(2):
        assert initiate(shop, shopper, orders[shopper.id]).status_code == 200
        assert status(shop, shopper, shop.payment(orders[shopper.id]).id).status_code == 200
    limited = initiate(shop, shopper, orders[shopper.id])
    refused(limited, 429, "RATE_LIMITED")
    assert int(limited.headers["Retry-After"]) > 0
    refused(status(shop, shopper, 1), 429, "RATE_LIMITED")
    assert initiate(shop, other_shopper, orders[other_shopper.id]).status_code == 200
