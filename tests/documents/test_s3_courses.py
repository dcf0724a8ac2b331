"""The guide with ``/api/payments/`` for a school: starting a payment, promise by promise."""

from __future__ import annotations

from typing import Any

import pytest

from app.payments.states import Status
from tests.documents.s3 import (
    CALLBACK,
    FEE,
    INITIATE,
    PHONE,
    begun,
    call_back,
    course,
    courses_of,
    initiate,
    newest,
    order_of,
    orders,
    post,
    printed,
    refused,
)
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, json_answer, refuse, unpaid


def test_s3_30_s3_32_s3_34_s3_78_the_printed_request_has_the_printed_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-30, S3-32, S3-34, S3-78."""
    answer = initiate(shop, shopper, course(shop))
    payment = newest(shop)
    assert answer.status_code == 200
    assert answer.get_json() == {
        "success": True,
        "message": "STK Push initiated successfully",
        "checkout_request_id": payment.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id,
    }
    assert answer.headers["Location"] == f"/api/payments/{payment.id}/status/"
    (push,) = daraja.pushes
    assert (push["Amount"], push["PhoneNumber"]) == (FEE, PHONE)


def test_s3_32_reference_and_description_are_kept_whole_and_go_out_short(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-32: C-42."""
    payment = begun(shop, shopper, account_reference="COURSE-2026/German A1")
    order = order_of(shop, payment)
    assert order.external_reference == "COURSE-2026/German A1"
    assert order.description == "Payment for German A1 Course"
    (push,) = daraja.pushes
    assert push["AccountReference"] == "COURSE-2026G"
    assert push["TransactionDesc"] == "Payment for G"


@pytest.mark.parametrize("blank", [..., None, "", "  "])
def test_s3_33_both_texts_may_be_left_out(
    shop: Shop, shopper: Account, daraja: FakeDaraja, blank: object
) -> None:
    """S3-33."""
    payment = begun(shop, shopper, account_reference=blank, transaction_desc=blank)
    order = order_of(shop, payment)
    assert (order.external_reference, order.description) == (None, None)
    (push,) = daraja.pushes
    assert push["AccountReference"] == order.reference
    assert push["TransactionDesc"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "JWT"])
def test_s3_31_s3_87_the_scheme_word_is_bearer_and_jwt_means_the_same(
    shop: Shop, shopper: Account, scheme: str
) -> None:
    """S3-31, S3-87: C-1."""
    headers = {"Authorization": f"{scheme} {shopper.access}"}
    answer = shop.client().post(INITIATE, json=printed(course(shop)), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made.up.token"}])
def test_s3_31_s3_87_a_stranger_starts_no_payment(
    shop: Shop, daraja: FakeDaraja, headers: dict[str, str]
) -> None:
    """S3-31, S3-87."""
    answer = shop.client().post(INITIATE, json=printed(course(shop)), headers=headers)
    refused(answer, 401, "UNAUTHORIZED")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert (daraja.pushes, orders(shop)) == ([], [])


def test_s3_35_ids_are_given_and_compared_exactly_as_daraja_wrote_them(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-35: C-14."""
    ids = {"MerchantRequestID": "ws_co_987654321", "CheckoutRequestID": "ws_co_123456789"}
    daraja.push_answer = lambda _: json_answer(ids | {"ResponseCode": "0"})
    answer = initiate(shop, shopper, course(shop)).get_json()
    assert answer["checkout_request_id"] == "ws_co_123456789"
    assert answer["merchant_request_id"] == "ws_co_987654321"
    payment = newest(shop)
    shop.callback(unpaid("WS_CO_123456789"), path=CALLBACK)
    assert shop.fresh(payment).status == Status.PENDING
    assert call_back(shop, payment).status == Status.COMPLETED


# The amount.


def test_s3_32_the_amount_must_be_the_courses_price_and_a_wrong_one_leaves_nothing(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-32: C-23."""
    course_id = course(shop)
    for amount in (1, 4999, 5001, "500000"):
        answer = initiate(shop, shopper, course_id, amount=amount)
        if amount == "500000":
            refused(answer, 400, "AMOUNT_TOO_HIGH")
            continue
        assert refused(answer, 400, "AMOUNT_MISMATCH")["details"] == {"expected": FEE}
    assert (daraja.pushes, orders(shop)) == ([], [])
    assert initiate(shop, shopper, course_id, amount="5000.00").status_code == 200


@pytest.mark.parametrize("amount", [None, True, "", "abc", "1e3", -5000, 5000.5, [], {}, "9" * 40])
def test_s3_32_an_amount_that_is_no_whole_shillings_is_refused(
    shop: Shop, shopper: Account, daraja: FakeDaraja, amount: object
) -> None:
    """S3-32."""
    refused(initiate(shop, shopper, course(shop), amount=amount), 400, "INVALID_AMOUNT")
    assert (daraja.pushes, orders(shop)) == ([], [])


def test_s3_32_nothing_below_a_shilling_and_nothing_above_the_limit(
    shop: Shop, shopper: Account
) -> None:
    """S3-32: C-39."""
    refused(initiate(shop, shopper, course(shop, price=0), amount=0), 400, "AMOUNT_TOO_LOW")
    answer = initiate(shop, shopper, course(shop, price=70_001), amount=70_001)
    refused(answer, 400, "AMOUNT_TOO_HIGH")
    assert orders(shop) == []
    assert initiate(shop, shopper, course(shop, price=70_000), amount=70_000).status_code == 200


def test_s3_32_an_open_order_keeps_its_price_when_the_courses_changes(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-32."""
    course_id = course(shop)
    failed = begun(shop, shopper, course_id)
    shop.callback(unpaid(failed.checkout_request_id), token=failed.callback_token, path=CALLBACK)
    shop.client().patch(f"/api/products/{course_id}", json={"price": 6000}, headers=admin.headers)
    answer = initiate(shop, shopper, course_id, amount=6000)
    assert refused(answer, 400, "AMOUNT_MISMATCH")["details"] == {"expected": FEE}
    assert begun(shop, shopper, course_id).order_id == failed.order_id
    other = shop.person("njeri")
    assert initiate(shop, other, course_id, amount=6000).status_code == 200


# The course.


@pytest.mark.parametrize("course_id", [0, -1, None, "1", 1.5, True, [], {}, -(10**18), "abc"])
def test_s3_32_a_course_id_is_a_positive_integer(
    shop: Shop, shopper: Account, course_id: Any
) -> None:
    """S3-32."""
    answer = initiate(shop, shopper, 1, course_id=course_id)
    body = refused(answer, 400, "VALIDATION_ERROR")
    assert list(body["details"]["fields"]) == ["course_id"]


@pytest.mark.parametrize("course_id", [424_242, 2**63 - 1, 2**63, 10**19])
def test_s3_32_a_course_that_is_not_there_is_not_found(
    shop: Shop, shopper: Account, course_id: int
) -> None:
    """S3-32."""
    refused(initiate(shop, shopper, course_id), 404, "NOT_FOUND")


def test_s3_32_goods_are_no_course(shop: Shop, shopper: Account) -> None:
    """S3-32."""
    goods = shop.product(price=FEE)
    for amount in (FEE, 1):
        refused(initiate(shop, shopper, goods, amount=amount), 404, "NOT_FOUND")
    assert orders(shop) == []
    shop.order(shopper, goods)
    refused(initiate(shop, shopper, goods), 404, "NOT_FOUND")


def test_s3_75_s3_83_a_place_is_paid_once(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    """S3-75, S3-83."""
    course_id = course(shop)
    call_back(shop, begun(shop, shopper, course_id))
    assert courses_of(shop, shopper) == ["German A1"]
    refused(initiate(shop, shopper, course_id), 409, "CONFLICT")
    assert len(daraja.pushes) == 1


def test_s3_75_an_order_that_was_placed_in_the_shop_is_the_one_that_is_paid(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-75."""
    course_id = course(shop)
    order = shop.order(shopper, course_id)
    shop.order(shopper, course_id, quantity=2)
    payment = begun(shop, shopper, course_id)
    assert payment.order_id == order["number"]
    call_back(shop, payment)
    shop.order(shopper, course_id)
    refused(initiate(shop, shopper, course_id), 409, "CONFLICT")
    assert len(daraja.pushes) == 1


# The phone.


@pytest.mark.parametrize("phone", ["254700000000", "254712345678", "254110345678", "254733123456"])
def test_s3_07_s3_70_twelve_digits_are_taken(
    shop: Shop, shopper: Account, daraja: FakeDaraja, phone: str
) -> None:
    """S3-07, S3-70."""
    begun(shop, shopper, phone=phone)
    assert daraja.pushes[0]["PhoneNumber"] == phone


@pytest.mark.parametrize(
    "phone",
    [
        *("+254712345678", "0712345678", "712345678", "254 712 345 678", "254-712-345-678"),
        *("25471234567", "2547123456789", "255712345678", "", " ", "abc", "254" * 5000),
        *("٢٥٤٧١٢٣٤٥٦٧٨", "254712345678\n"),
    ],
)
def test_s3_70_any_other_form_is_phone_number_invalid(
    shop: Shop, shopper: Account, daraja: FakeDaraja, phone: str
) -> None:
    """S3-70: C-15."""
    answer = initiate(shop, shopper, course(shop), phone=phone)
    body = refused(answer, 400, "INVALID_PHONE", "Phone number invalid")
    assert body["details"] == {"field": "phone"}
    assert (daraja.pushes, orders(shop)) == ([], [])


@pytest.mark.parametrize("phone", [..., None, 254712345678, True, [PHONE], {"number": PHONE}])
def test_s3_70_a_phone_that_is_no_text_is_refused_in_the_documented_words_too(
    shop: Shop, shopper: Account, phone: object
) -> None:
    """S3-70."""
    answer = initiate(shop, shopper, course(shop), phone=phone)
    body = refused(answer, 400, "VALIDATION_ERROR", "Phone number invalid")
    assert list(body["details"]["fields"]) == ["phone"]


def test_s3_70_strictness_is_a_setting(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    """S3-70: C-15."""
    shop.set(phone_strict_dialects=False)
    begun(shop, shopper, phone="+254 712-345 678")
    assert daraja.pushes[0]["PhoneNumber"] == "254712345678"


def test_s3_71_a_number_that_m_pesa_does_not_know_is_phone_number_invalid(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-71."""
    daraja.push_answer = refuse("Bad Request - Invalid PhoneNumber", "400.002.02", 400)
    answer = initiate(shop, shopper, course(shop))
    body = refused(answer, 400, "INVALID_PHONE", "Phone number invalid")
    assert body["details"]["provider_message"] == "Bad Request - Invalid PhoneNumber"


# Every other field, and the body.


@pytest.mark.parametrize("field", ["phone", "amount", "course_id"])
def test_s3_32_a_field_that_is_not_there_is_named(shop: Shop, shopper: Account, field: str) -> None:
    """S3-32."""
    answer = initiate(shop, shopper, course(shop), **{field: ...})
    assert list(refused(answer, 400, "VALIDATION_ERROR")["details"]["fields"]) == [field]


@pytest.mark.parametrize("field", ["account_reference", "transaction_desc"])
@pytest.mark.parametrize("value", [7, True, [], {}, "x" * 256, "two\nlines", "a\x1b[2Jb", "\x00"])
def test_s3_32_a_text_that_is_no_line_is_refused(
    shop: Shop, shopper: Account, field: str, value: object
) -> None:
    """S3-32."""
    answer = initiate(shop, shopper, course(shop), **{field: value})
    refused(answer, 400, "VALIDATION_ERROR")
    assert orders(shop) == []


def test_s3_32_keys_that_nobody_asked_for_change_nothing(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S3-32."""
    extra: dict[str, Any] = {"status": "completed", "user_id": other_shopper.id, "id": 7}
    payment = begun(shop, shopper, **extra, person_id=other_shopper.id, callback_url="https://x/")
    assert (payment.person_id, payment.status) == (shopper.id, Status.PENDING)


def test_s3_30_the_body_must_be_a_json_object(shop: Shop, shopper: Account) -> None:
    """S3-30."""
    client, headers = shop.client(), shopper.headers
    refused(client.post(INITIATE, json=[1], headers=headers), 400, "VALIDATION_ERROR")
    raw = {"data": "{", "content_type": "application/json", "headers": headers}
    refused(client.post(INITIATE, **raw), 400, "VALIDATION_ERROR")
    form = client.post(INITIATE, data={"phone": PHONE}, headers=headers)
    refused(form, 415, "UNSUPPORTED_MEDIA_TYPE")
    refused(client.get(INITIATE, headers=headers), 405, "METHOD_NOT_ALLOWED")


# Repetitions.


def test_s3_65_asking_again_while_the_prompt_lives_gives_the_same_attempt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-65."""
    course_id = course(shop)
    first = initiate(shop, shopper, course_id)
    again = initiate(shop, shopper, course_id, account_reference="COURSE-2")
    assert again.get_json() == first.get_json()
    assert order_of(shop, newest(shop)).external_reference == "COURSE-1"
    assert (len(daraja.pushes), len(orders(shop))) == (1, 1)


def test_s3_65_of_ten_requests_at_once_one_prompts(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-65."""
    course_id = course(shop)
    answers = together(10, lambda _: initiate(shop, shopper, course_id).get_json())
    assert {answer["checkout_request_id"] for answer in answers} == {
        newest(shop).checkout_request_id
    }
    assert (len(daraja.pushes), len(orders(shop))) == (1, 1)


def test_s3_65_a_failed_payment_is_tried_again_under_the_names_of_the_new_request(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-65."""
    course_id = course(shop)
    failed = begun(shop, shopper, course_id)
    shop.callback(unpaid(failed.checkout_request_id), token=failed.callback_token, path=CALLBACK)
    again = begun(shop, shopper, course_id, account_reference="TEST-001", transaction_desc=...)
    assert (again.order_id, again.id != failed.id) == (failed.order_id, True)
    order = order_of(shop, again)
    assert order.external_reference == "TEST-001"
    assert order.description == "Payment for German A1 Course"
    assert [push["AccountReference"] for push in daraja.pushes] == ["COURSE-1", "TEST-001"]


def test_s3_65_a_repeated_request_with_a_key_has_the_first_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-65."""
    body, key = printed(course(shop)), {"Idempotency-Key": "one"}
    first = post(shop, shopper, INITIATE, body, **key)
    again = post(shop, shopper, INITIATE, body, **key)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    other = post(shop, shopper, INITIATE, body | {"amount": 1}, **key)
    refused(other, 422, "IDEMPOTENCY_MISMATCH")
    assert len(daraja.pushes) == 1


def test_s3_65_a_repetition_after_an_accident_gives_the_attempt_back_though_it_is_paid(
    shop: Shop, shopper: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3-65."""
    body, key = printed(course(shop)), {"Idempotency-Key": "one"}
    with monkeypatch.context() as patch:
        patch.setattr("app.dialects.courses.SENT", object())
        assert post(shop, shopper, INITIATE, body, **key).status_code == 500
    payment = call_back(shop, newest(shop))
    answer = post(shop, shopper, INITIATE, body, **key)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["checkout_request_id"] == payment.checkout_request_id
    assert (len(daraja.pushes), len(orders(shop))) == (1, 1)
