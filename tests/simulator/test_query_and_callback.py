import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.simulator.client import Daraja, Receiver, eventually, new_msisdn

ACCEPTED = "The service request has been accepted successsfully"


def test_a_query_says_4999_while_the_prompt_is_open(daraja: Daraja):
    pushed = daraja.push(new_msisdn()).json()
    answer = daraja.query(pushed["CheckoutRequestID"])
    assert answer.status_code == 200
    assert answer.json() == {
        "ResponseCode": "0",
        "ResponseDescription": ACCEPTED,
        "MerchantRequestID": pushed["MerchantRequestID"],
        "CheckoutRequestID": pushed["CheckoutRequestID"],
        "ResultCode": "4999",
        "ResultDesc": "The transaction is still under processing",
    }


def test_a_final_query_gives_the_code_as_text_and_no_receipt(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    daraja.answer(checkout, pin="1234")
    body = daraja.query(checkout).json()
    assert body["ResultCode"] == "0"
    assert body["ResultDesc"] == "The service request is processed successfully."
    assert len(body) == 6


def test_an_unknown_id_does_not_exist(daraja: Daraja):
    answer = daraja.query("ws_CO_21112026000000000712345678")
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "500.001.1001"
    assert answer.json()["errorMessage"] == "The transaction does not Exist"


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"Password": "Zm9v"}, 500, "Wrong credentials"),
        ({"CheckoutRequestID": ""}, 400, "Bad Request - Invalid CheckoutRequestID"),
        ({"CheckoutRequestID": {}}, 400, "Bad Request - Invalid CheckoutRequestID"),
        ({"BusinessShortCode": "x"}, 400, "Bad Request - Invalid BusinessShortCode"),
    ],
)
def test_a_query_is_checked_like_a_push(
    daraja: Daraja, changes: dict[str, object], status: int, message: str
):
    answer = daraja.query(daraja.prompt(new_msisdn()), **changes)
    assert (answer.status_code, answer.json()["errorMessage"]) == (status, message)


def test_a_paid_prompt_calls_back_once_with_everything_in_its_shape(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    pushed = daraja.push(msisdn, CallBackURL=receiver.url("/a/b?token=x%20y&n=1")).json()
    checkout = pushed["CheckoutRequestID"]
    daraja.answer(checkout, pin="1234")
    (letter,) = receiver.wait_for(checkout)
    assert letter.path == "/a/b?token=x%20y&n=1"
    assert letter.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert letter.headers["Businessshortcode"] == "174379"
    assert "Authorization" not in letter.headers
    (entry,) = daraja.ledger()
    nairobi = datetime.now(UTC) + timedelta(hours=3)
    date = letter.items["TransactionDate"]
    assert str(date).startswith(nairobi.strftime("%Y%m%d"))
    assert letter.body == {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": pushed["MerchantRequestID"],
                "CheckoutRequestID": checkout,
                "ResultCode": 0,
                "ResultDesc": "The service request is processed successfully.",
                "CallbackMetadata": {
                    "Item": [
                        {"Name": "Amount", "Value": 1500},
                        {"Name": "MpesaReceiptNumber", "Value": entry["receipt"]},
                        {"Name": "TransactionDate", "Value": date},
                        {"Name": "PhoneNumber", "Value": int(msisdn)},
                    ]
                },
            }
        }
    }


def test_a_cancelled_prompt_calls_back_without_metadata(daraja: Daraja, receiver: Receiver):
    checkout = daraja.prompt(new_msisdn())
    daraja.answer(checkout, cancel=True)
    callback = receiver.wait_for(checkout)[0].callback
    assert set(callback) == {"MerchantRequestID", "CheckoutRequestID", "ResultCode", "ResultDesc"}
    assert callback["ResultCode"] == 1032
    assert callback["ResultDesc"] == "Request cancelled by user"
    assert daraja.result_code(checkout) == "1032"


def test_silence_ends_a_prompt_with_1037_in_two_wordings(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    callback = receiver.wait_for(checkout)[0].callback
    assert (callback["ResultCode"], callback["ResultDesc"]) == (1037, "No response from user.")
    query = daraja.query(checkout).json()
    assert query["ResultCode"] == "1037"
    assert query["ResultDesc"] == "DS timeout user cannot be reached."
    assert daraja.phone(msisdn)["prompts"][0]["status"] == "timed_out"


def test_the_test_number_approves_by_itself_after_about_two_seconds(
    daraja: Daraja, receiver: Receiver
):
    started = time.monotonic()
    checkout = daraja.prompt("254708374149")
    assert daraja.result_code(checkout) == "4999"
    letter = receiver.wait_for(checkout)[0]
    assert letter.callback["ResultCode"] == 0
    assert 1.9 < letter.at - started < 8


def test_a_callback_is_never_repeated_and_never_follows_a_redirect(
    daraja: Daraja, receiver: Receiver
):
    prompts = [
        daraja.prompt(new_msisdn(), CallBackURL=receiver.url(path))
        for path in ("/500/x", "/redirect/x")
    ]
    for checkout in prompts:
        daraja.answer(checkout, pin="1234")
    for checkout in prompts:
        receiver.wait_for(checkout)
    time.sleep(0.5)
    assert [len(receiver.about(checkout)) for checkout in prompts] == [1, 1]
    assert receiver.about(prompts[1])[0].path == "/redirect/x"


def test_an_unreachable_shop_harms_nobody_else(daraja: Daraja, receiver: Receiver):
    lost = daraja.prompt(new_msisdn(), CallBackURL="http://127.0.0.1:9/callback")
    kept = daraja.prompt(new_msisdn())
    for checkout in (lost, kept):
        daraja.answer(checkout, pin="1234")
    assert receiver.wait_for(kept)
    assert daraja.result_code(lost) == "0"
    records = eventually(
        lambda: [
            r
            for r in daraja.traffic()
            if r["direction"] == "out" and r["CheckoutRequestID"] == lost
        ]
    )
    assert "not answered" in records[0]["why"]
