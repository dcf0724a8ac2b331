"""What can be made to go wrong with money out."""

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from app.simulator.out_codes import OUT_RESULTS
from app.simulator.scenarios import SCENARIOS
from app.simulator.weather import Weather
from tests.simulator.client import (
    SHORTCODE,
    Daraja,
    Receiver,
    eventually,
    new_id,
    new_msisdn,
)
from tests.simulator.test_b2c import envelope
from tests.simulator.test_transaction_status import asked, paid

Refusals = [
    ("500", 500, "application/json"),
    ("html", 403, "text/html"),
    ("rate_limited", 429, "application/json"),
]
SPOILT_ANSWERS = [
    ("out_error_after_processing", 500, ""),
    ("out_html_after_processing", 502, "text/html"),
    ("out_broken_json_after_processing", 200, "application/json"),
]


def settled(daraja: Daraja) -> None:
    """Wait until nothing more will be posted."""
    path = "/simulator/api/health"
    eventually(lambda: daraja.call("GET", path).json()["callbacks_to_come"] == 0)


def fate(daraja: Daraja, receiver: Receiver, own: str) -> str:
    """What the status query says of a payout."""
    status: str = asked(daraja, receiver, OriginalConversationID=own).parameters[
        "TransactionStatus"
    ]
    return status


@pytest.mark.parametrize("code", list(OUT_RESULTS))
def test_a_payout_ends_with_any_code_of_the_table_as_armed(
    daraja: Daraja, receiver: Receiver, code: str
):
    daraja.arm("out_result", code=code)
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert letter.result["ResultCode"] == (int(code) if code.isdigit() else code)
    assert letter.result["ResultDesc"] == OUT_RESULTS[code]
    assert len(daraja.money_out()) == (1 if code == "0" else 0)
    assert ("ResultParameters" in letter.result) == (code == "0")


def test_a_reversal_ends_as_armed_too(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    receipt = paid(daraja, msisdn)
    daraja.arm("out_result", on={"msisdn": msisdn}, code="21")
    conversation = daraja.reverse(receipt).json()["ConversationID"]
    (letter,) = receiver.wait_for_result(conversation)
    assert letter.result["ResultCode"] == 21
    assert daraja.money_out() == []


def test_insufficient_float_is_said_of_a_full_account(daraja: Daraja, receiver: Receiver):
    daraja.arm("insufficient_float")
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert letter.result["ResultCode"] == 1
    assert daraja.accounts()["utility"] == 1_000_000


@pytest.mark.parametrize(
    ("scenario", "moved", "status"),
    [("no_result", 1, "Completed"), ("no_result_not_moved", 0, "Expired")],
)
def test_no_result_ever_comes_and_only_a_question_tells(
    daraja: Daraja, receiver: Receiver, scenario: str, moved: int, status: str
):
    own, msisdn = new_id(), new_msisdn()
    daraja.arm(scenario)
    daraja.pay_out(msisdn, OriginatorConversationID=own)
    settled(daraja)
    assert receiver.results(own) == []
    assert len(daraja.money_out()) == moved
    assert daraja.phone(msisdn)["balance"] == 50_000 + 1500 * moved
    assert fate(daraja, receiver, own) == status
    assert daraja.b2c(msisdn, OriginatorConversationID=own).status_code == 500


@pytest.mark.parametrize(
    ("scenario", "moved", "status"),
    [("queue_time_out", 1, "Completed"), ("queue_time_out_not_moved", 0, "Expired")],
)
def test_a_queue_time_out_sends_the_request_back_and_no_result(
    daraja: Daraja, receiver: Receiver, scenario: str, moved: int, status: str
):
    own = new_id()
    body = daraja.b2c_body(new_msisdn(), OriginatorConversationID=own)
    daraja.arm(scenario)
    assert daraja.call("POST", "/mpesa/b2c/v3/paymentrequest", json=body).status_code == 200
    settled(daraja)
    (echo,) = receiver.echoes(OriginatorConversationID=own)
    assert (echo.path, echo.body) == ("/callback/time-out", body)
    assert receiver.results(own) == []
    assert len(daraja.money_out()) == moved
    assert fate(daraja, receiver, own) == status


def test_late_result(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    daraja.arm("late_result", seconds=0.8)
    conversation = daraja.pay_out(msisdn)
    sent = time.monotonic()
    assert daraja.phone(msisdn)["balance"] == 51_500
    assert receiver.wait_for_result(conversation)[0].at - sent > 0.9


def test_duplicate_result(daraja: Daraja, receiver: Receiver):
    daraja.arm("duplicate_result", copies=5)
    letters = receiver.wait_for_result(daraja.pay_out(new_msisdn()), 5)
    assert all(letter.body == letters[0].body for letter in letters)
    assert len(daraja.money_out()) == 1
    eventually(lambda: daraja.conversations()[0]["results_answered"] == 5)


def test_early_result_comes_before_the_acknowledgement(daraja: Daraja, receiver: Receiver):
    own = new_id()
    daraja.arm("early_result")
    daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    (letter,) = receiver.results(own)
    assert letter.result["ResultCode"] == 0
    settled(daraja)
    assert len(receiver.results(own)) == 1


@pytest.mark.parametrize("early", [False, True])
def test_wrong_result_amount_claims_one_shilling_more_than_moved(
    daraja: Daraja, receiver: Receiver, early: bool
):
    daraja.arm("wrong_result_amount")
    if early:
        daraja.arm("early_result")
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn(), 200))
    assert letter.parameters["TransactionAmount"] == 201
    assert daraja.money_out()[0]["amount"] == 200


def test_no_result_parameters_is_a_bare_success(daraja: Daraja, receiver: Receiver):
    daraja.arm("no_result_parameters")
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert letter.result["ResultCode"] == 0
    assert "ResultParameters" not in letter.result
    assert letter.result["TransactionID"] == daraja.money_out()[0]["receipt"]


@pytest.mark.parametrize(("name", "status", "content_type"), Refusals)
def test_what_is_refused_before_processing_leaves_no_trace(
    daraja: Daraja, name: str, status: int, content_type: str
):
    own, msisdn = new_id(), new_msisdn()
    daraja.arm(f"out_{name}")
    answer = daraja.b2c(msisdn, OriginatorConversationID=own)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    assert daraja.conversations() == []
    assert daraja.b2c(msisdn, OriginatorConversationID=own).status_code == 200


def test_out_maintenance_has_the_code_of_duplicates_and_another_text(daraja: Daraja):
    daraja.arm("out_maintenance")
    status, code, text = envelope(daraja.b2c(new_msisdn()))
    assert (status, code) == (500, "500.002.1001")
    assert "maintenance" in text
    assert daraja.conversations() == []


def test_out_reset_closes_the_connection_and_processes_nothing(daraja: Daraja):
    daraja.arm("out_reset")
    with pytest.raises(requests.ConnectionError):
        daraja.b2c(new_msisdn())
    assert daraja.conversations() == []


def test_out_hang_closes_the_connection_late_and_processes_nothing(daraja: Daraja):
    daraja.arm("out_hang", seconds=0.5)
    started = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        daraja.b2c(new_msisdn())
    assert time.monotonic() - started >= 0.5
    assert daraja.conversations() == []


def test_a_reset_after_processing_moves_money_and_a_repetition_is_a_duplicate(
    daraja: Daraja, receiver: Receiver
):
    own, msisdn = new_id(), new_msisdn()
    daraja.arm("out_reset_after_processing")
    with pytest.raises(requests.ConnectionError):
        daraja.b2c(msisdn, OriginatorConversationID=own)
    assert receiver.wait_for_result(own)[0].result["ResultCode"] == 0
    assert daraja.b2c(msisdn, OriginatorConversationID=own).status_code == 500
    assert len(daraja.money_out()) == 1


@pytest.mark.parametrize(("scenario", "status", "content_type"), SPOILT_ANSWERS)
def test_a_spoilt_answer_hides_a_payout_that_moves(
    daraja: Daraja, receiver: Receiver, scenario: str, status: int, content_type: str
):
    own = new_id()
    daraja.arm(scenario)
    answer = daraja.b2c(new_msisdn(), OriginatorConversationID=own)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert receiver.wait_for_result(own)[0].result["ResultCode"] == 0


def test_out_hang_after_processing_answers_late_and_truly(daraja: Daraja, receiver: Receiver):
    own = new_id()
    daraja.arm("out_hang_after_processing", seconds=1.5)
    started = time.monotonic()
    conversation = daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    assert time.monotonic() - started >= 1.5
    # The result was posted meanwhile.
    assert receiver.wait_for_result(conversation)[0].at < started + 1.5


def test_duplicate_answer_is_told_of_a_payout_that_goes_its_way(daraja: Daraja, receiver: Receiver):
    own = new_id()
    daraja.arm("duplicate_answer")
    answer = daraja.b2c(new_msisdn(), OriginatorConversationID=own)
    assert envelope(answer) == (500, "500.002.1001", "Duplicate OriginatorConversationID.")
    assert receiver.wait_for_result(own)[0].result["ResultCode"] == 0
    assert len(daraja.money_out()) == 1


@pytest.mark.parametrize("scenario", ["token_killed", "token_refused_once"])
def test_a_token_that_is_refused_moves_nothing(daraja: Daraja, scenario: str):
    msisdn = new_msisdn()
    daraja.credential()
    daraja.arm(scenario)
    assert envelope(daraja.b2c(msisdn))[:2] == (401, "401.002.01")
    again = daraja.b2c(msisdn)
    assert again.status_code == (401 if scenario == "token_killed" else 200)
    daraja.session.headers["Authorization"] = f"Bearer {daraja.token()}"
    assert daraja.b2c(msisdn).status_code == 200


def test_a_scenario_waits_for_its_payee_and_its_amount(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.arm("out_500", on={"msisdn": msisdn})
    daraja.arm("out_html", on={"amount": 13})
    assert daraja.b2c(new_msisdn()).status_code == 200
    assert daraja.b2c(msisdn).status_code == 500
    assert daraja.b2c(new_msisdn(), 13).status_code == 403


def test_a_duplicate_uses_up_no_scenario(daraja: Daraja):
    own, msisdn = new_id(), new_msisdn()
    daraja.pay_out(msisdn, OriginatorConversationID=own)
    daraja.arm("out_html", on={"msisdn": msisdn})
    assert daraja.b2c(msisdn, OriginatorConversationID=own).status_code == 500
    assert daraja.b2c(msisdn).status_code == 403


def test_a_scenario_of_money_out_leaves_prompts_and_questions_alone(
    daraja: Daraja, receiver: Receiver
):
    msisdn = new_msisdn()
    daraja.arm("no_result", on={"msisdn": msisdn})
    daraja.arm("ask_500", on={"msisdn": msisdn}, times=2)
    receipt = paid(daraja, msisdn)
    own = new_id()
    daraja.pay_out(msisdn, OriginatorConversationID=own)
    assert daraja.call("GET", "/simulator/api/scenarios").json()["armed"][0]["times"] == 2
    assert daraja.status(OriginalConversationID=own).status_code == 500
    assert daraja.status(TransactionID=receipt, PartyA=SHORTCODE).status_code == 500
    assert daraja.balance().status_code == 200


def test_an_api_narrows_a_scenario_to_itself(daraja: Daraja):
    receipt = paid(daraja, new_msisdn())
    armed = daraja.arm("out_500", api="reversal").json()
    assert armed["api"] == "reversal"
    assert daraja.b2c(new_msisdn()).status_code == 200
    assert daraja.reverse(receipt).status_code == 500
    daraja.arm("ask_500", api="balance")
    assert daraja.status(TransactionID=receipt).status_code == 200
    assert daraja.balance().status_code == 500


@pytest.mark.parametrize(
    "body",
    [
        {"scenario": "out_500", "api": "status"},
        {"scenario": "ask_500", "api": "b2c"},
        {"scenario": "push_500", "api": "b2c"},
        {"scenario": "out_500", "api": 1},
        {"scenario": "out_500", "api": ["b2c"]},
        {"scenario": "out_result", "code": "777"},
        {"scenario": "out_result"},
        {"scenario": "slow_processing", "seconds": "5"},
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(daraja: Daraja, body: dict[str, Any]):
    answer = daraja.call("POST", "/simulator/api/scenarios", json={"on": {"next": True}} | body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_scenarios_combine_on_one_payout(daraja: Daraja, receiver: Receiver):
    own = new_id()
    for scenario in ("duplicate_result", "insufficient_float", "out_error_after_processing"):
        daraja.arm(scenario)
    assert daraja.b2c(new_msisdn(), OriginatorConversationID=own).status_code == 500
    letters = receiver.wait_for_result(own, 2)
    assert [letter.result["ResultCode"] for letter in letters] == [1, 1]


def test_money_out_has_weather_too(daraja: Daraja, receiver: Receiver):
    daraja.weather(chances={"out_500": 1, "ask_html": 1})
    assert daraja.b2c(new_msisdn()).status_code == 500
    assert daraja.balance().status_code == 403
    assert daraja.push(new_msisdn()).status_code == 200
    daraja.weather(chances={"out_result": {"chance": 1, "code": "2040"}})
    (letter,) = receiver.wait_for_result(daraja.pay_out(new_msisdn()))
    assert letter.result["ResultCode"] == 2040
    seen = daraja.call("GET", "/simulator/api/weather").json()
    assert seen["chances"] == {"out_result": {"chance": 1, "code": "2040"}}
    assert seen["befell"] == {"out_result": 1}
    assert daraja.weather(**seen).status_code == 200


def test_the_weather_of_a_payee_depends_on_the_seed_and_on_nobody_else():
    forecast = {"seed": 7, "chances": {"out_500": 0.5, "no_result": 0.5, "status_unknown": 0.5}}
    phones = [new_msisdn() for _ in range(20)]
    fates = []
    for order in (phones, phones[::-1]):
        weather = Weather()
        weather.set(forecast)
        # That a shop asks more often must not change what befalls its payouts.
        for phone in order if order is phones else order * 3:
            weather.plan_for("status", phone)
        fates.append({phone: [weather.plan_for("b2c", phone) for _ in range(3)] for phone in order})
    assert fates[0] == fates[1]
    assert len({str(plans) for plans in fates[0].values()}) > 10


def test_every_scenario_of_money_out_and_of_asking_is_tried():
    folder = Path(__file__).parent
    text = "".join(path.read_text() for path in folder.glob("test_scenarios_*.py"))
    untried = [
        row.name
        for row in SCENARIOS.values()
        if row.moment in ("out", "ask") and f'"{row.name}"' not in text
    ]
    # The parametrised ones are put together from their endings.
    assert set(untried) <= {f"out_{name}" for name, _, _ in Refusals}
