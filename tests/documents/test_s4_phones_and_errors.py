"""The shop guide: phone numbers and the account, and the words for what is wrong with them."""

from __future__ import annotations

import pytest

from app.config import Environment
from app.payments.states import Status
from tests.documents.s4 import (
    WIRE_PHONE,
    begun,
    call_back,
    initiate,
    order,
    queried,
    refused,
)
from tests.services.launch import free_port
from tests.support.app import Account, Shop
from tests.support.daraja import Answer, FakeDaraja, refuse, token


@pytest.mark.parametrize(
    "written",
    [
        *("0712345678", "712345678", "254712345678", "+254712345678"),
        *("0712 345 678", "+254 712-345-678", "254-712-345678", " 0712345678 "),
    ],
)
def test_s4_72_s4_100_s4_127_every_printed_form_is_the_same_number(
    shop: Shop, shopper: Account, daraja: FakeDaraja, written: str
) -> None:
    """S4-72, S4-100, S4-127: C-15."""
    begun(shop, shopper, order(shop, shopper), phone_number=written)
    assert daraja.pushes[0]["PhoneNumber"] == WIRE_PHONE


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ("0712345678", "254712345678"),
        ("0733123456", "254733123456"),
        ("0770123456", "254770123456"),
        ("0100123456", "254100123456"),
        ("0210123456", "254210123456"),
    ],
)
def test_s4_06_s4_73_s4_101_every_promised_network_gets_its_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja, written: str, wire: str
) -> None:
    """S4-06, S4-73, S4-101: C-17. Safaricom, Airtel and Telkom are taken; none is refused here."""
    wanted = order(shop, shopper)
    answer = initiate(shop, shopper, wanted, phone_number=written)
    assert answer.status_code == 200, answer.text
    assert daraja.pushes[0]["PhoneNumber"] == wire
    warned = "M-Pesa may refuse it" in answer.get_json()["data"]["message"]
    assert warned == (wire != "254712345678")
    assert call_back(shop, shop.payment(wanted)).status == Status.COMPLETED


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "abc", "07123456789", "071234567", "25471234567", "2547123456789"),
        *("254812345678", "254312345678", "255712345678", "++254712345678", "254" * 5000),
    ],
)
def test_s4_71_s4_73_anything_else_is_an_invalid_phone_number(
    shop: Shop, shopper: Account, daraja: FakeDaraja, written: str
) -> None:
    """S4-71, S4-73, S4-127: the words say how it is written."""
    answer = initiate(shop, shopper, order(shop, shopper), phone_number=written)
    body = refused(answer, 400, "INVALID_PHONE", "Invalid Phone Number")
    for told in ("12 digits", "2547, 2541 or 2542"):
        assert told in body["message"]
    assert daraja.pushes == []


@pytest.mark.parametrize(
    ("code", "words", "http"),
    [
        ("500.001.1001", "Invalid phone number", 500),
        ("500.001.1001", "Missing ICCID value in request", 500),
        ("400.002.02", "Bad Request - Invalid PhoneNumber", 400),
    ],
)
def test_s4_71_s4_114_a_phone_that_m_pesa_refuses_is_an_invalid_phone_number_too(
    shop: Shop, shopper: Account, daraja: FakeDaraja, code: str, words: str, http: int
) -> None:
    """S4-71, S4-114."""
    daraja.push_answer = refuse(words, code, http)
    wanted = order(shop, shopper)
    body = refused(initiate(shop, shopper, wanted), 400, "INVALID_PHONE", "Invalid Phone Number")
    assert body["details"]["provider_code"] == code
    assert body["details"]["provider_message"] == words
    assert queried(shop, shopper, wanted)["status"] == "failed"


@pytest.mark.parametrize("words", ["The transaction is being processed", "Internal Server Error"])
def test_s4_114_the_same_code_with_other_words_says_nothing_about_the_phone(
    shop: Shop, shopper: Account, daraja: FakeDaraja, words: str
) -> None:
    """S4-114: C-28. Being processed is pending, and never failed."""
    daraja.push_answer = refuse(words)
    wanted = order(shop, shopper)
    assert initiate(shop, shopper, wanted).status_code == 202
    daraja.query_answer = refuse(words)
    shop.sweep()
    assert queried(shop, shopper, wanted)["status"] == "pending"


# The account.


@pytest.mark.parametrize("http", [400, 401])
def test_s4_69_a_key_that_gets_no_token_is_an_invalid_access_token(
    shop: Shop, shopper: Account, daraja: FakeDaraja, http: int
) -> None:
    """S4-69."""
    daraja.token_answer = lambda _: Answer(http, b"")
    answer = initiate(shop, shopper, order(shop, shopper))
    refused(answer, 502, "PROVIDER_REFUSED", "Invalid Access Token")
    assert daraja.pushes == []


def test_s4_69_s4_70_a_token_that_has_ended_is_replaced_without_anybody_noticing(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-69, S4-70."""
    begun(shop, shopper, order(shop, shopper))
    daraja.token_answer = token("a-fresh-one")
    answers = [refuse("Invalid Access Token", "404.001.03", 404), daraja.accept]
    daraja.push_answer = lambda push: answers.pop(0)(push)
    begun(shop, shopper, order(shop, shopper))
    used = [asked.headers["Authorization"] for asked in daraja.requests if asked.body]
    assert used[-1] == "Bearer a-fresh-one"
    assert daraja.token_fetches == 2


def test_s4_69_a_token_that_stays_refused_is_named(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-69, S4-70: trying again later works without a restart."""
    daraja.push_answer = refuse("Invalid Access Token", "404.001.03", 404)
    wanted = order(shop, shopper)
    answer = initiate(shop, shopper, wanted)
    refused(answer, 502, "PROVIDER_REFUSED", "Invalid Access Token")
    daraja.push_answer = daraja.accept
    begun(shop, shopper, wanted)


@pytest.mark.parametrize("words", ["Wrong credentials", "Merchant does not exist"])
def test_s4_75_a_wrong_shortcode_or_passkey_is_insufficient_permissions(
    shop: Shop, shopper: Account, daraja: FakeDaraja, words: str
) -> None:
    """S4-75."""
    daraja.push_answer = refuse(words)
    answer = initiate(shop, shopper, order(shop, shopper))
    body = refused(answer, 502, "PROVIDER_REFUSED", "Insufficient Permissions")
    assert body["details"]["provider_message"] == words


def test_s4_128_every_other_error_says_what_is_wrong_and_charges_nothing(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-128."""
    wanted = order(shop, shopper)
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    away = initiate(shop, shopper, wanted)
    refused(away, 503, "PROVIDER_UNAVAILABLE")
    assert int(away.headers["Retry-After"]) > 0
    shop.restore_settings()
    shop.set(mpesa_environment=Environment.SANDBOX)
    unset = initiate(shop, shopper, wanted)
    refused(unset, 503, "PROVIDER_UNAVAILABLE", "Missing required M-Pesa settings")
    assert daraja.pushes == []
