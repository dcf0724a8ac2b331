"""How Daraja behaves, switched for everything, or armed for one request."""

import hashlib
from typing import Any

import pytest

from app.simulator.settings import SimulatorSettings
from app.simulator.switches import SWITCHES, SpikeArrest, Switches
from tests.simulator.client import Daraja, Received, Receiver, new_msisdn


def switch(daraja: Daraja, **changes: Any) -> dict[str, Any]:
    answer = daraja.call("POST", "/simulator/api/switches", json=changes)
    assert answer.status_code == 200, answer.text
    return answer.json()["switches"]


def paid(daraja: Daraja, receiver: Receiver, msisdn: str | None = None) -> Received:
    checkout = daraja.prompt(msisdn or new_msisdn())
    daraja.answer(checkout, pin="1234")
    return receiver.wait_for(checkout)[0]


def test_the_shape_of_2024_has_a_balance_without_a_value_and_amounts_with_a_fraction(
    daraja: Daraja, receiver: Receiver
):
    switch(daraja, callback_shape="2024")
    items = paid(daraja, receiver).callback["CallbackMetadata"]["Item"]
    names = [item["Name"] for item in items]
    assert names == [
        "Amount",
        "MpesaReceiptNumber",
        "Balance",
        "TransactionDate",
        "PhoneNumber",
    ]
    assert items[2] == {"Name": "Balance"}
    assert (items[0]["Value"], type(items[0]["Value"])) == (1500.0, float)


@pytest.mark.parametrize("as_", ["number", "text", "masked", "hashed", "absent"])
@pytest.mark.parametrize("how", ["switch", "scenario"])
def test_the_payers_number_comes_in_every_form(
    daraja: Daraja, receiver: Receiver, as_: str, how: str
):
    msisdn = new_msisdn()
    expected = {
        "number": int(msisdn),
        "text": msisdn,
        "masked": f"{msisdn[:6]}***{msisdn[-3:]}",
        "hashed": hashlib.sha256(msisdn.encode()).hexdigest(),
        "absent": ...,
    }
    if how == "switch":
        switch(daraja, callback_phone=as_)
    else:
        daraja.arm("callback_phone", **{"as": as_})
    assert paid(daraja, receiver, msisdn).items.get("PhoneNumber", ...) == expected[as_]


def test_what_is_armed_prevails_over_the_switch(daraja: Daraja, receiver: Receiver):
    switch(daraja, callback_shape="2024", callback_phone="masked")
    daraja.arm("callback_shape", shape="2026")
    daraja.arm("callback_phone", **{"as": "number"})
    msisdn = new_msisdn()
    letter = paid(daraja, receiver, msisdn)
    assert "Balance" not in letter.items
    assert letter.items["PhoneNumber"] == int(msisdn)


def test_a_pending_query_can_be_answered_as_formerly(daraja: Daraja):
    switch(daraja, pending_answer="being_processed")
    checkout = daraja.prompt(new_msisdn())
    answer = daraja.query(checkout)
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.001.1001")
    assert answer.json()["errorMessage"] == "The transaction is being processed"
    daraja.answer(checkout, pin="1234")
    assert daraja.result_code(checkout) == "0"


def test_a_pending_query_can_be_armed_to_be_answered_as_formerly(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    daraja.arm("query_old_pending")
    assert daraja.query(checkout).json()["errorMessage"] == "The transaction is being processed"
    assert daraja.result_code(checkout) == "4999"


def test_a_new_token_ends_the_old_one_while_the_switch_is_on(daraja: Daraja):
    switch(daraja, new_token_ends_old=True)
    daraja.token()
    refused = daraja.push(new_msisdn())
    assert (refused.status_code, refused.json()["errorCode"]) == (404, "404.001.03")
    assert "A newer token ended this one" in daraja.traffic()[0]["why"]
    switch(daraja, new_token_ends_old=False)
    daraja.session.headers["Authorization"] = f"Bearer {daraja.token()}"
    daraja.token()
    assert daraja.push(new_msisdn()).status_code == 200


def test_the_same_amount_within_two_minutes_is_rule_limited_where_limits_hold(daraja: Daraja):
    switch(daraja, documented_limits=True)
    msisdn = new_msisdn()
    daraja.answer(daraja.prompt(msisdn, 10), pin="1234")
    assert daraja.result_code(daraja.prompt(msisdn, 10)) == "17"
    assert daraja.result_code(daraja.prompt(new_msisdn(), 10)) == "4999"
    checkout = daraja.prompt(msisdn, 11)
    assert daraja.answer(checkout, pin="1234").json()["result_code"] == "0"
    switch(daraja, documented_limits=False)
    assert daraja.result_code(daraja.prompt(msisdn, 10)) == "4999"


def test_more_than_half_a_million_a_day_is_declined_where_limits_hold(daraja: Daraja):
    switch(daraja, documented_limits=True)
    msisdn = new_msisdn()
    for amount in (249_000, 248_000):
        daraja.pay_out(msisdn, 249_001)
        daraja.answer(daraja.prompt(msisdn, amount), pin="1234")
    assert daraja.result_code(daraja.prompt(msisdn, 3_001)) == "4"
    assert daraja.result_code(daraja.prompt(msisdn, 3_000)) == "4999"
    assert [entry["amount"] for entry in daraja.ledger()] == [249_000, 248_000]


def test_queries_are_limited_as_in_the_sandbox_where_that_is_switched_on(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    switch(daraja, query_limit=True)
    answers = [daraja.query(checkout) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "Spike arrest violation" in answers[1].json()["fault"]["faultstring"]
    switch(daraja, query_limit=False)
    assert daraja.query(checkout).status_code == 200


def test_the_limit_of_queries_admits_one_in_twelve_seconds_for_each_shop():
    now = 0.0
    gate = SpikeArrest(monotonic=lambda: now)
    assert [gate.admits(code) for code in ("174379", "174379", "600123")] == [True, False, True]
    now = 11.9
    assert not gate.admits("174379")
    now = 12.0
    assert gate.admits("174379")


def test_switches_can_be_seen_and_a_reset_puts_them_back(daraja: Daraja):
    switch(daraja, callback_shape="2024", magic_numbers=False)
    daraja.call("POST", "/simulator/api/reset")
    seen = daraja.call("GET", "/simulator/api/switches").json()
    assert seen["switches"] == Switches().as_json()
    assert seen["known"]["callback_shape"]["values"] == ["2026", "2024"]
    assert set(seen["known"]) == set(SWITCHES) == set(seen["switches"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nothing": True},
        {"callback_shape": "2025"},
        {"callback_shape": 2024},
        {"callback_phone": None},
        {"query_limit": 1},
        {"query_limit": "true"},
        {"query_limit": True, "magic_numbers": 0},
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_and_none_is_turned(
    daraja: Daraja, changes: dict[str, Any]
):
    answer = daraja.call("POST", "/simulator/api/switches", json=changes)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    seen = daraja.call("GET", "/simulator/api/switches").json()["switches"]
    assert seen == Switches().as_json()


def test_switches_can_be_turned_before_the_start():
    text = "callback_shape=2024, query_limit magic_numbers=false"
    switches = SimulatorSettings.from_environment({"SIMULATOR_SWITCHES": text}).switches
    assert (switches.callback_shape, switches.query_limit) == ("2024", True)
    assert not switches.magic_numbers
    with pytest.raises(ValueError, match="callback_shape must be one of: 2026, 2024"):
        SimulatorSettings.from_environment({"SIMULATOR_SWITCHES": "callback_shape=1999"})


@pytest.mark.parametrize(
    ("scenario", "status", "content_type"),
    [
        ("token_empty_400", 400, ""),
        ("token_html", 403, "text/html"),
        ("token_500", 500, "application/json"),
    ],
)
def test_asking_for_a_token_can_be_made_to_go_wrong(
    daraja: Daraja, scenario: str, status: int, content_type: str
):
    daraja.arm(scenario)
    answer = daraja.ask_token()
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    assert bool(answer.content) is (scenario != "token_empty_400")
    assert daraja.ask_token().status_code == 200
