"""S1, the STK push document: its callback address, and its names for settings."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from unittest import mock

import pytest

from app.config import Settings
from app.monitoring import OneLine
from app.payments.models import Payment
from app.settings.service import mpesa_settings
from tests.documents.s1 import CALLBACK, RECEIPT, order_of, prompted, query
from tests.services.launch import free_port
from tests.support.app import SAFARICOM, STRANGER, Account, Shop
from tests.support.daraja import FakeDaraja, ended, paid, unpaid

TAKEN = {"ResultCode": 0, "ResultDesc": "Accepted"}


def credited_cents(shop: Shop, payment: Payment) -> int | None:
    return shop.fresh(payment).received_cents


def test_s1_14_s1_19_s1_20_safaricoms_callback_settles_the_payment(shop: Shop) -> None:
    """S1-14, S1-19, S1-20."""
    payment = prompted(shop)
    body = paid(payment.checkout_request_id, 100, RECEIPT)
    answer = shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert (answer.status_code, answer.get_json()) == (200, TAKEN)
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", RECEIPT)
    assert order_of(shop, payment).status == "paid"


def test_s1_14_a_repeated_callback_credits_once(shop: Shop) -> None:
    """S1-14."""
    payment = prompted(shop)
    body = paid(payment.checkout_request_id, 100, RECEIPT)
    for _ in range(3):
        answer = shop.callback(body, token=payment.callback_token, path=CALLBACK)
        assert (answer.status_code, answer.get_json()) == (200, TAKEN)
    assert credited_cents(shop, payment) == 10_000
    assert len(shop.inbox()) == 1


def test_s1_14_s1_20_a_success_after_a_failure_counts(shop: Shop) -> None:
    """S1-14, S1-20."""
    payment = prompted(shop)
    token = payment.callback_token
    shop.callback(unpaid(payment.checkout_request_id, 1037), token=token, path=CALLBACK)
    assert shop.fresh(payment).status == "expired"
    shop.callback(paid(payment.checkout_request_id, 100), token=token, path=CALLBACK)
    assert shop.fresh(payment).status == "completed"


@pytest.mark.parametrize("amount", [99, 101])
def test_s1_14_another_amount_goes_before_a_person(shop: Shop, amount: int) -> None:
    """S1-14."""
    payment = prompted(shop)
    body = paid(payment.checkout_request_id, amount)
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    assert shop.fresh(payment).status == "review"
    assert order_of(shop, payment).status == "review"
    assert payment.id in shop.asked_about()


def test_s1_14_an_unknown_id_is_taken_and_changes_nothing(shop: Shop) -> None:
    """S1-14."""
    payment = prompted(shop)
    answer = shop.callback(paid("ws_CO_nobody_s"), path=CALLBACK)
    assert (answer.status_code, answer.get_json()) == (200, TAKEN)
    assert shop.fresh(payment).status == "pending"
    assert str(shop.inbox()[0].verdict).startswith("unknown CheckoutRequestID")


@pytest.mark.parametrize("with_token", [False, True])
def test_s1_15_s1_27_whoever_is_not_on_the_list_gets_403_and_moves_nothing(
    shop: Shop, with_token: bool
) -> None:
    """S1-15, S1-27: C-8."""
    payment = prompted(shop)
    token = payment.callback_token if with_token else None
    bodies = [paid(payment.checkout_request_id, 100, RECEIPT), unpaid(payment.checkout_request_id)]
    for body in bodies:
        answer = shop.callback(body, token=token, path=CALLBACK, peer=STRANGER)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "FORBIDDEN")
    shop.sweep()
    unchanged = shop.fresh(payment)
    assert (unchanged.status, unchanged.mpesa_receipt) == ("pending", None)
    assert credited_cents(shop, payment) is None


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"x" * 70_000])
def test_s1_15_403_whatever_is_posted(shop: Shop, raw: bytes) -> None:
    """S1-15, S1-403."""
    answer = shop.callback(raw, path=CALLBACK, peer=STRANGER, content_type="text/plain")
    assert answer.status_code == 403


def test_s1_15_a_flood_of_strangers_is_403_and_not_kept_for_ever(shop: Shop) -> None:
    """S1-15."""
    for number in range(70):
        answer = shop.callback(f"{number}".encode(), path=CALLBACK, peer=STRANGER)
        assert answer.status_code == 403
    assert len(shop.inbox()) == 60


def test_s1_15_refused_callers_are_shown_to_the_admin_and_logged(
    shop: Shop, admin: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-15: C-8, S1-46, S1-48."""
    payment = prompted(shop)
    with caplog.at_level(logging.INFO):
        shop.callback(paid(payment.checkout_request_id), path=CALLBACK, peer=STRANGER)
    page = shop.client().get("/admin", headers=admin.headers).text
    assert STRANGER in page
    assert CALLBACK in page
    lines = [OneLine().format(row) for row in caplog.records if row.name == "payments.mpesa"]
    assert any(f"{CALLBACK} refused to {STRANGER} with 403" in line for line in lines)


def test_s1_15_a_claimed_address_is_not_believed(shop: Shop) -> None:
    """S1-15: E6: nobody has declared a proxy."""
    answer = shop.client().post(
        CALLBACK,
        json=paid("ws_CO_1"),
        headers={"X-Forwarded-For": SAFARICOM, "X-Real-IP": SAFARICOM, "Forwarded": SAFARICOM},
        environ_overrides={"REMOTE_ADDR": STRANGER},
    )
    assert answer.status_code == 403


def test_s1_15_the_list_can_be_edited(shop: Shop) -> None:
    """S1-15: C-8."""
    shop.set(mpesa_callback_allowlist="203.0.113.0/24")
    assert shop.callback({}, path=CALLBACK, peer=STRANGER).status_code == 200
    assert shop.callback({}, path=CALLBACK, peer=SAFARICOM).status_code == 403


def test_s1_19_a_true_callback_by_an_undeclared_proxy_still_brings_the_money_home(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-19: It is refused, kept, and at most a reason to ask Daraja, whose word decides."""
    payment = prompted(shop)
    body = paid(payment.checkout_request_id, 100, RECEIPT)
    answer = shop.callback(body, token=payment.callback_token, path=CALLBACK, peer="10.0.0.7")
    assert answer.status_code == 403
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    shop.sweep()
    assert shop.fresh(payment).status == "completed"
    told = query(shop, payment.checkout_request_id).get_json()["local_transaction"]
    assert (told["status"], told["receipt_no"]) == ("0", RECEIPT)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"Body": {}}', b"\xff\xfe", b"null"])
def test_s1_46_a_callback_that_nobody_can_read_is_kept_and_logged(
    shop: Shop, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-46."""
    with caplog.at_level(logging.INFO):
        answer = shop.callback(raw, path=CALLBACK)
    assert answer.status_code == 200
    assert str(shop.inbox()[0].verdict).startswith("unreadable")
    lines = [row.getMessage() for row in caplog.records if row.name == "payments.mpesa"]
    assert any("unreadable" in line for line in lines), "S1-48"


# The names of settings.

NAMES = {
    "consumer_key": "mpesa_consumer_key",
    "consumer_secret": "mpesa_consumer_secret",
    "shortcode": "mpesa_shortcode",
    "pass_key": "mpesa_passkey",
    "access_token_url": "mpesa_access_token_url",
    "checkout_url": "mpesa_checkout_url",
    "mpesa_query_check_url": "mpesa_query_check_url",
    "c2b_callback": "mpesa_callback_url",
}
#: As the document prints them, for a .env file.
PRINTED = """\
consumer_key=your_consumer_key
consumer_secret=your_consumer_secret
shortcode=your_shortcode
pass_key=your_passkey
access_token_url=https://sandbox.safaricom.co.ke/oauth/v1/generate?grant_type=client_credentials
checkout_url=https://sandbox.safaricom.co.ke/mpesa/stkpush/v1/processrequest
mpesa_query_check_url=https://sandbox.safaricom.co.ke/mpesa/stkpushquery/v1/query
c2b_callback=https://yourdomain.com/payments/callback/
"""


def test_s1_35_s1_36_s1_37_s1_38_s1_39_s1_40_s1_41_s1_42_the_printed_lines_work_anywhere(
    tmp_path: Path,
) -> None:
    """S1-35, S1-36, S1-37, S1-38, S1-39, S1-40, S1-41, S1-42."""
    wanted = dict(line.split("=", 1) for line in PRINTED.splitlines())
    file = tmp_path / ".env"
    file.write_text(PRINTED)
    with mock.patch.dict(os.environ, clear=True):
        from_file = Settings(_env_file=file)
    with mock.patch.dict(os.environ, wanted, clear=True):
        from_environment = Settings(_env_file=None)
    assert set(wanted) == set(NAMES)
    for printed, attribute in NAMES.items():
        assert getattr(from_file, attribute) == wanted[printed], printed
        assert getattr(from_environment, attribute) == wanted[printed], printed


def test_s1_35_the_upper_case_name_comes_before_the_lower_case_one() -> None:
    """S1-35: C-32; blank is unset."""
    both = {"MPESA_PASSKEY": "upper", "pass_key": "lower"}
    with mock.patch.dict(os.environ, both, clear=True):
        assert Settings(_env_file=None).mpesa_passkey == "upper"
    with mock.patch.dict(os.environ, both | {"MPESA_PASSKEY": ""}, clear=True):
        assert Settings(_env_file=None).mpesa_passkey == "lower"


def test_s1_39_s1_40_s1_41_whole_addresses_come_before_the_environments_own(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-39, S1-40, S1-41: C-33."""
    shop.set(
        mpesa_base_url=f"http://127.0.0.1:{free_port()}",
        mpesa_access_token_url=f"{daraja.url}/oauth/v1/generate?grant_type=client_credentials",
        mpesa_checkout_url=f"{daraja.url}/mpesa/stkpush/v1/processrequest",
        mpesa_query_check_url=f"{daraja.url}/mpesa/stkpushquery/v1/query",
    )
    payment = prompted(shop)
    assert query(shop, payment.checkout_request_id).status_code == 200
    assert [asked.path.partition("?")[0] for asked in daraja.requests] == [
        "/oauth/v1/generate",
        "/mpesa/stkpush/v1/processrequest",
        "/mpesa/stkpushquery/v1/query",
    ]


def test_s1_42_the_callback_address_is_given_out_with_the_attempts_token(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-42: C-34, C-9."""
    shop.set(mpesa_callback_url="https://yourdomain.com/payments/callback/")
    with shop.app.app_context():
        assert mpesa_settings().callback_url == "https://yourdomain.com/payments/callback/"
    payment = prompted(shop)
    [push] = daraja.pushes
    address = f"https://yourdomain.com/payments/callback/?token={payment.callback_token}"
    assert push["CallBackURL"] == address
