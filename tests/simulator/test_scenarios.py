import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from app.simulator.scenarios import SCENARIOS
from tests.simulator.client import Daraja, Receiver, eventually, new_msisdn

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
SPOILT_ANSWERS = [
    ("error_after_processing", 500, ""),
    ("html_after_processing", 502, "text/html"),
    ("broken_json_after_processing", 200, "application/json"),
]


def pay(daraja: Daraja, msisdn: str | None = None, amount: int = 1500) -> str:
    checkout = daraja.prompt(msisdn or new_msisdn(), amount)
    assert daraja.answer(checkout, pin="1234").status_code == 200
    return checkout


def test_a_scenario_waits_for_its_phone(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.arm("push_500", on={"msisdn": "0" + msisdn[3:]})
    assert daraja.push(new_msisdn()).status_code == 200
    assert daraja.push(msisdn).status_code == 500
    assert daraja.push(msisdn).status_code == 200


def test_a_scenario_waits_for_its_amount_as_often_as_told(daraja: Daraja):
    armed = daraja.arm("push_500", on={"amount": 13}, times=2)
    assert armed.status_code == 201
    assert armed.json()["times"] == 2
    statuses = [daraja.push(new_msisdn(), amount=a).status_code for a in (12, 13, 13, 13)]
    assert statuses == [200, 500, 500, 200]


def test_what_is_armed_can_be_seen_and_reset_disarms_it(daraja: Daraja):
    daraja.arm("no_callback", on={"amount": 5})
    listed = daraja.call("GET", "/simulator/api/scenarios").json()
    assert listed["armed"][0]["scenario"] == "no_callback"
    assert "query_noise" in {row["name"] for row in listed["known"]}
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.call("GET", "/simulator/api/scenarios").json()["armed"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scenario": "unheard_of", "on": {"next": True}},
        {"scenario": ["x"], "on": {"next": True}},
        {"scenario": "no_callback"},
        {"scenario": "no_callback", "on": {"next": 1}},
        {"scenario": "no_callback", "on": {"msisdn": "12"}},
        {"scenario": "no_callback", "on": {"amount": True}},
        {"scenario": "no_callback", "on": {"amount": -1}},
        {"scenario": "no_callback", "on": {"next": True}, "times": 0},
        {"scenario": "no_callback", "on": {"next": True}, "times": 1001},
        {"scenario": "no_callback", "on": {"next": True}, "times": "2"},
        {"scenario": "no_callback", "on": {"next": True}, "times": 1.5},
        {"scenario": "duplicate_callback", "on": {"next": True}, "copies": 2.5},
        {"scenario": "late_callback", "on": {"next": True}, "seconds": 1e9},
        {"scenario": "late_callback", "on": {"next": True}, "seconds": True},
        {"scenario": "result", "on": {"next": True}},
        {"scenario": "result", "on": {"next": True}, "code": "4999"},
        {"scenario": "result", "on": {"next": True}, "code": "777"},
        {"scenario": "token_refused_once", "on": {"amount": 5}},
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(daraja: Daraja, body: dict[str, Any]):
    answer = daraja.call("POST", "/simulator/api/scenarios", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert answer.json()["message"]


def test_no_callback(daraja: Daraja, receiver: Receiver):
    daraja.arm("no_callback")
    silent = pay(daraja)
    receiver.wait_for(pay(daraja))
    time.sleep(0.3)
    assert not receiver.about(silent)
    assert daraja.result_code(silent) == "0"
    assert len(daraja.ledger()) == 2


def test_late_callback(daraja: Daraja, receiver: Receiver):
    daraja.arm("late_callback", seconds=0.8)
    checkout = pay(daraja)
    paid = time.monotonic()
    assert receiver.wait_for(checkout)[0].at - paid > 0.9


def test_duplicate_callback(daraja: Daraja, receiver: Receiver):
    daraja.arm("duplicate_callback", copies=5)
    checkout = pay(daraja)
    letters = receiver.wait_for(checkout, 5)
    assert len(letters) == 5
    assert all(letter.body == letters[0].body for letter in letters)
    assert len(daraja.ledger()) == 1


def test_early_callback_comes_before_the_answer_of_the_push(daraja: Daraja, receiver: Receiver):
    daraja.arm("early_callback")
    checkout = daraja.prompt(new_msisdn())
    assert receiver.about(checkout)[0].callback["ResultCode"] == 0
    assert daraja.result_code(checkout) == "0"
    assert len(daraja.ledger()) == 1


@pytest.mark.parametrize(
    ("code", "in_callback", "status"),
    [
        ("1", 1, "failed"),
        (1032, 1032, "cancelled"),
        ("1019", 1019, "timed_out"),
        ("E3008", "E3008", "failed"),
        ("SFC_IC0003", "SFC_IC0003", "failed"),
        (0, 0, "paid"),
    ],
)
def test_result_ends_the_prompt_at_once_with_any_code_of_the_table(
    daraja: Daraja, receiver: Receiver, code: str | int, in_callback: str | int, status: str
):
    msisdn = new_msisdn()
    daraja.arm("result", code=code)
    checkout = daraja.prompt(msisdn)
    assert daraja.result_code(checkout) == str(code)
    assert receiver.wait_for(checkout)[0].callback["ResultCode"] == in_callback
    assert daraja.phone(msisdn)["prompts"][0]["status"] == status
    assert len(daraja.ledger()) == (1 if status == "paid" else 0)


def test_late_success_follows_a_reported_time_out(daraja: Daraja, receiver: Receiver):
    daraja.arm("late_success", seconds=0.5)
    checkout = daraja.prompt(new_msisdn())
    eventually(lambda: daraja.result_code(checkout) == "1037")
    codes = [letter.callback["ResultCode"] for letter in receiver.wait_for(checkout, 2)]
    assert codes == [1037, 0]
    assert daraja.result_code(checkout) == "0"
    assert len(daraja.ledger()) == 1


def test_wrong_amount_claims_one_shilling_more_than_moved(daraja: Daraja, receiver: Receiver):
    daraja.arm("wrong_amount")
    checkout = pay(daraja, amount=200)
    assert receiver.wait_for(checkout)[0].items["Amount"] == 201
    assert daraja.ledger()[0]["amount"] == 200


def test_no_metadata_is_a_bare_success(daraja: Daraja, receiver: Receiver):
    daraja.arm("no_metadata")
    checkout = pay(daraja)
    callback = receiver.wait_for(checkout)[0].callback
    assert callback["ResultCode"] == 0
    assert "CallbackMetadata" not in callback


def test_push_500_is_not_processed(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.arm("push_500")
    answer = daraja.push(msisdn)
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.003.1001")
    assert daraja.phone(msisdn)["prompts"] == []


def test_push_html_is_the_firewall_speaking(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.arm("push_html")
    answer = daraja.push(msisdn)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<html>" in answer.text
    assert daraja.phone(msisdn)["prompts"] == []


def test_reset_after_processing_leaves_a_live_prompt_and_no_answer(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    daraja.arm("reset_after_processing")
    with pytest.raises(requests.ConnectionError):
        daraja.push(msisdn)
    (prompt,) = daraja.phone(msisdn)["prompts"]
    assert prompt["status"] == "open"
    daraja.answer(prompt["checkout_request_id"], pin="1234")
    assert receiver.wait_for(prompt["checkout_request_id"])


@pytest.mark.parametrize(("scenario", "status", "content_type"), SPOILT_ANSWERS)
def test_a_spoilt_answer_leaves_a_live_prompt_and_does_not_name_it(
    daraja: Daraja, receiver: Receiver, scenario: str, status: int, content_type: str
):
    msisdn = new_msisdn()
    daraja.arm(scenario)
    answer = daraja.push(msisdn)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    (prompt,) = daraja.phone(msisdn)["prompts"]
    assert prompt["status"] == "open"
    daraja.answer(prompt["checkout_request_id"], pin="1234")
    assert receiver.wait_for(prompt["checkout_request_id"])


def test_push_rate_limited_is_not_processed(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.arm("push_rate_limited")
    answer = daraja.push(msisdn)
    assert answer.status_code == 429
    assert "fault" in answer.json()
    assert daraja.phone(msisdn)["prompts"] == []


@pytest.mark.parametrize(
    ("scenario", "claimed"),
    [("failure_then_success", [1037, 0]), ("success_then_failure", [0, 1037])],
)
def test_a_payment_is_contradicted_and_moves_once(
    daraja: Daraja, receiver: Receiver, scenario: str, claimed: list[int]
):
    daraja.arm(scenario)
    checkout = pay(daraja)
    letters = receiver.wait_for(checkout, 2)
    assert [letter.callback["ResultCode"] for letter in letters] == claimed
    assert ["CallbackMetadata" in letter.callback for letter in letters] == [
        code == 0 for code in claimed
    ]
    assert daraja.result_code(checkout) == "0"
    assert len(daraja.ledger()) == 1


def test_a_prompt_that_was_not_paid_is_never_reported_as_paid(daraja: Daraja, receiver: Receiver):
    daraja.arm("failure_then_success")
    checkout = daraja.prompt(new_msisdn())
    daraja.answer(checkout, cancel=True)
    receiver.wait_for(checkout)
    time.sleep(0.5)
    (letter,) = receiver.about(checkout)
    assert letter.callback["ResultCode"] == 1032


def test_hang_processes_and_answers_late(daraja: Daraja):
    daraja.arm("hang", seconds=1)
    started = time.monotonic()
    checkout = daraja.prompt(new_msisdn())
    assert time.monotonic() - started >= 1
    assert daraja.result_code(checkout) == "4999"


def test_token_refused_once_refuses_one_call_and_no_more(daraja: Daraja):
    daraja.arm("token_refused_once")
    msisdn = new_msisdn()
    refused = daraja.push(msisdn)
    assert (refused.status_code, refused.json()["errorCode"]) == (404, "404.001.03")
    assert daraja.phone(msisdn)["prompts"] == []
    assert daraja.push(msisdn).status_code == 200


def test_query_noise_says_nothing_about_the_payment(daraja: Daraja):
    daraja.arm("query_noise", times=2)
    checkout = pay(daraja)
    answers = [daraja.query(checkout) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 500, 200]
    assert answers[0].json()["errorCode"] == "500.001.1001"
    assert answers[2].json()["ResultCode"] == "0"


def test_query_rate_limited_is_the_gateways_fault(daraja: Daraja):
    checkout = pay(daraja)
    daraja.arm("query_rate_limited", on={"amount": 1500})
    answer = daraja.query(checkout)
    assert answer.status_code == 429
    fault = answer.json()["fault"]
    assert fault["detail"]["errorcode"] == "policies.ratelimit.SpikeArrestViolation"
    assert daraja.result_code(checkout) == "0"


def test_query_html_is_the_firewall_speaking(daraja: Daraja):
    checkout = pay(daraja)
    daraja.arm("query_html")
    answer = daraja.query(checkout)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert daraja.result_code(checkout) == "0"


def test_query_hang_answers_late_and_truly(daraja: Daraja):
    checkout = pay(daraja)
    daraja.arm("query_hang", seconds=0.5)
    started = time.monotonic()
    assert daraja.result_code(checkout) == "0"
    assert time.monotonic() - started >= 0.5


def test_the_document_lists_every_scenario_and_its_moment():
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert listed == [(row.name, row.moment) for row in SCENARIOS.values()]


def test_scenarios_combine_on_one_push(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    daraja.arm("result", on={"msisdn": msisdn}, code="1032")
    daraja.arm("duplicate_callback", on={"msisdn": msisdn})
    letters = receiver.wait_for(daraja.prompt(msisdn), 2)
    assert [letter.callback["ResultCode"] for letter in letters] == [1032, 1032]
