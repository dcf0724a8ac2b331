"""C2B: people who pay by hand, and the shop that is asked and told."""

import hashlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.simulator.c2b_letters import REJECTIONS
from app.simulator.c2b_rules import Registration
from app.simulator.paybills import MOST_UNDER_WAY
from app.simulator.plans import Plan
from app.simulator.records import HandPayment
from app.simulator.settings import SimulatorSettings
from app.simulator.simulator import Simulator
from app.simulator.world import SystemBusy
from tests.simulator.c2b_shop import ACCEPT, Shop, quiet
from tests.simulator.client import (
    B2C_SHORTCODE,
    SHORTCODE,
    Daraja,
    Receiver,
    eventually,
    new_msisdn,
)

# Paying.


def test_a_person_pays_the_shop_is_asked_and_told_and_the_ledger_knows(shop: Shop, daraja: Daraja):
    shop.register(ACCEPT | {"ThirdPartyTransID": "order-9"})
    msisdn = new_msisdn()
    answer = daraja.pay(msisdn, 1500, account="inv 42").json()
    assert (answer["status"], answer["code"], answer["amount"]) == ("completed", "0", 1500)
    receipt = answer["receipt"]
    (asked,) = shop.validations()
    (told,) = shop.confirmations()
    first = daraja.phone(msisdn)["name"].split()[0]
    shared = {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransAmount": "1500.00",
        "BusinessShortCode": B2C_SHORTCODE,
        "BillRefNumber": "inv 42",
        "InvoiceNumber": "",
        "MSISDN": f"2547 ***** {msisdn[-3:]}",
        "FirstName": first,
    }
    for letter in (asked, told):
        assert re.fullmatch(r"\d{14}", letter.body.pop("TransTime"))
        assert letter.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert asked.body == shared | {"OrgAccountBalance": "", "ThirdPartyTransID": ""}
    assert told.body == shared | {"OrgAccountBalance": "1500.00", "ThirdPartyTransID": "order-9"}
    (entry,) = daraja.ledger()
    assert entry.pop("time")
    assert entry == {
        "kind": "c2b",
        "receipt": receipt,
        "checkout_request_id": None,
        "msisdn": msisdn,
        "shortcode": B2C_SHORTCODE,
        "amount": 1500,
        "account_reference": "inv 42",
    }
    phone = daraja.phone(msisdn)
    assert phone["balance"] == 48_500
    assert "sent to LIPA DEMO SHOP for account inv 42" in phone["messages"][0]["text"]
    assert daraja.accounts()["working"] == 1500


def test_every_value_is_a_string_and_in_the_order_of_recordings(shop: Shop, daraja: Daraja):
    shop.register()
    daraja.pay(new_msisdn())
    body = shop.confirmations()[0].body
    assert all(isinstance(value, str) for value in body.values())
    assert list(body) == [
        *("TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode"),
        *("BillRefNumber", "InvoiceNumber", "OrgAccountBalance", "ThirdPartyTransID"),
        *("MSISDN", "FirstName"),
    ]


def test_all_names_are_told_where_that_is_switched_on(shop: Shop, daraja: Daraja):
    daraja.switch(all_names=True)
    shop.register()
    msisdn = new_msisdn()
    daraja.pay(msisdn)
    body = shop.confirmations()[0].body
    first, _, last = daraja.phone(msisdn)["name"].partition(" ")
    assert [body[f"{which}Name"] for which in ("First", "Middle", "Last")] == [first, "", last]


def test_the_first_version_hashes_the_number_as_in_a_recording(shop: Shop, daraja: Daraja):
    shop.register(version="v1")
    daraja.pay("254708374149")
    told = shop.confirmations()[0].body["MSISDN"]
    assert told == hashlib.sha256(b"254708374149").hexdigest()
    assert (told[:8], told[-5:]) == ("bbff37ce", "d4af4")


def test_a_till_is_paid_without_an_account(shop: Shop, daraja: Daraja):
    shop.register()
    msisdn = new_msisdn()
    daraja.pay(msisdn, account="")
    body = shop.confirmations()[0].body
    assert (body["TransactionType"], body["BillRefNumber"]) == ("Buy Goods", "")
    assert "paid to LIPA DEMO SHOP on" in daraja.phone(msisdn)["messages"][0]["text"]


def test_an_unregistered_shop_is_paid_and_told_nothing(daraja: Daraja):
    assert daraja.pay(new_msisdn()).json()["status"] == "completed"
    assert [exchange["direction"] for exchange in daraja.traffic()] == []


@pytest.mark.parametrize("code", list(REJECTIONS))
def test_the_shop_can_reject_a_payment_and_then_nothing_moves(
    shop: Shop, daraja: Daraja, code: str
):
    shop.register({"ResultCode": code, "ResultDesc": "Rejected"})
    msisdn = new_msisdn()
    answer = daraja.pay(msisdn).json()
    assert (answer["status"], answer["code"], answer["receipt"]) == ("rejected", code, None)
    quiet(daraja)
    assert daraja.ledger() == []
    assert daraja.phone(msisdn)["balance"] == 50_000
    assert daraja.phone(msisdn)["messages"][0]["text"].startswith("Failed.")
    assert shop.receiver.paid(shop.paths()[0]) == []


@pytest.mark.parametrize("code", [1, "1", -1, "accepted", "00"])
def test_any_code_but_0_rejects(shop: Shop, daraja: Daraja, code: Any):
    shop.register({"ResultCode": code})
    assert daraja.pay(new_msisdn()).json()["status"] == "rejected"


@pytest.mark.parametrize("code", [0, "0", " 0 "])
def test_0_of_any_type_accepts(shop: Shop, daraja: Daraja, code: Any):
    shop.register({"ResultCode": code})
    assert daraja.pay(new_msisdn()).json()["status"] == "completed"


@pytest.mark.parametrize(
    "said",
    [b"", b"<html>", b"[]", b"{}", b'{"ResultCode": null}', b'{"ResultCode": true}']
    + [b'{"ResultCode": [0]}', b"[" * 5000, b"{" + b" " * 70_000],
)
@pytest.mark.parametrize(
    ("response_type", "status"), [("Completed", "completed"), ("Cancelled", "rejected")]
)
def test_an_answer_that_says_nothing_leaves_it_to_the_response_type(
    shop: Shop, daraja: Daraja, said: bytes, response_type: str, status: str
):
    shop.register(said, ResponseType=response_type)
    assert daraja.pay(new_msisdn()).json()["status"] == status


@pytest.mark.parametrize("kind", ["/500/", "/redirect/", "/hang/", "/half/", "/drip/"])
@pytest.mark.parametrize(
    ("response_type", "status"), [("Completed", "completed"), ("Cancelled", "rejected")]
)
def test_a_shop_that_does_not_answer_leaves_it_to_the_response_type(
    shop: Shop, daraja: Daraja, kind: str, response_type: str, status: str
):
    shop.register(ACCEPT, kind, ResponseType=response_type)
    assert daraja.pay(new_msisdn()).json()["status"] == status
    assert len(shop.validations(kind)) == 1


def test_a_shop_that_is_not_there_leaves_it_to_the_response_type(daraja: Daraja):
    nowhere = "http://127.0.0.1:9/"
    daraja.register(nowhere, nowhere, ResponseType="Cancelled")
    assert daraja.pay(new_msisdn()).json()["status"] == "rejected"


def test_nobody_is_asked_where_validation_is_switched_off(shop: Shop, daraja: Daraja):
    daraja.switch(no_validation=True)
    shop.register({"ResultCode": "C2B00012"})
    assert daraja.pay(new_msisdn()).json()["status"] == "completed"
    shop.confirmations()
    assert shop.validations() == []


def test_a_payment_that_a_phone_cannot_make_is_not_even_asked_about(shop: Shop, daraja: Daraja):
    shop.register()
    msisdn = new_msisdn()
    assert daraja.pay(msisdn, 50_001).json()["code"] == "1"
    assert daraja.pay(msisdn, 250_001).json()["code"] == "3"
    assert shop.validations() == []
    assert [text["text"][:7] for text in daraja.phone(msisdn)["messages"]] == ["Failed."] * 2


def test_a_reset_while_the_shop_thinks_ends_the_payment(shop: Shop, daraja: Daraja):
    shop.register(ACCEPT, "/hang/")
    with ThreadPoolExecutor() as pool:
        payment = pool.submit(daraja.pay, new_msisdn())
        eventually(lambda: shop.validations("/hang/"))
        daraja.call("POST", "/simulator/api/reset")
        assert payment.result().json()["status"] == "failed"
    assert daraja.ledger() == []


def test_a_failed_confirmation_is_not_repeated(shop: Shop, daraja: Daraja):
    shop.register(ACCEPT, "/500/")
    daraja.pay(new_msisdn())
    shop.confirmations(kind="/500/")
    quiet(daraja)
    assert len(shop.confirmations(kind="/500/")) == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"pin": "4321"}, 403, "FORBIDDEN"),
        ({"pin": None}, 403, "FORBIDDEN"),
        ({"shortcode": "12"}, 400, "VALIDATION_ERROR"),
        ({"amount": 0}, 400, "VALIDATION_ERROR"),
        ({"amount": 1.5}, 400, "VALIDATION_ERROR"),
        ({"amount": True}, 400, "VALIDATION_ERROR"),
        ({"account": "x" * 21}, 400, "VALIDATION_ERROR"),
        ({"account": []}, 400, "VALIDATION_ERROR"),
    ],
)
def test_a_person_who_types_nonsense_pays_nothing(
    daraja: Daraja, changes: dict[str, Any], status: int, code: str
):
    answer = daraja.pay(new_msisdn(), **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert daraja.ledger() == []


def test_only_a_kenyan_phone_can_pay(daraja: Daraja):
    assert daraja.pay("4477009001").status_code == 404
    assert daraja.call("POST", "/simulator/api/phones/0712345678/pay", data=b"{").status_code == 400


# What else can happen.


def test_no_more_payments_are_under_way_than_there_is_room_for():
    simulator = Simulator(SimulatorSettings(validation_seconds=3))
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        url = f"http://127.0.0.1:{never_answers.getsockname()[1]}/"
        simulator.rules.register(Registration("600000", "Completed", url, url, hashes=True))
        payment = HandPayment(new_msisdn(), "600000", 100, "A")
        for _ in range(MOST_UNDER_WAY):
            simulator.paybills.pay_soon(payment, Plan())
        assert simulator.callbacks_to_come() == MOST_UNDER_WAY
        with pytest.raises(SystemBusy):
            simulator.paybills.pay(payment, Plan())
        simulator.reset()
        assert simulator.callbacks_to_come() == 0


def test_a_payment_by_prompt_is_confirmed_too_where_that_is_switched_on(shop: Shop, daraja: Daraja):
    daraja.switch(stk_confirmations=True)
    shop.register(ShortCode=SHORTCODE)
    checkout = daraja.prompt(new_msisdn(), 70, AccountReference="INV-7")
    daraja.answer(checkout, pin="1234")
    told = shop.confirmations()[0].body
    items = shop.receiver.wait_for(checkout)[0].items
    assert told["TransID"] == items["MpesaReceiptNumber"]
    assert (told["TransAmount"], told["BillRefNumber"]) == ("70.00", "INV-7")
    assert shop.validations() == []


def test_a_payment_by_prompt_is_not_confirmed_otherwise(shop: Shop, daraja: Daraja):
    shop.register(ShortCode=SHORTCODE)
    checkout = daraja.prompt(new_msisdn())
    daraja.answer(checkout, pin="1234")
    shop.receiver.wait_for(checkout)
    assert shop.receiver.paid(shop.paths()[0]) == []


def test_confirmations_are_repeated_lost_and_falsified_as_armed(shop: Shop, daraja: Daraja):
    shop.register()
    msisdn = new_msisdn()
    daraja.arm("duplicate_confirmation", on={"msisdn": msisdn}, copies=3)
    repeated = daraja.pay(msisdn).json()["receipt"]
    daraja.arm("no_confirmation", on={"amount": 11})
    lost = daraja.pay(msisdn, 11).json()["receipt"]
    daraja.arm("wrong_confirmation_amount")
    false = daraja.pay(msisdn, 12).json()["receipt"]
    quiet(daraja)
    path = shop.paths()[0]
    assert len(shop.receiver.paid(path, repeated)) == 3
    assert shop.receiver.paid(path, lost) == []
    assert shop.receiver.paid(path, false)[0].body["TransAmount"] == "13.00"
    assert [entry["amount"] for entry in daraja.ledger()] == [1500, 11, 12]


def test_a_late_confirmation_comes_late(shop: Shop, daraja: Daraja):
    shop.register()
    daraja.arm("late_confirmation", seconds=0.7)
    daraja.pay(new_msisdn())
    (asked,), (told,) = shop.validations(), shop.confirmations()
    assert told.at - asked.at >= 0.7


def test_a_payment_by_hand_can_be_reversed_and_asked_about(
    shop: Shop, daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    receipt = daraja.pay(msisdn).json()["receipt"]
    asked = daraja.status(TransactionID=receipt).json()["ConversationID"]
    told = receiver.wait_for_result(asked)[0].parameters
    assert (told["ReasonType"], told["TransactionStatus"]) == ("Pay Utility", "Completed")
    assert told["DebitPartyName"].startswith(msisdn)
    reversal = daraja.reverse(receipt, ReceiverParty=B2C_SHORTCODE).json()["ConversationID"]
    assert receiver.wait_for_result(reversal)[0].result["ResultCode"] == 0
    assert daraja.phone(msisdn)["balance"] == 50_000


def test_the_traffic_tells_what_the_shop_said_and_no_path(shop: Shop, daraja: Daraja):
    shop.register({"ResultCode": "C2B00013"})
    daraja.pay(new_msisdn())
    (row,) = [row for row in daraja.traffic() if row["direction"] == "out"]
    assert row["why"].endswith("C2B00013")
    assert shop.name not in row["path"]
