"""Ratiba: a phone lets a shop collect, and the shop is told."""

import itertools
import re
from typing import Any

import pytest

from app.simulator.records import PushRequest, StandingTerms
from app.simulator.standing_orders import StandingOrders
from tests.simulator.client import B2C_SHORTCODE, Daraja, Receiver, new_msisdn
from tests.simulator.test_b2c import envelope

PATH = "/standingorder/v1/createStandingOrderExternal"
_numbers = itertools.count(1)


def order(
    daraja: Daraja, msisdn: str, callback_url: str = "http://127.0.0.1:9/", **more: Any
) -> Any:
    body = {
        "StandingOrderName": "Rent",
        "StartDate": "20261201",
        "EndDate": "20271201",
        "BusinessShortCode": B2C_SHORTCODE,
        "TransactionType": "Standing Order Customer Pay Bill",
        "ReceiverPartyIdentifierType": "4",
        "Amount": "4500",
        "PartyA": msisdn,
        "CallBackURL": callback_url,
        "AccountReference": "HOUSE-7",
        "TransactionDesc": "Rent",
        "Frequency": "4",
    } | more
    body = {name: value for name, value in body.items() if value is not ...}
    return daraja.call("POST", PATH, json=body)


def answered(daraja: Daraja, receiver: Receiver, msisdn: str, **answer: Any) -> dict[str, Any]:
    path = f"/standing-{next(_numbers)}"
    assert order(daraja, msisdn, receiver.url(path)).status_code == 200
    prompt = daraja.phone(msisdn)["prompts"][0]
    if answer:
        assert "pay Ksh 4,500 every month from now on to LIPA DEMO SHOP" in prompt["question"]
        daraja.answer(prompt["checkout_request_id"], **answer)
    return receiver.wait_for_paid(path)[0].body


def standing(daraja: Daraja) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = daraja.call("GET", "/simulator/api/standing-orders").json()[
        "standing_orders"
    ]
    return rows


def test_it_is_acknowledged_in_two_parts_whose_200_are_texts(daraja: Daraja):
    told = order(daraja, new_msisdn()).json()
    assert re.fullmatch(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", told["ResponseHeader"].pop("responseRefID")
    )
    accepted = {"responseDescription": "Request accepted for processing", "responseCode": "200"}
    assert told == {
        "ResponseHeader": accepted
        | {"ResultDesc": "The service request is processed successfully."},
        "ResponseBody": accepted,
    }


def test_agreeing_moves_no_money_until_an_instalment_falls_due(daraja: Daraja, receiver: Receiver):
    payer = new_msisdn()
    told = answered(daraja, receiver, payer, pin="1234")
    items = {item["name"]: item["value"] for item in told["responseBody"]["responseData"]}
    assert told["responseHeader"]["responseCode"] == "0"
    assert re.fullmatch(r"[0-9A-Z]{10}", items.pop("TransactionID"))
    assert items == {"responseCode": "0", "Status": "OKAY", "Msisdn": f"254******{payer[-3:]}"}
    assert daraja.ledger() == []
    assert "let LIPA DEMO SHOP collect" in daraja.phone(payer)["messages"][0]["text"]
    (row,) = standing(daraja)
    assert row["reference"] == told["responseHeader"]["requestRefID"]
    assert (row["name"], row["amount"], row["how_often"]) == ("Rent", 4_500, "every month")
    for times in (1, 2):
        path = f"/simulator/api/standing-orders/{row['reference']}/pay"
        assert daraja.call("POST", path).json()["status"] == "completed"
        assert daraja.phone(payer)["balance"] == 50_000 - 4_500 * times
    assert {entry["account_reference"] for entry in daraja.ledger()} == {"HOUSE-7"}


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ({"cancel": True}, "1032", "Request cancelled by user"),
        ({}, "1037", "No response from user."),
    ],
)
def test_a_failure_is_told_in_capital_keys_without_a_receipt(
    daraja: Daraja, receiver: Receiver, answer: Any, code: str, text: str
):
    if not answer:
        daraja.call("POST", "/simulator/api/clock", json={"speed": 50})
    told = answered(daraja, receiver, new_msisdn(), **answer)
    header = told["ResponseHeader"]
    assert (header["responseCode"], header["responseDescription"]) == (code, text)
    items = {item["Name"]: item["Value"] for item in told["ResponseBody"]["ResponseData"]}
    assert (items["TransactionID"], items["responseCode"]) == ("0000000000", code)
    assert standing(daraja) == []


def test_a_payer_has_one_standing_order_of_a_name(daraja: Daraja, receiver: Receiver):
    payer = new_msisdn()
    answered(daraja, receiver, payer, pin="1234")
    told = answered(daraja, receiver, payer)
    assert told["ResponseHeader"]["responseCode"] == "1050"
    assert len(standing(daraja)) == 1
    answered(daraja, receiver, new_msisdn(), pin="1234")
    assert len(standing(daraja)) == 2


def test_two_that_were_asked_for_at_once_do_not_both_stand():
    terms = StandingTerms("Rent", "20261201", "20271201", "every month", "ref-1", "UKL1234567")
    push = PushRequest(
        shortcode=B2C_SHORTCODE,
        transaction_type="",
        amount_cents=100,
        party_b=B2C_SHORTCODE,
        msisdn=new_msisdn(),
        callback_url="http://127.0.0.1:9/",
        account_reference="A",
        standing=terms,
    )
    orders = StandingOrders()
    assert [orders.open(push, terms), orders.open(push, terms)] == ["0", "1050"]


def test_an_instalment_of_nobodys_order_is_not_found(daraja: Daraja):
    answer = daraja.call("POST", "/simulator/api/standing-orders/x/pay")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("spelling", ["Marchant", "Merchant"])
def test_a_till_is_spelt_in_both_ways_and_has_no_account(daraja: Daraja, spelling: str):
    till = {
        "TransactionType": f"Standing Order Customer Pay {spelling}",
        "ReceiverPartyIdentifierType": "2",
    }
    assert order(daraja, new_msisdn(), AccountReference=..., **till).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("StandingOrderName", value) for value in (..., "", "x" * 61)),
        *(("StartDate", value) for value in (..., "20261301", "2026-12-01")),
        *(("EndDate", value) for value in (..., "20261130", "00000000")),
        ("BusinessShortCode", "x"),
        ("TransactionType", "Pay Bill"),
        ("ReceiverPartyIdentifierType", "2"),
        ("Amount", "4500.50"),
        ("PartyA", "0712345678"),
        ("CallBackURL", "nowhere"),
        ("AccountReference", "x" * 13),
        ("TransactionDesc", "x" * 14),
        *(("Frequency", value) for value in (..., "0", "9")),
    ],
)
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = order(daraja, new_msisdn(), **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")
