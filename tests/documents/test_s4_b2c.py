"""The shop guide: what Daraja posts about B2C, the settings of money out, refunds by B2C."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.config import Environment
from app.disbursements.models import Disbursement
from tests.documents.s4 import ACCEPTED, refused
from tests.support import results
from tests.support.app import STRANGER, Account, Shop, later
from tests.support.daraja import CERTIFICATE, FakeDaraja
from tests.support.money_out import RESULT_PATH, TIMEOUT_PATH

SANDBOX: dict[str, Any] = {
    "mpesa_environment": Environment.SANDBOX,
    "mpesa_consumer_key": "k",
    "mpesa_consumer_secret": "s",
    "mpesa_passkey": "p",
    "mpesa_shortcode": "174379",
}

# What Daraja posts.


@pytest.fixture
def sent(shop: Shop, admin: Account) -> Disbursement:
    return shop.payout(admin)


@pytest.mark.parametrize("slash", ["", "/"])
def test_s4_51_a_result_ends_the_payout(shop: Shop, sent: Disbursement, slash: str) -> None:
    """S4-51."""
    body = results.paid_out(sent)
    answer = shop.result(body, token=sent.token, path=f"{RESULT_PATH}{slash}")
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    assert shop.out(sent).status == "completed"


def test_s4_51_a_result_is_believed_with_proof_only(shop: Shop, sent: Disbursement) -> None:
    """S4-51."""
    answer = shop.result(results.paid_out(sent), peer=STRANGER)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    assert shop.out(sent).status == "processing"


@pytest.mark.parametrize("slash", ["", "/"])
def test_s4_52_a_time_out_leaves_the_payout_unknown(
    shop: Shop, sent: Disbursement, slash: str
) -> None:
    """S4-52: it may have been paid all the same, and is not sent again."""
    body = shop.daraja.payouts[0]
    answer = shop.result(body, token=sent.token, path=f"{TIMEOUT_PATH}{slash}")
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    assert shop.out(sent).status == "unknown"
    with later(3600):
        shop.sweep_out()
    assert len(shop.daraja.moves) == 1


@pytest.mark.parametrize("path", [RESULT_PATH, TIMEOUT_PATH])
def test_s4_51_s4_52_only_posts_are_taken(shop: Shop, path: str) -> None:
    """S4-51, S4-52."""
    refused(shop.client().get(path), 405, "METHOD_NOT_ALLOWED")


# Settings.


def test_s4_18_to_s4_22_the_documents_account_pays_and_hears_at_its_addresses(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """S4-18, S4-19, S4-20, S4-21, S4-22."""
    root = "https://your-domain.com/api/payments/b2c"
    shop.set(
        mpesa_b2c_shortcode="600123",
        mpesa_b2c_initiator_name="somebody",
        mpesa_b2c_security_credential="your_credential",
        mpesa_b2c_result_url=f"{root}/result",
        mpesa_b2c_timeout_url=f"{root}/timeout",
    )
    record = shop.payout(admin)
    [asked] = daraja.payouts
    assert (asked["PartyA"], asked["InitiatorName"]) == ("600123", "somebody")
    assert asked["SecurityCredential"] == "your_credential"
    assert asked["ResultURL"] == f"{root}/result?token={record.token}"
    assert asked["QueueTimeOutURL"] == f"{root}/timeout?token={record.token}"


def test_s4_18_s4_19_without_settings_the_simulators_account_pays(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """S4-18, S4-19."""
    shop.payout(admin)
    assert daraja.payouts[0]["PartyA"] == "600000"
    assert daraja.payouts[0]["InitiatorName"] == "testapi"


def test_s3_21_s3_22_the_initiators_password_is_sent_encrypted(
    shop: Shop, admin: Account, daraja: FakeDaraja, tmp_path: Path
) -> None:
    """S3-21, S3-22: for the eyes of whoever holds the certificate's key, and new each time."""
    certificate = tmp_path / "daraja.cer"
    certificate.write_bytes(CERTIFICATE.pem())
    shop.set(
        **SANDBOX,
        mpesa_b2c_initiator_name="your_initiator_name",
        mpesa_b2c_initiator_password="your_initiator_password",
        mpesa_b2c_certificate=str(certificate),
    )
    for _ in range(2):
        assert shop.payout(admin).status == "processing"
    first, second = (asked["SecurityCredential"] for asked in daraja.payouts)
    assert first != second
    assert _opened(first) == _opened(second) == "your_initiator_password"
    assert {asked["InitiatorName"] for asked in daraja.payouts} == {"your_initiator_name"}
    assert {asked["PartyA"] for asked in daraja.payouts} == {"174379"}, "the one that collects"


def _opened(credential: str) -> str:
    opened = CERTIFICATE.decrypt(base64.b64decode(credential))
    assert opened is not None
    return opened.decode()


@pytest.mark.parametrize("certificate", ["/nowhere/at-all.cer", __file__, None])
def test_s3_22_a_certificate_that_is_none_holds_the_payout_and_says_so(
    shop: Shop, admin: Account, daraja: FakeDaraja, certificate: str | None
) -> None:
    """S3-22."""
    shop.set(
        **SANDBOX,
        mpesa_b2c_initiator_name="testapi",
        mpesa_b2c_initiator_password="a password",
        mpesa_b2c_certificate=certificate,
    )
    record = shop.payout(admin)
    assert (record.status, record.held) == ("queued", "not_configured")
    assert "MPESA_B2C_CERTIFICATE" in shop.out_timeline(record)[-1].why
    assert daraja.moves == []


# Refunds, the sandbox, and production.


def test_s4_121_a_refund_goes_back_by_b2c_to_the_phone_that_paid(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    """S4-121."""
    payment = shop.completed(shopper)
    shop.refund(admin, payment, 500)
    [asked] = daraja.payouts
    assert (asked["PartyB"], asked["Amount"]) == (payment.phone, 500)


def test_s4_122_a_result_that_never_comes_is_asked_for(
    shop: Shop, sent: Disbursement, daraja: FakeDaraja
) -> None:
    """S4-122: in the sandbox as anywhere."""
    with later(60):
        shop.sweep_out()
    assert len(daraja.status_questions) == 1
    shop.result(results.status_told(sent), query=shop.question_token())
    assert shop.out(sent).status == "completed"
    assert len(daraja.moves) == 1


def test_s4_124_in_production_a_second_admin_agrees_to_each_payout(
    shop: Shop, admin: Account
) -> None:
    """S4-124."""
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        settings_encryption_key=Fernet.generate_key().decode(),
    )
    assert shop.ask_payout(admin, amount=10).get_json()["data"]["status"] == "awaiting_approval"
