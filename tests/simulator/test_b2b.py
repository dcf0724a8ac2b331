"""B2B: shops that pay shops, top up an account for payouts, or remit tax; and B2Pochi."""

from typing import Any

import pytest
import requests

from tests.simulator.client import (
    B2C_SHORTCODE,
    Daraja,
    Received,
    Receiver,
    new_id,
    new_msisdn,
)
from tests.simulator.test_b2c import envelope

PATH = "/mpesa/b2b/v1/paymentrequest"
TAX_PATH = "/mpesa/b2b/v1/remittax"
SUPPLIER = "600777"


def send(
    daraja: Daraja, amount: Any = 1500, command: str = "BusinessPayBill", **changes: Any
) -> requests.Response:
    own = {
        "SenderIdentifierType": "4",
        "RecieverIdentifierType": "4",
        "Amount": amount,
        "PartyA": B2C_SHORTCODE,
        "PartyB": SUPPLIER,
        "AccountReference": "INV-19008",
        "Requester": new_msisdn(),
        "Occasion": ...,
        "Occassion": "",
    }
    path = changes.pop("path", PATH)
    return daraja.ask(path, command, **own | changes)


def sent(daraja: Daraja, receiver: Receiver, amount: Any = 1500, **changes: Any) -> Received:
    answer = send(daraja, amount, **changes)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert list(told) == [
        *("ConversationID", "OriginatorConversationID"),
        *("ResponseCode", "ResponseDescription"),
    ]
    return receiver.wait_for_result(told["ConversationID"])[0]


@pytest.mark.parametrize(
    "command",
    [
        "BusinessPayBill",
        "BusinessBuyGoods",
        "DisburseFundsToBusiness",
        "BusinessToBusinessTransfer",
        "MerchantToMerchantTransfer",
    ],
)
def test_money_moves_from_one_working_account_to_the_other(
    daraja: Daraja, receiver: Receiver, command: str
):
    daraja.set_accounts(working=2_000)
    kind = "2" if command == "BusinessBuyGoods" else "4"
    letter = sent(daraja, receiver, command=command, RecieverIdentifierType=kind)
    assert letter.result["ResultCode"] == 0
    assert daraja.accounts()["working"] == 500
    assert daraja.accounts()["utility"] == 1_000_000
    assert daraja.accounts(SUPPLIER)["working"] == 1_500
    (entry,) = daraja.money_out()
    assert (entry["kind"], entry["shortcode"], entry["payee"]) == ("b2b", "600000", SUPPLIER)
    assert (entry["amount"], entry["msisdn"]) == (1_500, None)
    assert entry["receipt"] == letter.result["TransactionID"]


@pytest.mark.parametrize(
    ("command", "payee"),
    [("BusinessPayToBulk", SUPPLIER), ("BusinessTransferFromMMFToUtility", B2C_SHORTCODE)],
)
def test_a_float_for_payouts_arrives_in_the_utility_account(
    daraja: Daraja, receiver: Receiver, command: str, payee: str
):
    daraja.set_accounts(working=1_500, utility=10)
    daraja.set_accounts(SUPPLIER, utility=10)
    assert sent(daraja, receiver, command=command, PartyB=payee).result["ResultCode"] == 0
    assert daraja.accounts()["working"] == 0
    assert daraja.accounts(payee)["utility"] == 1_510


def test_tax_goes_to_the_revenue_authority_alone(daraja: Daraja, receiver: Receiver):
    daraja.set_accounts(working=239)
    tax = {"PartyB": "572572", "AccountReference": "2020180001007065", "path": TAX_PATH}
    letter = sent(daraja, receiver, 239, command="PayTaxToKRA", **tax)
    assert letter.result["ResultCode"] == 0
    assert daraja.accounts("572572")["working"] == 239
    refused = send(daraja, 1, "PayTaxToKRA", **tax | {"PartyB": SUPPLIER})
    assert envelope(refused) == (400, "400.002.02", "Bad Request - Invalid PartyB")
    refused = send(daraja, 1, "BusinessPayBill", **tax)
    assert envelope(refused) == (400, "400.002.02", "Bad Request - Invalid CommandID")


def test_the_result_tells_numbers_as_texts_and_its_references_as_a_list(
    daraja: Daraja, receiver: Receiver
):
    daraja.set_accounts(working=7_687)
    letter = sent(daraja, receiver)
    left = "{Amount={CurrencyCode=KES, MinimumAmount=618700, BasicAmount=6187.00}}"
    told = letter.parameters
    assert len(told.pop("TransCompletedTime")) == 14
    assert told == {
        "DebitAccountBalance": left,
        "Amount": "1500.00",
        "DebitPartyAffectedAccountBalance": "Working Account|KES|6187.00|6187.00|0.00|0.00",
        "DebitPartyCharges": "",
        "ReceiverPartyPublicName": f"{SUPPLIER} - LIPA DEMO SHOP",
        "Currency": "KES",
        "InitiatorAccountCurrentBalance": left,
    }
    bill, inside = letter.result["ReferenceData"]["ReferenceItem"]
    assert bill == {"Key": "BillReferenceNumber", "Value": "INV-19008"}
    assert inside["Key"] == "QueueTimeoutURL"


def test_an_empty_working_account_pays_nobody_whatever_the_utility_account_holds(
    daraja: Daraja, receiver: Receiver
):
    daraja.set_accounts(working=1_499)
    letter = sent(daraja, receiver)
    assert letter.result["ResultCode"] == 1
    assert "ResultParameters" not in letter.result
    assert daraja.money_out() == []
    assert daraja.accounts()["working"] == 1_499


def test_a_wrong_password_of_the_operator_moves_nothing(daraja: Daraja, receiver: Receiver):
    daraja.set_accounts(working=1_500)
    letter = sent(daraja, receiver, SecurityCredential=daraja.credential("wrong"))
    assert letter.result["ResultCode"] == 2001
    assert daraja.accounts(SUPPLIER)["working"] == 0


def test_what_goes_wrong_with_money_out_goes_wrong_between_shops(
    daraja: Daraja, receiver: Receiver
):
    daraja.set_accounts(working=3_000)
    daraja.arm("out_result", code="11", api="b2b")
    assert sent(daraja, receiver).result["ResultCode"] == 11
    daraja.arm("queue_time_out", api="b2b")
    assert send(daraja, AccountReference="ECHO-1").status_code == 200
    daraja.arm("out_html", on={"amount": 77}, api="b2b")
    assert send(daraja, 77).status_code == 403
    assert [entry["amount"] for entry in daraja.money_out()] == [1_500]


def test_a_shop_that_registered_urls_hears_of_a_payment_by_another_shop(
    daraja: Daraja, receiver: Receiver
):
    path = "/between-shops/confirm"
    urls = receiver.url(path), receiver.url("/between-shops/validate")
    assert daraja.register(*urls, ShortCode=SUPPLIER).status_code == 200
    daraja.set_accounts(working=1_500)
    receipt = sent(daraja, receiver).result["TransactionID"]
    (told,) = receiver.wait_for_paid(path, receipt)
    assert told.body["TransactionType"] == "Organization To Organization Transfer"
    assert (told.body["MSISDN"], told.body["TransAmount"]) == ("", "1500.00")
    assert (told.body["BillRefNumber"], told.body["BusinessShortCode"]) == ("INV-19008", SUPPLIER)
    assert told.body["OrgAccountBalance"] == "1500.00"
    # Another shop's payment is no payment by hand: nobody is asked.
    assert receiver.paid("/between-shops/validate") == []


def test_a_payment_between_shops_can_be_asked_about_and_not_reversed(
    daraja: Daraja, receiver: Receiver
):
    daraja.set_accounts(working=1_500)
    receipt = sent(daraja, receiver).result["TransactionID"]
    asked = daraja.status(TransactionID=receipt).json()["ConversationID"]
    told = receiver.wait_for_result(asked)[0].parameters
    assert (told["TransactionStatus"], told["Amount"]) == ("Completed", 1500.0)
    assert told["DebitPartyName"].startswith("600000 - ")
    assert told["CreditPartyName"].startswith(f"{SUPPLIER} - ")
    assert told["DebitAccountType"] == "Working Account"
    reversed_ = daraja.reverse(receipt, ReceiverParty=B2C_SHORTCODE).json()["ConversationID"]
    assert receiver.wait_for_result(reversed_)[0].result["ResultCode"] == "R000002"


@pytest.mark.parametrize(
    ("shortcode", "account", "details", "cents"),
    [
        (B2C_SHORTCODE, "working", f"Business Pay Bill to {SUPPLIER}", ("", "-1500.00")),
        (SUPPLIER, "working", f"Business Pay Bill from {B2C_SHORTCODE}", ("1500.00", "")),
    ],
)
def test_the_statements_of_both_shops_have_the_payment(
    daraja: Daraja, receiver: Receiver, shortcode: str, account: str, details: str, cents: Any
):
    daraja.set_accounts(working=1_500)
    receipt = sent(daraja, receiver).result["TransactionID"]
    path = f"/simulator/api/statements/{shortcode}.csv"
    lines = daraja.call("GET", path, params={"account": account}).text.splitlines()
    (row,) = [line for line in lines if line.startswith(receipt)]
    assert details in row
    assert f",{cents[0]},{cents[1]}," in row


@pytest.mark.parametrize(
    "field",
    [
        *("Initiator", "SecurityCredential", "CommandID", "SenderIdentifierType"),
        *("RecieverIdentifierType", "Amount", "PartyA", "PartyB", "AccountReference"),
        *("QueueTimeOutURL", "ResultURL"),
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, True])
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = send(
        daraja, **{"amount": 10, field: value} if field != "Amount" else {"amount": value}
    )
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("AccountReference", "x" * 14),
        ("Requester", "0712345678"),
        ("RecieverIdentifierType", "1"),
        ("Remarks", "x" * 101),
        ("Occassion", "x" * 101),
    ],
)
def test_a_field_beyond_its_documented_bounds_is_named(daraja: Daraja, field: str, value: Any):
    assert envelope(send(daraja, **{field: value}))[2] == f"Bad Request - Invalid {field}"


@pytest.mark.parametrize("path", [PATH, TAX_PATH, "/mpesa/b2pochi/v1/paymentrequest"])
def test_a_token_that_is_refused_is_that_of_the_family(daraja: Daraja, path: str):
    answer = daraja.call("POST", path, json={}, headers={"Authorization": "Bearer old"})
    text = "Error Occurred - Invalid Access Token - old"
    assert envelope(answer) == (401, "401.002.01", text)


def pochi(daraja: Daraja, msisdn: str, **changes: Any) -> requests.Response:
    body = daraja.b2c_body(msisdn, 250, **{"CommandID": "BusinessPayToPochi"} | changes)
    return daraja.call("POST", "/mpesa/b2pochi/v1/paymentrequest", json=body)


def test_a_business_wallet_is_paid_as_a_phone_is_and_an_id_counts_once(
    daraja: Daraja, receiver: Receiver
):
    msisdn, own = new_msisdn(), new_id()
    accepted = pochi(daraja, msisdn, OriginatorConversationID=own)
    assert accepted.json()["OriginatorConversationID"] == own
    assert receiver.wait_for_result(own)[0].result["ResultCode"] == 0
    assert daraja.phone(msisdn)["balance"] == 50_250
    again = pochi(daraja, msisdn, OriginatorConversationID=own)
    text = "Duplicate OriginatorConversationID."
    assert envelope(again) == (500, "500.002.1001", text)
    wrong = pochi(daraja, msisdn, CommandID="BusinessPayment")
    assert envelope(wrong)[2] == "Bad Request - Invalid CommandID"
