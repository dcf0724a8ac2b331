"""The payment API document: its settings, and starting a payment."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import pytest

from app.config import Environment, Settings
from app.payments import initiate as initiating
from app.settings.service import mpesa_settings
from tests.documents.s0 import (
    PHONE,
    TXN,
    WRONG_NAMES,
    called_back,
    initiate,
    post,
    prompted,
    refused,
    short,
    without_ellipsis,
)
from tests.services.launch import free_port
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, html, paid, refuse

# Configuration.


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_s0_01_to_s0_05_the_documented_settings_are_read(shop: Shop, environment: str) -> None:
    """S0-01, S0-02, S0-03, S0-04, S0-05."""
    given = {
        "MPESA_ENVIRONMENT": environment,
        "MPESA_CONSUMER_KEY": "a-key",
        "MPESA_CONSUMER_SECRET": "a-secret",
        "MPESA_SHORTCODE": "600999",
        "MPESA_PASSKEY": "a-passkey",
    }
    secrets = ("SECRET_KEY", "JWT_SECRET_KEY", "SETTINGS_ENCRYPTION_KEY")
    with mock.patch.dict(os.environ, given | dict.fromkeys(secrets, "s" * 44), clear=True):
        read = Settings(_env_file=None)
    shop.app.extensions["lipa_settings"] = read
    assert read.mpesa_environment is Environment(environment)
    with shop.app.app_context():
        found = mpesa_settings()
    told = (found.consumer_key, found.consumer_secret, found.shortcode, found.passkey)
    assert told == ("a-key", "a-secret", "600999", "a-passkey")


# Starting a payment.


def test_s0_06_s0_08_to_s0_13_s0_52_s0_55_the_printed_request_and_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-06, S0-08, S0-09, S0-10, S0-11, S0-12, S0-13, S0-52, S0-55."""
    order = shop.order(shopper, shop.product(price=1000))
    printed = (
        f'{{"phone_number": "254712345678", "order_id": {order["number"]}, "amount": 1000.00}}'
    )
    answer = post(shop, shopper, "/mpesa/", printed.encode())
    body = answer.get_json()
    assert answer.status_code == 200
    assert set(body) == {"message", "transaction_id", "checkout_request_id"}
    assert body["message"] == "Payment initiated"
    assert TXN.fullmatch(body["transaction_id"])
    assert body["checkout_request_id"].startswith("ws_CO_")
    [push] = daraja.pushes
    assert (push["Amount"], push["PhoneNumber"]) == (1000, "254712345678")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "JWT"])
def test_s0_07_s0_48_a_bearer_token_opens_the_door(
    shop: Shop, shopper: Account, scheme: str
) -> None:
    """S0-07, S0-48: C-1."""
    headers = {"Authorization": f"{scheme} {shopper.access}"}
    order = shop.order(shopper)
    body = {"phone_number": PHONE, "order_id": order["number"], "amount": 1500}
    assert post(shop, None, "/mpesa/", body, **headers).status_code == 200


@pytest.mark.parametrize("token", [None, "Bearer ", "Bearer nonsense", "Basic dTpw"])
def test_s0_07_s0_48_without_a_good_token_every_door_is_closed(
    shop: Shop, token: str | None
) -> None:
    """S0-07, S0-48."""
    headers = {"Authorization": token} if token else {}
    for rule in shop.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/payment/") or rule.endpoint.endswith("callback"):
            continue
        path = rule.rule.replace("<transaction_id>", "TXN20230815123456ABC")
        path = path.replace("<int:method_id>", "1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = shop.client().open(path, method=method, headers=headers)
            refused(answer, 401, "UNAUTHORIZED")
            assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("amount", [b"1500", b"1500.00", b'"1500"', b'"1500.00"'])
def test_s0_10_an_amount_is_a_whole_number_however_it_is_written(
    shop: Shop, shopper: Account, amount: bytes
) -> None:
    """S0-10."""
    order = shop.order(shopper)
    body = b'{"phone_number":"%s","order_id":%d,"amount":%s}'
    sent = body % (PHONE.encode(), order["number"], amount)
    assert post(shop, shopper, "/mpesa/", sent).status_code == 200


@pytest.mark.parametrize("amount", [1499, 1501, "1"])
def test_s0_10_c_23_an_amount_that_is_not_owed_is_refused_and_told(
    shop: Shop, shopper: Account, daraja: FakeDaraja, amount: Any
) -> None:
    """S0-10."""
    answer = initiate(shop, shopper, shop.order(shopper), amount=amount)
    assert refused(answer, 400, "AMOUNT_MISMATCH") == {"expected": 1500}
    assert daraja.pushes == []


def test_s0_09_an_order_may_be_named_by_its_uuid_too(shop: Shop, shopper: Account) -> None:
    """S0-09: C-10, C-11."""
    order = shop.order(shopper)
    assert initiate(shop, shopper, order, order_id=order["id"]).status_code == 200
    assert initiate(shop, shopper, order, order_id=str(order["number"])).status_code == 200


def test_s0_12_names_stay_unique_when_one_is_taken(shop: Shop, shopper: Account) -> None:
    """S0-12."""
    taken = prompted(shop, shopper).public_ref
    names = [taken, taken, "TXN20230815123456ABC"]
    with mock.patch.object(initiating, "new_reference", side_effect=names):
        assert prompted(shop, shopper).public_ref == "TXN20230815123456ABC"


#: Field, what is sent, and the code that it is refused with.
WRONG_FIELDS = [
    ("phone_number", ..., "VALIDATION_ERROR"),
    ("phone_number", None, "VALIDATION_ERROR"),
    ("phone_number", 254712345678, "VALIDATION_ERROR"),
    ("phone_number", "", "INVALID_PHONE"),
    ("phone_number", "0712345678", "INVALID_PHONE"),
    ("phone_number", "+254712345678", "INVALID_PHONE"),
    ("phone_number", "254 712 345 678", "INVALID_PHONE"),
    ("phone_number", "25471234567", "INVALID_PHONE"),
    ("phone_number", "2547123456789", "INVALID_PHONE"),
    ("phone_number", "255712345678", "INVALID_PHONE"),
    ("phone_number", "2" * 5000, "INVALID_PHONE"),
    ("phone_number", "٢٥٤٧١٢٣٤٥٦٧٨", "INVALID_PHONE"),
    ("amount", ..., "VALIDATION_ERROR"),
    ("amount", None, "INVALID_AMOUNT"),
    ("amount", "", "INVALID_AMOUNT"),
    ("amount", True, "INVALID_AMOUNT"),
    ("amount", [1500], "INVALID_AMOUNT"),
    ("amount", 1500.5, "INVALID_AMOUNT"),
    ("amount", -1500, "INVALID_AMOUNT"),
    ("amount", "1e3", "INVALID_AMOUNT"),
    ("amount", "9" * 5000, "INVALID_AMOUNT"),
    ("amount", 0, "AMOUNT_TOO_LOW"),
    ("amount", 70_001, "AMOUNT_TOO_HIGH"),
    ("currency", "USD", "INVALID_CURRENCY"),
    ("currency", "kes", "INVALID_CURRENCY"),
    ("currency", "", "INVALID_CURRENCY"),
    ("currency", 404, "INVALID_CURRENCY"),
    ("currency", ["KES"], "INVALID_CURRENCY"),
    ("currency", "K" * 5000, "INVALID_CURRENCY"),
]


@pytest.mark.parametrize(("field", "sent", "code"), WRONG_FIELDS, ids=short)
@pytest.mark.parametrize("path", ["/mpesa/", "/test/mpesa/"])
def test_s0_37_to_s0_40_s0_43_s0_51_s0_52_s0_53_a_wrong_field_is_refused_by_its_code(
    shop: Shop, shopper: Account, daraja: FakeDaraja, path: str, field: str, sent: Any, code: str
) -> None:
    """S0-37, S0-38, S0-39, S0-40, S0-43, S0-51, S0-52, S0-53."""
    body = {"phone_number": PHONE, "amount": 1500, field: sent}
    if path == "/mpesa/":
        body["order_id"] = shop.order(shopper)["number"]
    refused(post(shop, shopper, path, without_ellipsis(body)), 400, code)
    assert daraja.pushes == []


@pytest.mark.parametrize("sent", WRONG_NAMES, ids=str)
def test_s0_09_a_wrong_order_id_is_refused(shop: Shop, shopper: Account, sent: Any) -> None:
    """S0-09."""
    answer = initiate(shop, shopper, shop.order(shopper), order_id=sent)
    assert "order_id" in str(refused(answer, 400, "VALIDATION_ERROR")["fields"])


@pytest.mark.parametrize("sent", ["", "x", 0, -1, 10**18, "9" * 5000, "1 OR 1=1"], ids=short)
def test_s0_09_an_order_that_is_not_there_is_not_found(
    shop: Shop, shopper: Account, sent: Any
) -> None:
    """S0-09."""
    refused(initiate(shop, shopper, shop.order(shopper), order_id=sent), 404, "NOT_FOUND")


def test_s0_09_somebody_elses_order_is_not_found(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-09."""
    order = shop.order(shopper)
    refused(initiate(shop, other_shopper, order), 404, "NOT_FOUND")
    assert daraja.pushes == []


def test_s0_53_the_methods_currency_may_be_named_and_unknown_keys_are_passed_over(
    shop: Shop, shopper: Account
) -> None:
    """S0-53."""
    order = shop.order(shopper)
    extra = {"status": "completed", "person_id": 1, "mpesa_receipt": "X", "transaction_id": "TXN"}
    assert initiate(shop, shopper, order, currency="KES", **extra).status_code == 200
    payment = shop.payment(order)
    assert (payment.status, payment.mpesa_receipt) == ("pending", None)
    assert payment.person_id == shopper.id


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 10_000], ids=short
)
def test_s0_37_what_is_no_json_object_is_refused(shop: Shop, shopper: Account, body: bytes) -> None:
    """S0-37."""
    for path in ("/mpesa/", "/verify/", "/methods/", "/test/mpesa/", "/test/callback/"):
        refused(post(shop, shopper, path, body), 400, "VALIDATION_ERROR")


def test_s0_51_phones_are_relaxed_by_a_setting(shop: Shop, shopper: Account) -> None:
    """S0-51: C-15."""
    shop.set(phone_strict_dialects=False)
    order = shop.order(shopper)
    assert initiate(shop, shopper, order, phone_number="0712 345-678").status_code == 200
    assert shop.payment(order).phone == PHONE
    with mock.patch.dict(os.environ, {"PHONE_STRICT_DIALECTS": "0"}, clear=True):
        assert Settings(_env_file=None).phone_strict_dialects is False
    assert Settings.model_fields["phone_strict_dialects"].default is True


def test_s0_64_a_push_of_unknown_fate_is_202_with_the_usual_keys(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-64."""
    daraja.push_answer = html(502)
    answer = initiate(shop, shopper, shop.order(shopper))
    body = answer.get_json()
    assert answer.status_code == 202
    assert set(body) == {"message", "transaction_id", "checkout_request_id", "status"}
    assert (body["checkout_request_id"], body["status"]) == (None, "pending")
    assert body["message"] != "Payment initiated"
    assert TXN.fullmatch(body["transaction_id"])


def test_s0_64_a_refusal_and_an_outage_are_told_apart_and_can_be_retried(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-64."""
    order = shop.order(shopper)
    daraja.push_answer = refuse("Merchant does not exist")
    refused(initiate(shop, shopper, order), 502, "PROVIDER_REFUSED")
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    answer = initiate(shop, shopper, order)
    refused(answer, 503, "PROVIDER_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    shop.restore_settings()
    daraja.push_answer = daraja.accept
    assert initiate(shop, shopper, order).status_code == 200, "S0-58"
    assert [payment.status for payment in shop.payments(order)] == ["failed", "failed", "pending"]


def test_s0_38_a_number_that_mpesa_does_not_know_is_an_invalid_phone(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-38."""
    daraja.push_answer = refuse("Bad Request - Invalid PhoneNumber", "400.002.02", 400)
    refused(initiate(shop, shopper, shop.order(shopper)), 400, "INVALID_PHONE")


def test_s0_62_a_repeated_request_gives_the_live_attempt_back(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-62."""
    order = shop.order(shopper)
    first, second = initiate(shop, shopper, order), initiate(shop, shopper, order)
    assert first.get_json() == second.get_json()
    assert len(daraja.pushes) == 1


def test_s0_62_an_idempotency_key_repeats_the_answer(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-62."""
    order = shop.order(shopper)
    body = {"phone_number": PHONE, "order_id": order["number"], "amount": 1500}
    key = {"Idempotency-Key": "one"}
    first = post(shop, shopper, "/mpesa/", body, **key)
    payment = shop.payment(order)
    called_back(shop, payment, paid(payment.checkout_request_id))
    second = post(shop, shopper, "/mpesa/", body, **key)
    assert second.data == first.data
    assert second.headers["Idempotency-Replayed"] == "true"
    other = post(shop, shopper, "/mpesa/", body | {"phone_number": "254711111111"}, **key)
    refused(other, 422, "IDEMPOTENCY_MISMATCH")
    refused(initiate(shop, shopper, order), 409, "ORDER_ALREADY_PAID")
    assert len(daraja.pushes) == 1
