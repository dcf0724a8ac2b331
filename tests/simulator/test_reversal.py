"""Reversals: a shop gives a payment back."""

import re
import threading
from typing import Any

import pytest

from tests.simulator.client import (
    B2C_SHORTCODE,
    SHORTCODE,
    Daraja,
    Received,
    Receiver,
    new_msisdn,
)
from tests.simulator.test_b2c import envelope
from tests.simulator.test_transaction_status import paid

PATH = "/mpesa/reversal/v1/request"


def reversed_(daraja: Daraja, receiver: Receiver, receipt: str, **changes: Any) -> Received:
    answer = daraja.reverse(receipt, **changes)
    assert answer.status_code == 200, answer.text
    (letter,) = receiver.wait_for_result(answer.json()["ConversationID"])
    return letter


def test_a_reversal_takes_the_money_back_to_its_payer_who_is_told(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    receipt = paid(daraja, msisdn)
    assert daraja.accounts(SHORTCODE)["working"] == 1500
    answer = daraja.reverse(receipt).json()
    assert daraja.accounts(SHORTCODE)["working"] == 0
    assert daraja.phone(msisdn)["balance"] == 50_000
    (entry,) = daraja.money_out()
    assert entry.pop("time")
    new_receipt = entry.pop("receipt")
    assert entry == {
        "kind": "reversal",
        "originator_conversation_id": answer["OriginatorConversationID"],
        "conversation_id": answer["ConversationID"],
        "msisdn": msisdn,
        "payee": None,
        "shortcode": SHORTCODE,
        "amount": 1500,
        "charge": 0,
        "original_receipt": receipt,
    }
    message = daraja.phone(msisdn)["messages"][0]["text"]
    assert message.startswith(f"{new_receipt} Confirmed. Transaction {receipt} has been reversed")
    assert "Ksh1,500.00 is credited to your M-PESA account" in message
    assert [row["receipt"] for row in daraja.ledger()] == [receipt]


def test_the_result_has_a_receipt_of_its_own_and_the_documented_parameters(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    daraja.set_accounts(SHORTCODE, working=1_000)
    receipt = paid(daraja, msisdn)
    letter = reversed_(daraja, receiver, receipt)
    result, told = letter.result, letter.parameters
    assert result["ResultCode"] == 0
    assert result["TransactionID"] == daraja.money_out()[0]["receipt"] != receipt
    assert re.fullmatch(r"\d{14}", str(told["TransCompletedTime"]))
    assert isinstance(told.pop("TransCompletedTime"), int)
    assert told == {
        "DebitAccountBalance": "Working Account|KES|1000.00|1000.00|0.00|0.00",
        "Amount": 1500.0,
        "OriginalTransactionID": receipt,
        "Charge": 0.0,
        "CreditPartyPublicName": f"{msisdn} - {daraja.phone(msisdn)['name']}",
        "DebitPartyPublicName": f"{SHORTCODE} - LIPA DEMO SHOP",
    }
    assert result["ReferenceData"]["ReferenceItem"]["Value"].endswith(
        "/mpesa/reversalresults/v1/submit"
    )


def test_what_is_reversed_once_is_not_reversed_again(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    daraja.set_accounts(SHORTCODE, working=10_000)
    receipt = paid(daraja, msisdn)
    reversed_(daraja, receiver, receipt)
    letter = reversed_(daraja, receiver, receipt)
    assert letter.result["ResultCode"] == "R000001"
    assert letter.result["ResultDesc"] == "The transaction has already been reversed."
    assert letter.result["TransactionID"].endswith("0000000")
    assert len(daraja.money_out()) == 1
    assert daraja.phone(msisdn)["balance"] == 50_000


def test_many_reversals_of_one_payment_at_once_move_it_once(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.set_accounts(SHORTCODE, working=90_000)
    receipt = paid(daraja, msisdn)
    daraja.credential()
    threads = [threading.Thread(target=daraja.reverse, args=(receipt,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(row["result_code"] for row in daraja.conversations())
    assert codes == ["0"] + ["R000001"] * 7
    assert daraja.phone(msisdn)["balance"] == 50_000


def test_an_unknown_receipt_is_invalid(daraja: Daraja, receiver: Receiver):
    letter = reversed_(daraja, receiver, "UKL0ABCDEF")
    assert letter.result["ResultCode"] == "R000002"
    assert letter.result["ResultDesc"] == "The OriginalTransactionID is invalid."
    assert "ResultParameters" not in letter.result


def test_a_payout_and_a_reversal_cannot_be_reversed(daraja: Daraja, receiver: Receiver):
    daraja.pay_out(new_msisdn(), PartyA=SHORTCODE)
    reversed_(daraja, receiver, paid(daraja, new_msisdn()))
    for entry in daraja.money_out():
        letter = reversed_(daraja, receiver, entry["receipt"])
        assert letter.result["ResultCode"] == "R000002"
    assert len(daraja.money_out()) == 2


def test_a_payment_to_another_shop_cannot_be_reversed(daraja: Daraja, receiver: Receiver):
    receipt = paid(daraja, new_msisdn())
    letter = reversed_(daraja, receiver, receipt, ReceiverParty=B2C_SHORTCODE)
    assert letter.result["ResultCode"] == "R000002"


def test_a_part_and_then_the_rest_are_reversed_where_that_is_switched_on(
    daraja: Daraja, receiver: Receiver
):
    daraja.switch(partial_reversals=True)
    payer = new_msisdn()
    receipt = paid(daraja, payer)
    codes = [
        reversed_(daraja, receiver, receipt, amount=amount).result["ResultCode"]
        for amount in (500, 1_001, 1_000, 1)
    ]
    assert codes == [0, 25, 0, "R000001"]
    assert [entry["amount"] for entry in daraja.money_out()] == [500, 1_000]
    assert {entry["original_receipt"] for entry in daraja.money_out()} == {receipt}
    assert daraja.phone(payer)["balance"] == 50_000
    assert daraja.accounts(SHORTCODE)["working"] == 0


def test_what_was_reversed_in_part_is_reversed_where_parts_are_switched_off_again(
    daraja: Daraja, receiver: Receiver
):
    daraja.switch(partial_reversals=True)
    receipt = paid(daraja, new_msisdn())
    reversed_(daraja, receiver, receipt, amount=500)
    daraja.switch(partial_reversals=False)
    letter = reversed_(daraja, receiver, receipt, amount=1_000)
    assert letter.result["ResultCode"] == "R000001"


@pytest.mark.parametrize("amount", [1, 1_499, 1_501])
def test_only_the_whole_payment_can_be_reversed(daraja: Daraja, receiver: Receiver, amount: int):
    receipt = paid(daraja, new_msisdn())
    letter = reversed_(daraja, receiver, receipt, amount=amount)
    assert letter.result["ResultCode"] == 25
    assert daraja.money_out() == []
    assert reversed_(daraja, receiver, receipt).result["ResultCode"] == 0


def test_an_account_that_was_emptied_cannot_give_back(daraja: Daraja, receiver: Receiver):
    receipt = paid(daraja, new_msisdn())
    daraja.set_accounts(SHORTCODE, working=1_499)
    letter = reversed_(daraja, receiver, receipt)
    assert letter.result["ResultCode"] == 1
    assert daraja.accounts(SHORTCODE)["working"] == 1_499


@pytest.mark.parametrize(
    "field",
    [
        "Initiator",
        "SecurityCredential",
        "CommandID",
        "TransactionID",
        "Amount",
        "ReceiverParty",
        "RecieverIdentifierType",
        "ResultURL",
        "QueueTimeOutURL",
        "Remarks",
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, True])
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.reverse("UKL0ABCDEF", **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("RecieverIdentifierType", "4"),
        ("TransactionID", "lower-case"),
        ("Amount", 10.5),
        ("CommandID", "Reversal"),
        ("Occasion", "x" * 101),
    ],
)
def test_a_field_beyond_its_documented_bounds_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.reverse("UKL0ABCDEF", **{field: value})
    assert envelope(answer)[2] == f"Bad Request - Invalid {field}"


def test_a_token_that_is_refused_is_a_404_as_on_the_push(daraja: Daraja):
    answer = daraja.call("POST", PATH, json={}, headers={"Authorization": "Bearer old"})
    assert envelope(answer) == (404, "404.001.03", "Invalid Access Token")
