"""Who may move money: the operator, his password, and the certificate that hides it."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.simulator.certificate import Certificate
from app.simulator.credentials import Initiators
from app.simulator.settings import SimulatorSettings
from tests.simulator.client import (
    INITIATOR,
    INITIATOR_PASSWORD,
    Daraja,
    Receiver,
    eventually,
    new_msisdn,
    security_credential,
)

OWN_INITIATOR, OWN_PASSWORD = "shop-operator", "duka#2026"


def initiators(**settings: str) -> tuple[Initiators, bytes]:
    certificate = Certificate()
    return Initiators(SimulatorSettings(**settings), certificate), certificate.pem()  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_a_wrong_password_is_acknowledged_and_then_ends_with_2001(
    daraja: Daraja, receiver: Receiver, version: str
):
    wrong = daraja.credential("not the password")
    conversation = daraja.pay_out(new_msisdn(), SecurityCredential=wrong, version=version)
    (letter,) = receiver.wait_for_result(conversation)
    result = letter.result
    assert result["ResultCode"] == 2001
    assert result["ResultDesc"] == "The initiator information is invalid."
    assert result["TransactionID"].endswith("0000000")
    assert "ResultParameters" not in result
    assert daraja.money_out() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"InitiatorName": "nobody"},
        {"SecurityCredential": "not base64 !"},
        {"SecurityCredential": base64.b64encode(INITIATOR_PASSWORD.encode()).decode()},
        {"SecurityCredential": base64.b64encode(bytes(256)).decode()},
        {"PartyA": "600001"},
    ],
)
def test_whatever_else_is_wrong_about_the_operator_ends_with_2001(
    daraja: Daraja, receiver: Receiver, fields: dict[str, str]
):
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn(), **fields))
    assert letter.result["ResultCode"] == 2001
    assert daraja.money_out() == []


def test_a_credential_made_with_another_certificate_ends_with_2001(
    daraja: Daraja, receiver: Receiver
):
    foreign = security_credential(Certificate().pem())
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn(), SecurityCredential=foreign))
    assert letter.result["ResultCode"] == 2001


@pytest.mark.parametrize("api", ["reverse", "status", "balance"])
def test_every_api_opens_the_credential(daraja: Daraja, receiver: Receiver, api: str):
    wrong = {"SecurityCredential": daraja.credential("not the password")}
    answer = {
        "reverse": lambda: daraja.reverse("UKL0ABCDEF", **wrong),
        "status": lambda: daraja.status(TransactionID="UKL0ABCDEF", **wrong),
        "balance": lambda: daraja.balance(**wrong),
    }[api]()
    assert answer.status_code == 200
    (letter,) = receiver.wait_for_result(answer.json()["ConversationID"])
    assert str(letter.result["ResultCode"]) == "2001"


def test_the_credential_differs_at_every_run_and_is_always_welcome(
    daraja: Daraja, receiver: Receiver
):
    pem = daraja.call("GET", "/simulator/certificate.pem").content
    made = [security_credential(pem) for _ in range(3)]
    assert len(set(made)) == 3
    assert {len(one) for one in made} == {344}
    for credential in made:
        conversation = daraja.pay_out(new_msisdn(), SecurityCredential=credential)
        (letter,) = receiver.wait_for_result(conversation)
        assert letter.result["ResultCode"] == 0


def test_a_developer_is_told_what_was_wrong_and_no_secret_is_written_down(daraja: Daraja):
    wrong = daraja.credential("not the password")
    daraja.pay_out(new_msisdn(), SecurityCredential=wrong)
    eventually(lambda: "holds another password" in str(daraja.traffic()))
    assert "not the password" not in str(daraja.traffic())
    assert wrong not in str(daraja.traffic())


def test_the_operator_of_the_settings_is_known_beside_the_simulators_own():
    known, pem = initiators(
        b2c_initiator=OWN_INITIATOR, b2c_password=OWN_PASSWORD, b2c_shortcode="600777"
    )
    for name, password in ((OWN_INITIATOR, OWN_PASSWORD), (INITIATOR, INITIATOR_PASSWORD)):
        credential = security_credential(pem, password)
        for shortcode in ("600777", "600000", "174379"):
            assert known.complaint(name, credential, shortcode) is None
    crossed = security_credential(pem, INITIATOR_PASSWORD)
    assert known.complaint(OWN_INITIATOR, crossed, "600777")


def test_a_password_in_the_settings_without_a_name_is_another_one_of_the_usual_operator():
    known, pem = initiators(b2c_password=OWN_PASSWORD)
    for password in (OWN_PASSWORD, INITIATOR_PASSWORD):
        assert known.complaint(INITIATOR, security_credential(pem, password), "600000") is None


def test_a_ready_made_credential_of_the_settings_is_taken_at_its_word_and_no_other():
    ready = base64.b64encode(b"made with a certificate of Safaricom's").decode()
    known, _ = initiators(b2c_initiator=OWN_INITIATOR, b2c_credential=ready)
    assert known.complaint(OWN_INITIATOR, ready, "600000") is None
    assert known.complaint(OWN_INITIATOR, ready[:-4] + "AAA=", "600000")
    assert known.complaint(INITIATOR, ready, "600000")
    assert known.complaint(OWN_INITIATOR, ready, "999999")


def test_without_a_ready_made_credential_nothing_passes_for_one():
    known, _ = initiators()
    assert known.complaint(INITIATOR, "", "600000")


def test_the_certificate_is_rsa_2048_and_opens_what_is_made_with_it():
    certificate = Certificate()
    credential = security_credential(certificate.pem(), "Käse")
    assert isinstance(certificate._key, rsa.RSAPrivateKey)
    assert certificate._key.key_size == 2048
    assert certificate.decrypt(base64.b64decode(credential)) == "Käse".encode()
    assert certificate.decrypt(b"short") is None


def test_settings_of_money_out_come_from_the_shops_own_names():
    settings = SimulatorSettings.from_environment(
        {
            "MPESA_B2C_SHORTCODE": "600777",
            "MPESA_B2C_INITIATOR_NAME": OWN_INITIATOR,
            "MPESA_B2C_INITIATOR_PASSWORD": OWN_PASSWORD,
            "MPESA_B2C_SECURITY_CREDENTIAL": "ready",
            "SIMULATOR_UTILITY_FLOAT": "2500",
        }
    )
    assert settings.initiators()[OWN_INITIATOR] == {OWN_PASSWORD}
    assert settings.ready_credential() == (OWN_INITIATOR, "ready")
    assert settings.operated_shortcodes() == {"174379", "600000", "600777"}
    assert settings.utility_float == 2_500
    assert OWN_PASSWORD not in repr(settings)
    assert "ready" not in repr(settings)


def test_a_float_below_nothing_is_refused():
    with pytest.raises(ValueError, match="must be"):
        SimulatorSettings.from_environment({"SIMULATOR_UTILITY_FLOAT": "-1"})
