import re
import threading
from typing import Any

import pytest

from tests.simulator.client import Daraja, Receiver, new_msisdn


def test_a_phone_shows_its_prompt(daraja: Daraja):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    phone = daraja.phone(msisdn)
    assert phone["msisdn"] == msisdn
    assert re.fullmatch(r"[A-Z]+ [A-Z]+", phone["name"])
    assert phone["balance"] == 50_000
    assert phone["messages"] == []
    (prompt,) = phone["prompts"]
    assert 0 < prompt.pop("seconds_left") <= 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", prompt.pop("opened_at"))
    assert prompt.pop("expires_at")
    assert prompt == {
        "checkout_request_id": checkout,
        "status": "open",
        "msisdn": msisdn,
        "amount": 1500,
        "shortcode": "174379",
        "business_name": "LIPA DEMO SHOP",
        "account_reference": "ABC123",
        "question": "Do you want to pay Ksh 1,500 to LIPA DEMO SHOP account no. ABC123? "
        "Enter M-PESA PIN:",
        "pin_attempts_left": 3,
        "result_code": None,
        "result_desc": None,
        "receipt": None,
        "summary": None,
    }


@pytest.mark.parametrize("form", ["0{}", "{}", "+254{}", "254{}"])
def test_a_phone_is_found_under_every_spelling_of_its_number(daraja: Daraja, form: str):
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    found = daraja.phone(form.format(msisdn[3:]))
    assert found["msisdn"] == msisdn
    assert len(found["prompts"]) == 1


def test_a_phone_keeps_its_name(daraja: Daraja):
    msisdn = new_msisdn()
    name = daraja.phone(msisdn)["name"]
    daraja.prompt(msisdn)
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.phone(msisdn)["name"] == name


def test_paying_moves_the_money_and_sends_a_message(daraja: Daraja):
    msisdn = new_msisdn()
    answer = daraja.answer(daraja.prompt(msisdn), pin="1234")
    assert answer.status_code == 200
    prompt = answer.json()
    assert (prompt["status"], prompt["result_code"]) == ("paid", "0")
    (entry,) = daraja.ledger()
    assert re.fullmatch(r"\d{4}-.*Z", entry.pop("time"))
    assert entry == {
        "kind": "stk",
        "receipt": prompt["receipt"],
        "checkout_request_id": prompt["checkout_request_id"],
        "msisdn": msisdn,
        "shortcode": "174379",
        "amount": 1500,
        "account_reference": "ABC123",
    }
    phone = daraja.phone(msisdn)
    assert phone["balance"] == 48_500
    (message,) = phone["messages"]
    assert re.fullmatch(
        rf"{entry['receipt']} Confirmed\. Ksh1,500\.00 sent to LIPA DEMO SHOP for account ABC123 "
        r"on \d{1,2}/\d{1,2}/\d\d at \d{1,2}:\d\d [AP]M\. "
        r"New M-PESA balance is Ksh48,500\.00\. Transaction cost, Ksh0\.00\.",
        message["text"],
    )


def test_the_shops_account_receives_what_the_phones_pay(daraja: Daraja):
    for amount in (10, 20):
        daraja.answer(daraja.prompt(new_msisdn(), amount), pin="1234")
    body = daraja.call("GET", "/simulator/api/ledger").json()
    assert body["total"] == 2
    assert body["organisations"] == {"174379": {"received": 30}}


def test_the_ledger_can_be_paged(daraja: Daraja):
    for amount in (1, 2, 3):
        daraja.answer(daraja.prompt(new_msisdn(), amount), pin="1234")
    page = daraja.call("GET", "/simulator/api/ledger?limit=1&offset=1").json()
    assert [entry["amount"] for entry in page["entries"]] == [2]
    assert page["total"] == 3
    assert daraja.call("GET", "/simulator/api/ledger?limit=-1").status_code == 400


def test_three_wrong_pins_end_the_prompt_with_2001(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    left = [daraja.answer(checkout, pin=pin).json()["pin_attempts_left"] for pin in ("0", "11111")]
    assert left == [2, 1]
    assert daraja.result_code(checkout) == "4999"
    last = daraja.answer(checkout, pin="4321").json()
    assert (last["status"], last["result_code"]) == ("failed", "2001")
    callback = receiver.wait_for(checkout)[0].callback
    assert callback["ResultDesc"] == "The initiator information is invalid."
    assert "wrong PIN" in daraja.phone(msisdn)["messages"][0]["text"]
    assert not daraja.ledger()


def test_too_little_money_ends_the_prompt_with_1(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn, amount=50_001)
    assert daraja.answer(checkout, pin="1234").json()["result_code"] == "1"
    assert receiver.wait_for(checkout)[0].callback["ResultCode"] == 1
    phone = daraja.phone(msisdn)
    assert phone["balance"] == 50_000
    assert "do not have enough money" in phone["messages"][0]["text"]


def test_a_prompt_is_answered_once_however_many_try(daraja: Daraja):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    statuses: list[int] = []

    def try_it() -> None:
        statuses.append(daraja.answer(checkout, pin="1234").status_code)

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
    assert len(daraja.ledger()) == 1
    assert daraja.phone(msisdn)["balance"] == 48_500


@pytest.mark.parametrize(
    "body", [{}, {"pin": 1234}, {"pin": ""}, {"pin": "1" * 17}, {"cancel": "yes"}, {"cancel": 1}]
)
def test_an_answer_that_is_neither_pin_nor_cancel_is_refused(daraja: Daraja, body: dict[str, Any]):
    checkout = daraja.prompt(new_msisdn())
    answer = daraja.answer(checkout, **body)
    assert answer.status_code == 400
    assert daraja.result_code(checkout) == "4999"


@pytest.mark.parametrize("body", [b"", b"[", b"[1]", b"\xff", b"[" * 60_000])
def test_a_body_that_is_no_json_object_is_refused(daraja: Daraja, body: bytes):
    path = f"/simulator/api/prompts/{daraja.prompt(new_msisdn())}"
    for target in (path, "/simulator/api/scenarios"):
        answer = daraja.call("POST", target, data=body)
        assert answer.status_code == 400
        assert answer.json()["success"] is False


def test_unknown_things_of_the_api_are_404_in_json(daraja: Daraja):
    assert daraja.answer("ws_CO_1", pin="1234").json()["code"] == "NOT_FOUND"
    for path in ("phones/020123", "phones/x", "nothing"):
        answer = daraja.call("GET", f"/simulator/api/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert daraja.call("GET", "/simulator/api/reset").status_code == 405


def test_reset_makes_a_new_world_in_which_old_prompts_stay_silent(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    paid, left_open = daraja.prompt(msisdn), daraja.prompt(new_msisdn())
    daraja.answer(paid, pin="1234")
    receiver.wait_for(paid)
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.ledger() == []
    assert daraja.phone(msisdn)["balance"] == 50_000
    assert daraja.phone(msisdn)["prompts"] == []
    assert daraja.query(left_open).json()["errorMessage"] == "The transaction does not Exist"
    receiver.wait_for(daraja.prompt(new_msisdn()))
    assert not receiver.about(left_open)


def test_the_certificate_is_the_simulators_own_and_stays_the_same(daraja: Daraja):
    first = daraja.call("GET", "/simulator/certificate.pem").text
    assert first.startswith("-----BEGIN CERTIFICATE-----")
    assert daraja.call("GET", "/simulator/certificate.pem").text == first


def test_health_is_answered(daraja: Daraja):
    assert daraja.call("GET", "/simulator/api/health").json()["status"] == "ok"
