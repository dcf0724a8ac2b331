"""Transaction status: what became of a transaction."""

import re
from typing import Any

import pytest

from tests.simulator.client import (
    B2C_SHORTCODE,
    SHORTCODE,
    Daraja,
    Received,
    Receiver,
    new_id,
    new_msisdn,
)
from tests.simulator.test_b2c import REQUEST_ID, envelope

PATH = "/mpesa/transactionstatus/v1/query"


def asked(daraja: Daraja, receiver: Receiver, **changes: Any) -> Received:
    answer = daraja.status(**changes)
    assert answer.status_code == 200, answer.text
    (letter,) = receiver.wait_for_result(answer.json()["ConversationID"])
    return letter


def paid(daraja: Daraja, msisdn: str, amount: int = 1500) -> str:
    """Have a phone pay; returns the receipt."""
    receipt: str = daraja.answer(daraja.prompt(msisdn, amount), pin="1234").json()["receipt"]
    return receipt


def test_a_question_is_acknowledged_like_every_asynchronous_request(daraja: Daraja):
    body = daraja.status(TransactionID="UKL0ABCDEF").json()
    assert re.fullmatch(REQUEST_ID, body.pop("OriginatorConversationID"))
    assert re.fullmatch(r"AG_\d{8}_2010[0-9a-f]{16}", body.pop("ConversationID"))
    assert body == {
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }


@pytest.mark.parametrize("key", ["OriginalConversationID", "OriginatorConversationID"])
def test_a_payout_is_found_by_its_own_id_under_either_name(
    daraja: Daraja, receiver: Receiver, key: str
):
    own, msisdn = new_id(), new_msisdn()
    conversation = daraja.pay_out(msisdn, 250, OriginatorConversationID=own)
    letter = asked(daraja, receiver, **{key: own})
    assert (letter.result["ResultType"], letter.result["ResultCode"]) == (0, 0)
    assert re.fullmatch(r"[A-Z0-9]{3}0{7}", letter.result["TransactionID"])
    told = letter.parameters
    times = told.pop("InitiatedTime"), told.pop("FinalisedTime")
    assert all(isinstance(at, int) and len(str(at)) == 14 for at in times)
    assert told == {
        "DebitPartyName": f"{B2C_SHORTCODE} - LIPA DEMO SHOP".ljust(40),
        "CreditPartyName": f"{msisdn} - {daraja.phone(msisdn)['name']}",
        "OriginatorConversationID": own,
        "DebitPartyCharges": "Fee For B2C Payment|KES|22.40",
        "DebitAccountType": "Utility Account",
        "TransactionReason": ...,
        "ReasonType": "Business Payment to Customer via API",
        "TransactionStatus": "Completed",
        "Amount": 250.0,
        "ConversationID": conversation,
        "ReceiptNo": daraja.money_out()[0]["receipt"],
    }


def test_a_payout_of_the_first_version_is_found_by_the_id_that_daraja_made(
    daraja: Daraja, receiver: Receiver
):
    made = daraja.b2c(new_msisdn(), version="v1").json()["OriginatorConversationID"]
    assert asked(daraja, receiver, OriginalConversationID=made).parameters["Amount"] == 1500


def test_a_payout_is_found_by_its_receipt(daraja: Daraja, receiver: Receiver):
    own = new_id()
    daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    receipt = daraja.money_out()[0]["receipt"]
    letter = asked(daraja, receiver, TransactionID=receipt)
    assert letter.parameters["OriginatorConversationID"] == own


def test_a_payment_is_found_by_its_receipt_in_the_shape_of_the_recording(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    receipt = paid(daraja, msisdn)
    letter = asked(daraja, receiver, TransactionID=receipt, PartyA=SHORTCODE)
    told = letter.parameters
    assert list(told) == [
        "DebitPartyName",
        "CreditPartyName",
        "OriginatorConversationID",
        "InitiatedTime",
        "CreditPartyCharges",
        "DebitAccountType",
        "TransactionReason",
        "ReasonType",
        "TransactionStatus",
        "FinalisedTime",
        "Amount",
        "ConversationID",
        "ReceiptNo",
    ]
    assert told["DebitPartyName"] == f"{msisdn} - {daraja.phone(msisdn)['name']}"
    assert told["CreditPartyName"].startswith(f"{SHORTCODE} - LIPA DEMO SHOP  ")
    assert told["CreditPartyCharges"] is ...
    assert (told["TransactionStatus"], told["ReceiptNo"]) == ("Completed", receipt)


def test_a_reversal_is_found_too(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    made = daraja.reverse(paid(daraja, msisdn)).json()["OriginatorConversationID"]
    letter = asked(daraja, receiver, OriginalConversationID=made, PartyA=SHORTCODE)
    assert letter.parameters["TransactionStatus"] == "Completed"
    assert letter.parameters["CreditPartyName"].startswith(msisdn)
    assert letter.parameters["ReceiptNo"] == daraja.money_out()[0]["receipt"]


def test_a_payout_that_failed_is_declined_though_the_question_succeeds(
    daraja: Daraja, receiver: Receiver
):
    own = new_id()
    daraja.set_accounts(utility=0)
    failed = daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    letter = asked(daraja, receiver, OriginalConversationID=own)
    assert letter.result["ResultCode"] == 0
    assert letter.parameters["TransactionStatus"] == "Declined"
    receipt = receiver.wait_for_result(failed)[0].result["TransactionID"]
    letter = asked(daraja, receiver, TransactionID=receipt)
    assert letter.parameters["TransactionStatus"] == "Declined"


def test_a_payout_that_waits_in_the_queue_is_not_final(daraja: Daraja, receiver: Receiver):
    own, msisdn = new_id(), new_msisdn()
    daraja.arm("slow_processing", seconds=2)
    conversation = daraja.pay_out(msisdn, OriginatorConversationID=own)
    told = asked(daraja, receiver, OriginalConversationID=own).parameters
    assert told["TransactionStatus"] == "Initiated"
    assert (told["FinalisedTime"], told["ReceiptNo"]) == (..., ...)
    assert daraja.phone(msisdn)["balance"] == 50_000
    receiver.wait_for_result(conversation)
    told = asked(daraja, receiver, OriginalConversationID=own).parameters
    assert told["TransactionStatus"] == "Completed"
    assert daraja.phone(msisdn)["balance"] == 51_500


@pytest.mark.parametrize(
    "named",
    [
        {"TransactionID": "UKL0ABCDEF"},
        {"TransactionID": "UKL0000000"},
        {"OriginalConversationID": "nobody-s"},
    ],
)
def test_what_is_not_known_does_not_exist(
    daraja: Daraja, receiver: Receiver, named: dict[str, str]
):
    # A payout that was refused before it began has a placeholder, which is nobody's receipt.
    daraja.pay_out(new_msisdn(), InitiatorName="nobody")
    letter = asked(daraja, receiver, **named)
    assert letter.result["ResultCode"] == 2032
    assert letter.result["ResultDesc"] == "The transaction receipt number does not exist."
    assert letter.parameters == {}


def test_a_transaction_of_another_shop_does_not_exist(daraja: Daraja, receiver: Receiver):
    receipt = paid(daraja, new_msisdn())
    letter = asked(daraja, receiver, TransactionID=receipt, PartyA=B2C_SHORTCODE)
    assert letter.result["ResultCode"] == 2032


def test_a_prompt_cannot_be_asked_about_and_neither_can_a_question(
    daraja: Daraja, receiver: Receiver
):
    checkout = daraja.prompt(new_msisdn())
    letter = asked(daraja, receiver, OriginalConversationID=checkout, PartyA=SHORTCODE)
    assert letter.result["ResultCode"] == 2032
    own = letter.result["OriginatorConversationID"]
    letter = asked(daraja, receiver, OriginalConversationID=own, PartyA=SHORTCODE)
    assert letter.result["ResultCode"] == 2032


def test_without_any_id_the_result_says_that_a_parameter_is_null(
    daraja: Daraja, receiver: Receiver
):
    letter = asked(daraja, receiver, TransactionID="")
    assert letter.result["ResultCode"] == 25
    assert letter.result["ResultDesc"] == "The format of parameter null is invalid."


def test_the_occasion_comes_back_and_a_blank_one_has_no_value(daraja: Daraja, receiver: Receiver):
    letter = asked(daraja, receiver, TransactionID="UKL0ABCDEF", Occasion="Audit")
    assert letter.result["ReferenceData"] == {
        "ReferenceItem": {"Key": "Occasion", "Value": "Audit"}
    }
    letter = asked(daraja, receiver, TransactionID="UKL0ABCDEF", Occasion=...)
    assert letter.result["ReferenceData"] == {"ReferenceItem": {"Key": "Occasion"}}


@pytest.mark.parametrize(
    "field",
    [
        "Initiator",
        "SecurityCredential",
        "CommandID",
        "PartyA",
        "IdentifierType",
        "ResultURL",
        "QueueTimeOutURL",
        "Remarks",
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, True])
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.status(TransactionID="UKL0ABCDEF", **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")


@pytest.mark.parametrize("value", ["short", "ukl0abcdef", 12, {}, "UKL0ABCDEFG"])
def test_a_receipt_in_no_receipts_shape_is_an_invalid_transaction_id(daraja: Daraja, value: Any):
    answer = daraja.status(TransactionID=value)
    assert envelope(answer)[2] == "Bad Request - Invalid TransactionID"


def test_a_token_that_is_refused_comes_back_in_a_401_of_another_family(daraja: Daraja):
    answer = daraja.call("POST", PATH, json={}, headers={"Authorization": "Bearer old"})
    text = "Error Occurred - Invalid Access Token - old"
    assert envelope(answer) == (401, "401.003.01", text)
