"""B2B express checkout: a till's operator is asked on his phone, and the till pays."""

import itertools
from typing import Any

import pytest
import requests

from tests.simulator.client import SHORTCODE, Daraja, Received, Receiver
from tests.simulator.test_b2c import envelope

PATH = "/v1/ussdpush/get-msisdn"
TILL = "600345"
OPERATOR = "254700600345"
_numbers = itertools.count(1)


def push(daraja: Daraja, callback_url: str = "http://127.0.0.1:9/", **changes: Any) -> Any:
    body = {
        "primaryShortCode": TILL,
        "receiverShortCode": SHORTCODE,
        "amount": 71,
        "paymentRef": "INV-71",
        "callbackUrl": callback_url,
        "partnerName": "Vendor Ltd",
        "RequestRefID": "550e8400-e29b-41d4-a716-446655440000",
    } | changes
    body = {name: value for name, value in body.items() if value is not ...}
    return daraja.call("POST", PATH, json=body)


def answered(daraja: Daraja, receiver: Receiver, **answer: Any) -> Received:
    """Ask the till and let its operator answer; gives the callback."""
    path = f"/till-{next(_numbers)}"
    accepted: requests.Response = push(daraja, receiver.url(path))
    assert accepted.json() == {"code": "0", "status": "USSD Initiated Successfully"}
    prompt = daraja.phone(OPERATOR)["prompts"][0]
    assert prompt["status"] == "open"
    assert "from till 600345 to Vendor Ltd account no. INV-71" in prompt["question"]
    daraja.answer(prompt["checkout_request_id"], **answer)
    return receiver.wait_for_paid(path)[0]


def test_the_operator_enters_a_pin_and_the_till_pays_the_vendor(daraja: Daraja, receiver: Receiver):
    daraja.set_accounts(TILL, working=100)
    told = answered(daraja, receiver, pin="1234").body
    (entry,) = daraja.money_out()
    assert told == {
        "resultCode": "0",
        "resultDesc": "The service request is processed successfully.",
        "amount": "71.0",
        "requestId": "550e8400-e29b-41d4-a716-446655440000",
        "resultType": "0",
        "conversationID": entry["conversation_id"],
        "transactionId": entry["receipt"],
        "status": "SUCCESS",
    }
    assert (entry["kind"], entry["payee"], entry["amount"]) == ("b2b", SHORTCODE, 71)
    assert daraja.accounts(TILL)["working"] == 29
    assert daraja.accounts(SHORTCODE)["working"] == 71
    # The operator's own money is another's business.
    phone = daraja.phone(OPERATOR)
    assert phone["balance"] == 50_000
    assert "Ksh71.00 sent from till 600345 to Vendor Ltd" in phone["messages"][0]["text"]


@pytest.mark.parametrize(
    ("held", "answer", "code", "text"),
    [
        (100, {"cancel": True}, "4001", "User cancelled transaction"),
        (70, {"pin": "1234"}, "1", "The balance is insufficient for the transaction."),
    ],
)
def test_what_is_not_paid_is_told_with_the_reference_of_the_payment(
    daraja: Daraja, receiver: Receiver, held: int, answer: Any, code: str, text: str
):
    daraja.set_accounts(TILL, working=held)
    told = answered(daraja, receiver, **answer).body
    assert told == {
        "resultCode": code,
        "resultDesc": text,
        "amount": "71.0",
        "requestId": "550e8400-e29b-41d4-a716-446655440000",
        "paymentReference": "INV-71",
        "status": "FAILED",
    }
    assert daraja.money_out() == []
    assert daraja.accounts(TILL)["working"] == held


def test_an_operator_who_does_not_answer_is_told_of_too(daraja: Daraja, receiver: Receiver):
    daraja.call("POST", "/simulator/api/clock", json={"speed": 50})
    path = f"/till-{next(_numbers)}"
    push(daraja, receiver.url(path))
    assert receiver.wait_for_paid(path)[0].body["resultCode"] == "1037"


@pytest.mark.parametrize(
    "field",
    [
        *("primaryShortCode", "receiverShortCode", "amount", "paymentRef"),
        *("callbackUrl", "partnerName", "RequestRefID"),
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, True])
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = push(daraja, **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")
