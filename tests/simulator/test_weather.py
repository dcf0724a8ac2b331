import math
import time
from collections import Counter
from typing import Any

import pytest

from app.simulator import weather as weather_module
from app.simulator.weather import Weather
from tests.simulator.client import Daraja, Receiver, eventually, new_msisdn

ALWAYS_PAID = {"payers": {"pays": 1}, "payer_seconds": [0, 0.1]}


def statuses(daraja: Daraja) -> list[str]:
    return [prompt["status"] for prompt in daraja.history()]


def test_it_is_calm_unless_told_otherwise(daraja: Daraja):
    assert daraja.call("GET", "/simulator/api/weather").json() == {
        "seed": 0,
        "chances": {},
        "payers": {},
        "payer_seconds": [0.2, 2.0],
        "befell": {},
    }


def test_it_can_be_seen_and_sent_again_and_reset_makes_it_calm(daraja: Daraja):
    forecast = {
        "seed": 7,
        "chances": {
            "push_500": 0.5,
            "duplicate_callback": {"chance": 0.25, "copies": 10},
            "result": {"chance": 0.1, "code": "1032"},
            "late_callback": {"chance": 0, "seconds": 1.5},
        },
        "payers": {"pays": 0.75, "enters_wrong_pin": 0.25},
        "payer_seconds": [0, 1],
    }
    first = daraja.weather(**forecast)
    assert first.status_code == 200
    again = daraja.weather(**first.json()).json()
    assert again == first.json()
    assert again["chances"]["duplicate_callback"] == {"chance": 0.25, "copies": 10}
    assert again["chances"]["result"] == {"chance": 0.1, "code": "1032"}
    assert again["chances"]["push_500"] == {"chance": 0.5}
    assert again["payers"] == forecast["payers"]
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.call("GET", "/simulator/api/weather").json()["chances"] == {}


@pytest.mark.parametrize(
    "forecast",
    [
        {"seed": "7"},
        {"seed": True},
        {"seed": 2**63},
        {"chances": []},
        {"chances": {"unheard_of": 0.1}},
        {"chances": {"push_500": 1.1}},
        {"chances": {"push_500": -0.1}},
        {"chances": {"push_500": True}},
        {"chances": {"push_500": "0.1"}},
        {"chances": {"push_500": {}}},
        {"chances": {"push_500": math.nan}},
        {"chances": {"duplicate_callback": {"chance": 0.1, "copies": 21}}},
        {"chances": {"result": 0.1}},
        {"payers": ["pays"]},
        {"payers": {"steals": 0.1}},
        {"payers": {"pays": 0.6, "cancels": 0.5}},
        {"payer_seconds": 1},
        {"payer_seconds": [2, 1]},
        {"payer_seconds": [0, 601]},
        {"payer_seconds": [True, 2]},
    ],
)
def test_weather_that_makes_no_sense_is_refused_and_changes_nothing(
    daraja: Daraja, forecast: dict[str, Any]
):
    before = daraja.weather(seed=3, chances={"push_html": 1}).json()
    answer = daraja.weather(**forecast)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert daraja.call("GET", "/simulator/api/weather").json() == before


def test_what_is_certain_befalls_every_request_and_is_counted(daraja: Daraja):
    daraja.weather(chances={"push_500": 1})
    assert [daraja.push(new_msisdn()).status_code for _ in range(3)] == [500, 500, 500]
    assert daraja.call("GET", "/simulator/api/weather").json()["befell"] == {"push_500": 3}
    daraja.weather()
    assert daraja.push(new_msisdn()).status_code == 200


def test_every_moment_has_its_weather(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    daraja.weather(chances={"query_html": 1})
    assert daraja.query(checkout).status_code == 403
    daraja.weather(chances={"token_refused_once": 1})
    assert daraja.query(checkout).status_code == 404


def test_what_is_armed_prevails_over_the_weather(daraja: Daraja):
    daraja.weather(chances={"push_500": 1})
    daraja.arm("push_html")
    assert daraja.push(new_msisdn()).status_code == 403


def test_payers_pay_without_a_hand(daraja: Daraja, receiver: Receiver):
    daraja.weather(**ALWAYS_PAID)
    checkout = daraja.prompt(new_msisdn())
    assert receiver.wait_for(checkout)[0].callback["ResultCode"] == 0
    assert len(daraja.ledger()) == 1


@pytest.mark.parametrize(
    ("act", "code"), [("pays", 0), ("cancels", 1032), ("enters_wrong_pin", 2001)]
)
def test_payers_act_as_they_are_told(daraja: Daraja, receiver: Receiver, act: str, code: int):
    daraja.weather(payers={act: 1}, payer_seconds=[0, 0])
    checkout = daraja.prompt(new_msisdn())
    assert receiver.wait_for(checkout)[0].callback["ResultCode"] == code


def test_a_payer_who_comes_after_a_human_changes_nothing(daraja: Daraja):
    daraja.weather(payers={"cancels": 1}, payer_seconds=[0.4, 0.4])
    checkout = daraja.prompt(new_msisdn())
    assert daraja.answer(checkout, pin="1234").status_code == 200
    time.sleep(0.6)
    assert statuses(daraja) == ["paid"]


def test_a_payer_of_whom_nothing_is_said_lets_it_ring(daraja: Daraja):
    daraja.weather(payers={"pays": 0}, payer_seconds=[0, 0])
    daraja.prompt(new_msisdn())
    time.sleep(0.3)
    assert statuses(daraja) == ["open"]


def test_the_same_seed_gives_a_phone_the_same_fate_in_any_order():
    forecast = {
        "seed": 7,
        "chances": {"push_500": 0.5, "no_callback": 0.5},
        "payers": {"pays": 0.5, "cancels": 0.5},
    }
    phones = [new_msisdn() for _ in range(20)]
    fates = []
    for order in (phones, phones[::-1]):
        weather = Weather()
        weather.set(forecast)
        fates.append(
            {
                phone: [(weather.plan_for("push", phone), weather.payer(phone)) for _ in range(3)]
                for phone in order
            }
        )
    assert fates[0] == fates[1]
    assert len({str(fate) for fate in fates[0].values()}) > 10


def test_another_seed_is_another_day():
    days = []
    for seed in (1, 2):
        weather = Weather()
        weather.set({"seed": seed, "chances": {"push_500": 0.5}})
        days.append([weather.plan_for("push", "254712345678") for _ in range(30)])
    assert days[0] != days[1]


def test_chances_are_kept_in_the_long_run():
    weather = Weather()
    weather.set(
        {"chances": {"push_500": 0.1}, "payers": {"pays": 0.7, "cancels": 0.2}},
    )
    answers = Counter(weather.plan_for("push", str(n)).answer for n in range(4000))
    assert 320 < answers["server_error"] < 480
    acts = Counter(fate and fate[0] for fate in (weather.payer(str(n)) for n in range(4000)))
    assert 2650 < acts["pays"] < 2950
    assert 680 < acts["cancels"] < 920
    assert 300 < acts[None] < 500


def test_only_so_many_phones_are_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(weather_module, "MOST_TURNS", 3)
    weather = Weather()
    for number in range(10):
        weather.payer(str(number))
    assert len(weather._turns) == 3


def test_the_history_lists_every_prompt_and_what_was_told_about_it(
    daraja: Daraja, receiver: Receiver
):
    paid, ignored = (daraja.prompt(new_msisdn(), AccountReference=name) for name in ("A1", "B2"))
    daraja.answer(paid, pin="1234")
    eventually(lambda: daraja.history()[0]["callbacks_answered"])
    first, second = daraja.history()
    assert [first["checkout_request_id"], second["checkout_request_id"]] == [paid, ignored]
    assert first["account_reference"] == "A1"
    assert first["receipt"] == daraja.ledger()[0]["receipt"]
    assert first["callbacks_sent"] == first["callbacks_answered"] == 1
    assert first["opened_at"] <= first["ended_at"]
    assert (second["status"], second["ended_at"], second["callbacks_sent"]) == ("open", None, 0)
    page = daraja.call("GET", "/simulator/api/prompts?offset=1&limit=5").json()
    assert ([row["account_reference"] for row in page["prompts"]], page["total"]) == (["B2"], 2)


def test_a_callback_that_nobody_acknowledged_is_told_from_one_that_was(
    daraja: Daraja, receiver: Receiver
):
    refused = daraja.prompt(new_msisdn(), CallBackURL=receiver.url("/500/"))
    nobody = daraja.prompt(new_msisdn(), CallBackURL="http://127.0.0.1:9/")
    for checkout in (refused, nobody):
        daraja.answer(checkout, pin="1234")
    eventually(lambda: all(row["callbacks_sent"] for row in daraja.history()))
    assert [row["callbacks_answered"] for row in daraja.history()] == [0, 0]


def test_health_tells_when_nothing_more_will_be_posted(daraja: Daraja):
    def to_come() -> int:
        return daraja.call("GET", "/simulator/api/health").json()["callbacks_to_come"]

    assert to_come() == 0
    daraja.prompt(new_msisdn())
    assert to_come() > 0
    eventually(lambda: to_come() == 0)
    assert statuses(daraja) == ["timed_out"]
