"""Bill Manager: invoices on phones, and news of their payments."""

import itertools
from typing import Any

import pytest
import requests

from app.simulator.bills import MOST_INVOICES, MOST_SHOPS, Biller, Bills, Invoice
from tests.simulator.client import B2C_SHORTCODE, Daraja, Receiver, new_msisdn
from tests.simulator.test_b2c import envelope

ROOT = "/v1/billmanager-invoice/"
DONE = {"resmsg": "Success", "rescode": "200"}
_numbers = itertools.count(1)


class OptedIn:
    """A shop that opted in, with an address of its own."""

    def __init__(self, daraja: Daraja, receiver: Receiver) -> None:
        self.daraja, self.receiver = daraja, receiver
        self.path = f"/bills-{next(_numbers)}"
        self.details = {
            "shortcode": B2C_SHORTCODE,
            "email": "bills@duka.example",
            "officialContact": "0710123456",
            "sendReminders": 1,
            "logo": "image",
            "callbackurl": receiver.url(self.path),
        }
        told = daraja.call("POST", f"{ROOT}optin", json=self.details).json()
        self.key = told.pop("app_key")
        assert told == DONE

    def call(self, api: str, body: Any) -> requests.Response:
        return self.daraja.call("POST", ROOT + api, json=body, headers={"appKey": self.key})

    def invoice(self, reference: str, msisdn: str = "0712345678", **changes: Any) -> dict[str, Any]:
        body = {
            "externalReference": reference,
            "billedFullName": "John Doe",
            "billedPhoneNumber": msisdn,
            "billedPeriod": "August 2026",
            "invoiceName": "School fees",
            "dueDate": "2026-12-15",
            "accountReference": f"A-{reference}",
            "amount": 800,
            "invoiceItems": [{"itemName": "food", "amount": 700}],
        } | changes
        return {name: value for name, value in body.items() if value is not ...}

    def rows(self) -> list[tuple[str, str]]:
        path = f"/simulator/api/invoices/{B2C_SHORTCODE}"
        rows = self.daraja.call("GET", path).json()["invoices"]
        return [(row["reference"], row["status"]) for row in rows]


@pytest.fixture
def biller(daraja: Daraja, receiver: Receiver) -> OptedIn:
    return OptedIn(daraja, receiver)


def test_an_invoice_comes_as_a_message_and_its_payment_is_told(biller: OptedIn):
    payer = new_msisdn()
    told = biller.call("single-invoicing", biller.invoice("7", payer)).json()
    assert told == {"Status_Message": "Invoice sent successfully", **DONE}
    message = biller.daraja.phone(payer)["messages"][0]["text"]
    assert "bills you Ksh800.00 for School fees, due 2026-12-15" in message
    receipt = biller.daraja.pay(payer, 300, account="A-7").json()["receipt"]
    letter = biller.receiver.wait_for_paid(biller.path)[0]
    assert len(letter.body.pop("dateCreated")) == 10
    assert letter.body == {
        "transactionId": receipt,
        "paidAmount": 300,
        "msisdn": payer,
        "accountReference": "A-7",
        "shortCode": int(B2C_SHORTCODE),
    }
    assert biller.rows() == [("7", "partly paid")]
    biller.daraja.pay(payer, 500, account="A-7")
    assert biller.rows() == [("7", "paid")]
    receipt_of_the_shop = {
        "paymentDate": "2026-11-21",
        "paidAmount": 300,
        "accountReference": "A-7",
        "transactionId": receipt,
        "phoneNumber": payer,
        "fullName": "John Doe",
        "invoiceName": "School fees",
        "externalReference": "7",
    }
    assert biller.call("reconciliation", receipt_of_the_shop).json() == DONE
    message = biller.daraja.phone(payer)["messages"][0]["text"]
    assert message == f"{receipt} Receipt for Ksh300.00, School fees. Thank you."


def test_a_payment_to_an_account_without_an_invoice_is_not_told(biller: OptedIn):
    biller.call("single-invoicing", biller.invoice("7"))
    biller.daraja.pay(new_msisdn(), 300, account="other")
    biller.daraja.pay(new_msisdn(), 800, account="A-7")
    assert biller.receiver.wait_for_paid(biller.path)[0].body["accountReference"] == "A-7"
    assert len(biller.receiver.paid(biller.path)) == 1


def test_many_are_sent_and_cancelled_at_once_all_or_none(biller: OptedIn):
    three = [biller.invoice(str(n), new_msisdn()) for n in range(3)]
    assert biller.call("bulk-invoicing", {"invoices": three}).json()["rescode"] == "200"
    again = biller.call("bulk-invoicing", {"invoices": [biller.invoice("9"), three[0]]}).json()
    assert (again["rescode"], again["errors"]) == ("409", [{"externalReference": "0"}])
    twice = biller.call("bulk-invoicing", {"invoices": [biller.invoice("9")] * 2}).json()
    assert twice["errors"] == [{"externalReference": "9"}]
    biller.daraja.pay(new_msisdn(), 1, account="A-2")
    listed = {"invoices": [{"externalReference": r} for r in ("0", "2", "unknown")]}
    refused = biller.call("cancel-bulk-invoices", listed).json()
    assert refused["errors"] == [{"externalReference": r} for r in ("2", "unknown")]
    assert [row[0] for row in biller.rows()] == ["0", "1", "2"]
    listed["invoices"] = listed["invoices"][:1]
    told = biller.call("cancel-bulk-invoices", listed).json()
    assert told == {"Status_Message": "Invoice cancelled successfully.", **DONE, "errors": []}
    one = biller.call("cancel-single-invoice", {"externalReference": "1"}).json()
    assert one["rescode"] == "200"
    assert [row[0] for row in biller.rows()] == ["2"]


def test_details_change_and_the_key_stays(biller: OptedIn):
    details = biller.details | {"email": "new@duka.example", "callbackurl": None}
    assert biller.call("change-optin-details", details).json() == DONE
    again = biller.daraja.call("POST", f"{ROOT}optin", json=biller.details).json()
    assert again["app_key"] == biller.key
    foreign = biller.call("change-optin-details", biller.details | {"shortcode": "600999"})
    assert envelope(foreign) == (400, "400.002.02", "Bad Request - Invalid shortcode")


@pytest.mark.parametrize(
    "api",
    [
        *("change-optin-details", "single-invoicing", "bulk-invoicing"),
        *("cancel-single-invoice", "cancel-bulk-invoices", "reconciliation"),
    ],
)
def test_without_the_key_of_an_opt_in_nothing_is_done(daraja: Daraja, api: str):
    for headers in ({}, {"appKey": "AG_1"}):
        answer = daraja.call("POST", ROOT + api, json={}, headers=headers)
        assert envelope(answer) == (400, "400.002.02", "Bad Request - Invalid appKey")


def test_the_key_is_not_kept_with_the_traffic(biller: OptedIn):
    (said,) = biller.daraja.call(
        "GET", "/simulator/api/requests/export", params={"text": "app_key"}
    ).json()["exchanges"]
    assert said["answer"]["body"]["app_key"] == "$SECRET"
    assert biller.key not in str(said)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("externalReference", ...),
        ("billedFullName", ""),
        ("billedPhoneNumber", "0123"),
        ("invoiceName", ...),
        ("dueDate", ...),
        ("accountReference", ...),
        ("amount", "8.50"),
    ],
)
def test_each_bad_field_of_an_invoice_is_named(biller: OptedIn, field: str, value: Any):
    bad = biller.invoice("7", **{field: value})
    for api, body in (("single-invoicing", bad), ("bulk-invoicing", {"invoices": [bad]})):
        answer = biller.call(api, body)
        assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")
    assert biller.rows() == []


@pytest.mark.parametrize("listed", [None, {}, [], [1], [{}] * 1_001])
def test_a_list_of_invoices_has_one_to_a_thousand(biller: OptedIn, listed: Any):
    answer = biller.call("bulk-invoicing", {"invoices": listed})
    assert envelope(answer)[2] == "Bad Request - Invalid invoices"


def test_no_more_shops_and_invoices_are_kept_than_there_is_room_for():
    bills = Bills()
    for n in range(MOST_SHOPS + 1):
        bills.opt_in(Biller(str(n), f"key-{n}", "a@b.c", "http://127.0.0.1:9/"))
    assert bills.biller_with("key-0") is None
    assert bills.biller_with("key-1") is not None
    for n in range(MOST_INVOICES + 1):
        bills.send([Invoice("600000", str(n), "x", str(n), "254712345678", "Jane", 100, "today")])
    assert len(bills.of("600000")) == MOST_INVOICES
    assert bills.of("600000")[0].reference == "1"
