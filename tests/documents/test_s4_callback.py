"""The shop guide: what M-Pesa posts, by what it is believed, and what the log says of it all."""

from __future__ import annotations

import logging
import re

import pytest

from app.config import Environment
from app.monitoring import OneLine
from app.payments.models import Payment
from app.payments.states import Status
from tests.documents.s4 import (
    ACCEPTED,
    CALLBACK,
    PRICE,
    RECEIPT,
    SUCCESS,
    WIRE_PHONE,
    begun,
    call_back,
    initiate,
    order,
    queried,
    sample,
)
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, together
from tests.support.daraja import Answer, FakeDaraja, ended, html, refuse, unpaid

LOGGER = "payments.mpesa"


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    """One of the printed amount, whose prompt is open."""
    return begun(shop, shopper, order(shop, shopper))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Every line of the guide's logger, as the terminal shows it."""
    return [OneLine().format(row) for row in caplog.records if row.name == LOGGER]


def line(caplog: pytest.LogCaptureFixture, pattern: str) -> str:
    """The one line that holds this."""
    (found,) = [text for text in told(caplog) if re.search(pattern, text)]
    return found


# The callback.


@pytest.mark.parametrize("path", [CALLBACK, f"{CALLBACK}/"])
def test_s4_39_s4_40_s4_41_s4_125_the_printed_callback_pays_the_order(
    shop: Shop, shopper: Account, payment: Payment, path: str
) -> None:
    """S4-39, S4-40, S4-41, S4-125: it has no Authorization header, and no TransactionDate."""
    body = sample(payment.checkout_request_id)
    body["Body"]["stkCallback"]["MerchantRequestID"] = payment.merchant_request_id
    answer = shop.callback(body, token=payment.callback_token, path=path)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    after = shop.fresh(payment)
    assert (after.status, after.mpesa_receipt) == (Status.COMPLETED, RECEIPT)
    assert after.received_cents == PRICE * 100


@pytest.mark.parametrize(
    "values", [{"Amount": 1000.0}, {"Amount": "1000.00"}, {"PhoneNumber": WIRE_PHONE}]
)
def test_s4_41_numbers_and_texts_are_read_alike(
    shop: Shop, payment: Payment, values: dict[str, object]
) -> None:
    """S4-41: C-13."""
    assert call_back(shop, payment, **values).status == Status.COMPLETED


def test_s4_39_a_callback_that_is_repeated_credits_once(
    shop: Shop, shopper: Account, payment: Payment
) -> None:
    """S4-39, S4-125."""
    together(8, lambda _: call_back(shop, payment))
    call_back(shop, payment)
    assert [credit.amount_cents for credit in shop.credits()] == [PRICE * 100]


@pytest.mark.parametrize(
    ("with_token", "peer"), [(False, STRANGER), (True, STRANGER), (False, SAFARICOM)]
)
def test_s4_103_without_both_proofs_only_daraja_decides(
    shop: Shop, payment: Payment, daraja: FakeDaraja, with_token: bool, peer: str
) -> None:
    """S4-103: C-9."""
    body = sample(payment.checkout_request_id)
    body["Body"]["stkCallback"]["MerchantRequestID"] = payment.merchant_request_id
    token = payment.callback_token if with_token else None
    assert shop.callback(body, token=token, peer=peer).get_json() == ACCEPTED
    assert shop.fresh(payment).status == Status.PENDING
    daraja.query_answer = ended("1032", "Request cancelled by user")
    shop.ask(payment)
    assert shop.fresh(payment).status == Status.CANCELLED
    assert shop.credits() == []


def test_s4_103_no_header_makes_a_stranger_safaricom(shop: Shop, payment: Payment) -> None:
    """S4-103: C-8. Only as many hops are believed as the shop has proxies, and it has none."""
    answer = shop.client().post(
        CALLBACK,
        json=sample(payment.checkout_request_id),
        query_string={"token": payment.callback_token},
        headers={"X-Forwarded-For": SAFARICOM},
        environ_overrides={"REMOTE_ADDR": STRANGER},
    )
    assert answer.get_json() == ACCEPTED
    assert shop.fresh(payment).status == Status.PENDING
    assert [kept.origin_proven for kept in shop.inbox()] == [False]


# The log.


def test_s4_81_a_fetched_access_token_is_logged_and_not_shown(
    shop: Shop, shopper: Account, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-81, S4-129."""
    with caplog.at_level(logging.INFO):
        begun(shop, shopper, order(shop, shopper))
    assert "INFO" in line(caplog, "access token fetched")
    used = daraja.requests[-1].headers["Authorization"].removeprefix("Bearer ")
    assert used not in caplog.text


def test_s4_82_a_push_and_its_answer_are_logged(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-82, S4-129."""
    wanted = order(shop, shopper)
    with caplog.at_level(logging.INFO):
        payment = begun(shop, shopper, wanted)
    asked = line(caplog, "STK push request:")
    assert f"KES {PRICE} for {wanted['reference']} from 0712 *** 678" in asked
    answered = line(caplog, "STK push: HTTP 200")
    assert payment.merchant_request_id
    assert payment.merchant_request_id in answered
    lines = told(caplog)
    assert lines.index(asked) < lines.index(answered)


def test_s4_82_a_query_and_its_answer_are_logged(
    shop: Shop, payment: Payment, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-82."""
    daraja.query_answer = ended("1032", "Request cancelled by user")
    with caplog.at_level(logging.INFO):
        shop.callback(unpaid(payment.checkout_request_id), peer=STRANGER)
        shop.ask(payment)
    assert "1032" in line(caplog, "STK query of ws_CO_")


def test_s4_78_s4_83_the_raw_callback_is_logged_under_the_printed_words(
    shop: Shop, payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-78, S4-83: C-40."""
    with caplog.at_level(logging.INFO):
        call_back(shop, payment)
    (row,) = [row for row in caplog.records if "RAW" in row.getMessage()]
    assert row.name == LOGGER
    assert row.getMessage().startswith("M-Pesa callback RAW: {")
    assert RECEIPT in row.getMessage()


def test_s4_83_even_a_callback_that_nobody_can_read_is_logged_as_one_line(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-83."""
    with caplog.at_level(logging.INFO):
        shop.callback(b"\xff no JSON\nM-Pesa callback RAW: forged", peer=STRANGER)
    raw = line(caplog, "M-Pesa callback RAW:")
    assert "\\nM-Pesa callback RAW: forged" in raw


def test_s4_84_every_change_of_a_payment_is_logged_once(
    shop: Shop, payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-84."""
    with caplog.at_level(logging.INFO):
        shop.callback(unpaid(payment.checkout_request_id, 1037), token=payment.callback_token)
        call_back(shop, payment)
        call_back(shop, payment)
    name = payment.public_ref
    assert line(caplog, f"payment {name}: pending -> expired")
    assert line(caplog, f"payment {name}: expired -> completed")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("refused", "STK push: HTTP 500, .*Wrong credentials"),
        ("no token", "ERROR payments.mpesa STK push: not sent, HTTP 400"),
        ("unanswered", "STK push: HTTP 502"),
    ],
)
def test_s4_85_s4_105_an_error_is_logged_with_its_cause(
    shop: Shop,
    shopper: Account,
    daraja: FakeDaraja,
    caplog: pytest.LogCaptureFixture,
    broken: str,
    words: str,
) -> None:
    """S4-85, S4-105."""
    if broken == "no token":
        daraja.token_answer = lambda _: Answer(400, b"")
    daraja.push_answer = html(502) if broken == "unanswered" else refuse("Wrong credentials")
    with caplog.at_level(logging.INFO):
        initiate(shop, shopper, order(shop, shopper))
    assert line(caplog, words)


def test_s4_85_a_query_that_cannot_be_sent_is_logged(
    shop: Shop, payment: Payment, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-85."""
    shop.set(mpesa_base_url="http://127.0.0.1:9")
    shop.callback(unpaid(payment.checkout_request_id), peer=STRANGER)
    with caplog.at_level(logging.INFO):
        shop.ask(payment)
    assert "WARNING" in line(caplog, "STK query of ws_CO_.*: not sent")


def test_s4_105_a_whole_payment_can_be_followed_and_gives_nobody_away(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-105, S4-81, S4-82, S4-83, S4-84, S4-129: I10."""
    with caplog.at_level(logging.INFO):
        wanted = order(shop, shopper)
        payment = begun(shop, shopper, wanted)
        call_back(shop, payment)
        queried(shop, shopper, wanted)
    steps = ["STK push request", "access token fetched", "STK push: HTTP 200", "created -> pending"]
    steps += ["callback RAW", "pending -> completed", "payment_confirmed"]
    lines = told(caplog)
    found = [next(n for n, text in enumerate(lines) if step in text) for step in steps]
    assert found == sorted(found)
    everything = "\n".join(OneLine().format(row) for row in caplog.records)
    for secret in (WIRE_PHONE, "0712345678", payment.callback_token, shopper.access):
        assert secret not in everything


def test_s4_83_in_production_no_log_gets_a_whole_number_however_it_is_written(
    shop: Shop, payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-83: C-40. Outside production the record is the body, and only our terminal masks it."""
    numbers = ["254712345678", "+254712345678", "0712345678", "254210345678", "254110345678"]
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        settings_encryption_key="6hnQlP0eWdD2Zr1gT0HnTnq9z6b0W5gkq1r3m1Yv3xQ=",
    )
    with caplog.at_level(logging.INFO):
        for number in numbers:
            body = sample(payment.checkout_request_id, PhoneNumber=number, Balance=SUCCESS)
            shop.callback(body, token=payment.callback_token)
    raw = [row.getMessage() for row in caplog.records if "RAW" in row.getMessage()]
    assert len(raw) == len(numbers)
    for number, text in zip(numbers, raw, strict=True):
        assert number[-9:] not in text
        assert "712345678" not in text, "the CheckoutRequestID ends in the payer's number"
        assert RECEIPT in text
