"""The guide with ``/api/payments/`` for a school: refunds, errors and limits."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from app.config import Environment
from app.monitoring import OneLine
from tests.documents.s3 import (
    ADMIN,
    INITIATE,
    MY,
    PHONE,
    RECEIPT,
    REFUND,
    begun,
    call_back,
    course,
    get,
    initiate,
    newest,
    post,
    printed,
    refused,
    status,
    told,
)
from tests.services.launch import free_port
from tests.support.app import Account, Shop
from tests.support.daraja import Answer, FakeDaraja, refuse

NO_NAMES: list[Any] = [None, True, 1.5, [], {}]
NO_AMOUNTS: list[Any] = [0, -1, 10.5, "1e3", True, []]
NO_REASONS: list[Any] = [7, [], "x" * 501, "\x00"]


def test_s3_89_an_admin_asks_for_a_refund_and_the_payment_stays_completed(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    body = {"payment_id": payment.id, "amount": 2000, "reason": "Course moved"}
    answer = post(shop, admin, REFUND, body)
    (refund,) = shop.outs()
    assert answer.status_code == 202
    assert answer.get_json() == {
        "success": True,
        "message": "Refund accepted",
        "refund_id": refund.public_ref,
        "status": "processing",
    }
    assert [sent["PartyB"] for sent in shop.daraja.payouts] == [PHONE]
    assert re.fullmatch(r"RFD\d{14}[A-Z0-9]{3}", refund.public_ref)
    assert (refund.amount_cents, refund.reason) == (200_000, "Course moved")
    assert told(shop, shopper, payment)["status"] == "completed"


@pytest.mark.parametrize("more", [{}, {"amount": None, "reason": None}, {"reason": "  "}])
def test_s3_89_without_an_amount_all_that_is_left_goes_back_once(
    shop: Shop, shopper: Account, admin: Account, more: dict[str, Any]
) -> None:
    """S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    post(shop, admin, REFUND, {"payment_id": payment.public_ref, "amount": "2000.00"})
    assert post(shop, admin, REFUND, {"payment_id": payment.id} | more).status_code == 202
    refused(post(shop, admin, REFUND, {"payment_id": payment.id}), 409, "CONFLICT")
    assert [refund.amount_cents for refund in shop.outs()] == [200_000, 300_000]
    assert [sent["Amount"] for sent in shop.daraja.payouts] == [2000, 3000]
    assert all(refund.reason for refund in shop.outs())


def test_s3_89_a_refund_that_has_gone_through_is_told_with_200(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    shop.daraja_pays_at_once()
    answer = post(shop, admin, REFUND, {"payment_id": payment.id})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "completed")
    assert answer.get_json()["message"] == "Refund sent"
    assert [sent["TransactionID"] for sent in shop.daraja.reversals] == [RECEIPT]


def test_s3_89_a_refund_is_for_admins(shop: Shop, shopper: Account) -> None:
    """S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    refused(post(shop, None, REFUND, {"payment_id": payment.id}), 401, "UNAUTHORIZED")
    refused(post(shop, shopper, REFUND, {"payment_id": payment.id}), 403, "FORBIDDEN")
    assert (shop.outs(), shop.daraja.moves) == ([], [])


@pytest.mark.parametrize(
    ("changes", "code", "http"),
    [
        *[({"payment_id": bad}, "VALIDATION_ERROR", 400) for bad in NO_NAMES],
        *[({"payment_id": bad}, "NOT_FOUND", 404) for bad in ("", "abc", 0, -1, 424_242, 10**19)],
        *[({"amount": bad}, "INVALID_AMOUNT", 400) for bad in NO_AMOUNTS],
        ({"amount": 5001}, "CONFLICT", 409),
        *[({"reason": bad}, "VALIDATION_ERROR", 400) for bad in NO_REASONS],
    ],
)
def test_s3_89_what_cannot_be_refunded_is_refused(
    shop: Shop, shopper: Account, admin: Account, changes: dict[str, Any], code: str, http: int
) -> None:
    """S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    refused(post(shop, admin, REFUND, {"payment_id": payment.id} | changes), http, code)
    refused(post(shop, admin, REFUND, {}), 400, "VALIDATION_ERROR")
    assert (shop.outs(), shop.daraja.moves) == ([], [])


def test_s3_89_an_unpaid_payment_has_nothing_to_send_back(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-89."""
    payment = begun(shop, shopper)
    refused(post(shop, admin, REFUND, {"payment_id": payment.id}), 409, "CONFLICT")


def test_s3_65_s3_89_a_repeated_refund_with_a_key_is_one_refund(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-65, S3-89."""
    payment = call_back(shop, begun(shop, shopper))
    body, key = {"payment_id": payment.id, "amount": 1000, "status": "completed"}, "one"
    answers = [post(shop, admin, REFUND, body, **{"Idempotency-Key": key}) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert [refund.status for refund in shop.outs()] == ["processing"]
    assert len(shop.daraja.moves) == 1


# Errors and limits.


@pytest.mark.parametrize("words", ["Wrong credentials", "Merchant does not exist"])
def test_s3_69_what_m_pesa_refuses_for_the_account_is_invalid_credentials(
    shop: Shop, shopper: Account, daraja: FakeDaraja, words: str
) -> None:
    """S3-69."""
    daraja.push_answer = refuse(words)
    answer = initiate(shop, shopper, course(shop))
    body = refused(answer, 502, "PROVIDER_REFUSED", "Invalid credentials")
    assert body["details"]["provider_message"] == words


@pytest.mark.parametrize("http", [400, 401])
def test_s3_69_a_key_that_gets_no_token_is_invalid_credentials(
    shop: Shop, shopper: Account, daraja: FakeDaraja, http: int
) -> None:
    """S3-69."""
    daraja.token_answer = lambda _: Answer(http, b"")
    answer = initiate(shop, shopper, course(shop))
    refused(answer, 502, "PROVIDER_REFUSED", "Invalid credentials")
    assert daraja.pushes == []


def test_s3_69_settings_that_are_missing_are_named(shop: Shop, shopper: Account) -> None:
    """S3-69."""
    shop.set(mpesa_environment=Environment.SANDBOX)
    answer = initiate(shop, shopper, course(shop))
    refused(answer, 503, "PROVIDER_UNAVAILABLE", "Missing required M-Pesa settings")


def test_s3_72_an_m_pesa_that_cannot_be_reached_is_503(shop: Shop, shopper: Account) -> None:
    """S3-72."""
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    answer = initiate(shop, shopper, course(shop))
    refused(answer, 503, "PROVIDER_UNAVAILABLE")
    assert answer.headers["Retry-After"]


def test_s3_66_what_happens_is_logged_without_phones_and_tokens(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S3-66."""
    with caplog.at_level(logging.INFO):
        payment = call_back(shop, begun(shop, shopper))
        told(shop, shopper, payment)
    lines = "\n".join(OneLine().format(row) for row in caplog.records)
    assert "STK push: HTTP 200" in lines
    assert "M-Pesa callback RAW:" in lines
    for secret in (PHONE, payment.callback_token, shopper.access):
        assert secret not in lines


def test_s3_87_each_door_has_its_limit_a_person(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S3-87: C-38."""
    shop.set(rate_limit_initiate="1/minute", rate_limit_status="1/minute")
    course_id = course(shop)
    assert initiate(shop, shopper, course_id).status_code == 200
    limited = post(shop, shopper, INITIATE, printed(course_id))
    refused(limited, 429, "RATE_LIMITED")
    assert int(limited.headers["Retry-After"]) > 0
    assert get(shop, shopper, MY).status_code == 200
    refused(status(shop, shopper, newest(shop).id), 429, "RATE_LIMITED")
    assert initiate(shop, other_shopper, course_id).status_code == 200
    assert get(shop, admin, ADMIN).status_code == 200
    refused(get(shop, admin, ADMIN), 429, "RATE_LIMITED")
