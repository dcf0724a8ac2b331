"""Money out: a shop pays a phone."""

import re
import threading
from typing import Any

import pytest
import requests

from app.simulator.out_codes import OUT_RESULTS
from tests.simulator.client import (
    B2C_SHORTCODE,
    Daraja,
    Receiver,
    eventually,
    new_id,
    new_msisdn,
)

V1, V3 = "/mpesa/b2c/v1/paymentrequest", "/mpesa/b2c/v3/paymentrequest"
REQUEST_ID = r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\d{4,9}"


def envelope(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"requestId", "errorCode", "errorMessage"}
    return answer.status_code, body["errorCode"], body["errorMessage"]


def test_a_payout_is_acknowledged_with_its_own_id_in_four_strings(daraja: Daraja):
    own = new_id()
    answer = daraja.b2c(new_msisdn(), OriginatorConversationID=own)
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(r"AG_\d{8}_2010[0-9a-f]{16}", body.pop("ConversationID"))
    assert body == {
        "OriginatorConversationID": own,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }


def test_the_first_version_makes_the_id_itself_and_ignores_one_that_is_sent(daraja: Daraja):
    own = new_id()
    bodies = [
        daraja.b2c(new_msisdn(), version="v1", OriginatorConversationID=own).json()
        for _ in range(2)
    ]
    ids = [body["OriginatorConversationID"] for body in bodies]
    assert own not in ids
    assert len(set(ids)) == 2
    assert all(re.fullmatch(REQUEST_ID, one) for one in ids)
    assert len(daraja.money_out()) == 2


def test_the_result_says_what_moved_in_the_shapes_of_recordings(daraja: Daraja, receiver: Receiver):
    own, msisdn = new_id(), new_msisdn()
    conversation = daraja.pay_out(msisdn, OriginatorConversationID=own)
    (letter,) = receiver.wait_for_result(conversation)
    result = letter.result
    assert letter.path == "/callback/result"
    assert letter.headers["Content-Type"] == "application/json;charset=UTF-8"
    receipt = result["TransactionID"]
    assert re.fullmatch(r"[A-Z0-9]{10}", receipt)
    assert {name: result[name] for name in list(result)[:5]} == {
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": own,
        "ConversationID": conversation,
    }
    told = letter.parameters
    assert re.fullmatch(
        r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", told.pop("TransactionCompletedDateTime")
    )
    assert told == {
        "TransactionAmount": 1500,
        "TransactionReceipt": receipt,
        "ReceiverPartyPublicName": f"{msisdn} - {daraja.phone(msisdn)['name']}",
        "B2CUtilityAccountAvailableFunds": 998_500.0,
        "B2CWorkingAccountAvailableFunds": 0.0,
        "B2CRecipientIsRegisteredCustomer": "Y",
        "B2CChargesPaidAccountAvailableFunds": -22.4,
    }
    assert result["ReferenceData"] == {
        "ReferenceItem": {
            "Key": "QueueTimeoutURL",
            "Value": "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit",
        }
    }


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_the_money_really_moves_and_the_payee_is_told(daraja: Daraja, version: str):
    msisdn = new_msisdn()
    conversation = daraja.pay_out(msisdn, 250, version=version)
    phone = daraja.phone(msisdn)
    assert phone["balance"] == 50_250
    (entry,) = daraja.money_out()
    assert re.fullmatch(r"\d{4}-.*Z", entry.pop("time"))
    own = entry.pop("originator_conversation_id")
    assert own == daraja.conversations()[0]["originator_conversation_id"]
    receipt = entry.pop("receipt")
    assert entry == {
        "kind": "b2c",
        "conversation_id": conversation,
        "msisdn": msisdn,
        "payee": None,
        "shortcode": B2C_SHORTCODE,
        "amount": 250,
        "charge": 22.4,
        "original_receipt": None,
    }
    (message,) = phone["messages"]
    assert re.fullmatch(
        rf"{receipt} Confirmed\. You have received Ksh250\.00 from LIPA DEMO SHOP on "
        r"\d{1,2}/\d{1,2}/\d\d at \d{1,2}:\d\d [AP]M\. New M-PESA balance is Ksh50,250\.00\.",
        message["text"],
    )


def test_the_page_of_the_payees_phone_shows_the_message(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.pay_out(msisdn, 250)
    page = daraja.call("GET", f"/simulator/phones/{msisdn}").text
    assert "You have received Ksh250.00 from LIPA DEMO SHOP" in page
    assert "Ksh50,250.00" in page


def test_money_out_is_no_row_among_the_money_that_came_in(daraja: Daraja):
    daraja.pay_out(new_msisdn(), 250)
    daraja.answer(daraja.prompt(new_msisdn(), 40), pin="1234")
    body = daraja.call("GET", "/simulator/api/ledger").json()
    assert [(row["kind"], row["amount"]) for row in body["entries"]] == [("stk", 40)]
    assert [(row["kind"], row["amount"]) for row in body["money_out"]] == [("b2c", 250)]
    assert (body["total"], body["total_out"]) == (1, 1)
    assert body["organisations"] == {"174379": {"received": 40}}


def test_both_halves_of_the_ledger_are_paged(daraja: Daraja):
    for amount in (10, 20, 30):
        daraja.pay_out(new_msisdn(), amount)
    body = daraja.call("GET", "/simulator/api/ledger?limit=1&offset=1").json()
    assert [row["amount"] for row in body["money_out"]] == [20]
    assert body["total_out"] == 3


def test_numbers_and_numeric_strings_are_equally_welcome(daraja: Daraja):
    msisdn = new_msisdn()
    answer = daraja.b2c(msisdn, "250", PartyA=int(B2C_SHORTCODE), PartyB=int(msisdn))
    assert answer.status_code == 200
    assert daraja.phone(msisdn)["balance"] == 50_250


@pytest.mark.parametrize(
    "field",
    [
        "OriginatorConversationID",
        "InitiatorName",
        "SecurityCredential",
        "CommandID",
        "Amount",
        "PartyA",
        "PartyB",
        "Remarks",
        "QueueTimeOutURL",
        "ResultURL",
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, [], True])
def test_each_missing_or_malformed_field_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.b2c(new_msisdn(), **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")
    assert daraja.conversations() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CommandID", "BusinessPayBill"),
        ("Amount", 10.5),
        ("Amount", "10.50"),
        ("Amount", 0),
        ("Amount", -10),
        ("Amount", 1e30),
        ("PartyA", "12"),
        ("PartyB", "0712345678"),
        ("PartyB", "+254712345678"),
        ("PartyB", "254212345678"),
        ("Remarks", "x"),
        ("Remarks", "x" * 101),
        ("Occassion", "x" * 101),
        ("Occassion", {}),
        ("ResultURL", "https://<your-domain>/result"),
        ("ResultURL", "ftp://shop.example/result"),
        ("QueueTimeOutURL", "https://shop.example/time out"),
        ("OriginatorConversationID", "x" * 129),
    ],
)
def test_a_field_beyond_its_documented_bounds_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.b2c(new_msisdn(), **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")


def test_the_occasion_may_be_missing(daraja: Daraja):
    assert daraja.b2c(new_msisdn(), Occassion=...).status_code == 200


@pytest.mark.parametrize(
    ("path", "field"), [(V1, "InitiatorName"), (V3, "OriginatorConversationID")]
)
def test_another_content_type_is_not_read(daraja: Daraja, path: str, field: str):
    answer = daraja.call("POST", path, data={"Amount": "10"})
    assert envelope(answer)[2] == f"Bad Request - Invalid {field}"


def test_a_body_that_is_no_json_object_is_an_invalid_payload(daraja: Daraja):
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"[", b"[1]", b"\xff", b"[" * 60_000):
        answer = daraja.call("POST", V3, data=body, headers=headers)
        assert envelope(answer)[:2] == (400, "400.002.05")


def test_a_token_that_is_refused_comes_back_in_a_401(daraja: Daraja):
    answer = daraja.call("POST", V3, json={}, headers={"Authorization": "Bearer old-token"})
    text = "Error Occurred - Invalid Access Token - old-token"
    assert envelope(answer) == (401, "401.002.01", text)
    for header in ("", "Basic eDp5"):
        answer = daraja.call("POST", V3, json={}, headers={"Authorization": header})
        assert envelope(answer) == (404, "404.001.04", "Invalid Authentication Header")


def test_there_is_no_second_version_and_no_other_verb(daraja: Daraja):
    answer = daraja.call("POST", "/mpesa/b2c/v2/paymentrequest", json={})
    assert envelope(answer) == (404, "404.002.01", "Resource not found")
    assert envelope(daraja.call("GET", V3)) == (405, "405.001", "GET Method Not Allowed")


@pytest.mark.parametrize("amount", [1500, 40])
def test_an_id_that_was_accepted_before_is_a_duplicate_whatever_else_it_says(
    daraja: Daraja, amount: int
):
    own, msisdn = new_id(), new_msisdn()
    daraja.pay_out(msisdn, OriginatorConversationID=own)
    again = daraja.b2c(msisdn, amount, OriginatorConversationID=own)
    assert envelope(again) == (500, "500.002.1001", "Duplicate OriginatorConversationID.")
    assert len(daraja.money_out()) == 1


def test_an_id_is_remembered_when_its_payout_failed(daraja: Daraja):
    own = new_id()
    daraja.pay_out(new_msisdn(), 9, OriginatorConversationID=own)
    assert daraja.b2c(new_msisdn(), OriginatorConversationID=own).status_code == 500


def test_a_request_that_was_refused_at_the_door_uses_up_no_id(daraja: Daraja):
    own = new_id()
    daraja.b2c(new_msisdn(), "x", OriginatorConversationID=own)
    assert daraja.b2c(new_msisdn(), OriginatorConversationID=own).status_code == 200


def test_one_id_moves_money_once_however_many_send_it(daraja: Daraja):
    own, msisdn = new_id(), new_msisdn()
    body, statuses = daraja.b2c_body(msisdn, OriginatorConversationID=own), list[int]()

    def send() -> None:
        statuses.append(daraja.call("POST", V3, json=body).status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [500] * 7
    assert daraja.phone(msisdn)["balance"] == 51_500


def test_many_payouts_at_once_leave_accounts_that_add_up(daraja: Daraja):
    daraja.set_accounts(utility=5_000)
    phones = [new_msisdn() for _ in range(8)]
    threads = [threading.Thread(target=daraja.pay_out, args=(phone, 1_000)) for phone in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert daraja.accounts()["utility"] == 0
    assert sum(daraja.phone(phone)["balance"] - 50_000 for phone in phones) == 5_000
    assert [row["result_code"] for row in daraja.conversations()].count("1") == 3


def test_a_float_that_is_too_small_ends_with_1_and_moves_nothing(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    daraja.set_accounts(utility=1_499, working=90_000)
    (letter,) = receiver.wait_for_result(daraja.pay_out(msisdn))
    assert letter.result["ResultCode"] == 1
    assert letter.result["ResultDesc"] == "The balance is insufficient for the transaction."
    assert "ResultParameters" not in letter.result
    assert re.fullmatch(r"[A-Z0-9]{3}(?!0{7})[A-Z0-9]{7}", letter.result["TransactionID"])
    assert daraja.money_out() == []
    assert daraja.phone(msisdn)["balance"] == 50_000
    assert daraja.phone(msisdn)["messages"] == []
    assert daraja.accounts()["utility"] == 1_499
    daraja.set_accounts(utility=1_500)
    (letter,) = receiver.wait_for_result(daraja.pay_out(msisdn))
    assert letter.result["ResultCode"] == 0
    assert daraja.accounts()["utility"] == 0


@pytest.mark.parametrize(("amount", "code"), [(9, 2), (10, 0), (250_000, 0), (250_001, 3)])
def test_an_amount_beyond_the_documented_limits_is_declined_by_result(
    daraja: Daraja, receiver: Receiver, amount: int, code: int
):
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn(), amount))
    assert letter.result["ResultCode"] == code
    assert len(daraja.money_out()) == (1 if code == 0 else 0)


def test_nobody_holds_more_than_a_subscriber_may(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    for amount in (250_000, 200_000):
        daraja.pay_out(msisdn, amount)
    assert daraja.phone(msisdn)["balance"] == 500_000
    (letter,) = receiver.wait_for_result(daraja.pay_out(msisdn, 10))
    assert letter.result["ResultCode"] == 8


def test_the_history_tells_what_became_of_each_request_and_whether_the_shop_heard(
    daraja: Daraja, receiver: Receiver
):
    heard, unheard = new_id(), new_id()
    daraja.pay_out(new_msisdn(), OriginatorConversationID=heard)
    daraja.pay_out(
        new_msisdn(), 9, OriginatorConversationID=unheard, ResultURL="http://127.0.0.1:9/"
    )
    eventually(lambda: all(row["results_sent"] for row in daraja.conversations()))
    rows = daraja.conversations()
    names = ("originator_conversation_id", "stage", "result_code", "results_answered")
    told = [tuple(row[name] for name in names) for row in rows]
    assert told == [(heard, "Completed", "0", 1), (unheard, "Declined", "2", 0)]
    assert [row["receipt"] for row in rows] == [daraja.money_out()[0]["receipt"], None]
    page = daraja.call("GET", "/simulator/api/conversations?offset=1").json()
    assert [row["kind"] for row in page["conversations"]] == ["b2c"]
    assert page["total"] == 2


def test_a_result_is_posted_once_whatever_the_shop_answers(daraja: Daraja, receiver: Receiver):
    conversation = daraja.pay_out(new_msisdn(), ResultURL=receiver.url("/500/"))
    receiver.wait_for_result(conversation)
    receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert len(receiver.results(conversation)) == 1


def test_reset_forgets_payouts_and_those_on_their_way_never_arrive(
    daraja: Daraja, receiver: Receiver
):
    own = new_id()
    daraja.arm("slow_processing", seconds=0.4)
    daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.conversations() == []
    receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert receiver.results(own) == []
    assert len(daraja.money_out()) == 2


def test_the_traffic_names_a_payout_and_its_result_and_holds_no_secret(
    daraja: Daraja, receiver: Receiver
):
    conversation = daraja.pay_out(new_msisdn(), ResultURL=receiver.url("/secret-token"))
    receiver.wait_for_result(conversation)

    def about() -> list[dict[str, Any]]:
        return [row for row in daraja.traffic() if row["ConversationID"] == conversation]

    eventually(lambda: len(about()) == 2)
    rows = about()
    assert [row["direction"] for row in rows] == ["out", "in"]
    assert rows[0]["why"] == "result with ResultCode 0"
    assert "secret-token" not in str(daraja.traffic())


def test_every_result_code_says_something_of_its_own_and_ends_like_its_neighbours():
    assert len(set(OUT_RESULTS.values())) == len(OUT_RESULTS)
    assert all(text.endswith(".") for text in OUT_RESULTS.values())
