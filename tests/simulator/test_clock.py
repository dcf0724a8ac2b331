"""The speed dial: how fast time passes for prompts and callbacks."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from app.simulator.pace import Pace
from app.simulator.settings import SimulatorSettings
from app.simulator.timer import Timer
from tests.simulator.client import Daraja, Receiver, eventually, new_msisdn
from tests.simulator.conftest import PROMPT_SECONDS


def set_speed(daraja: Daraja, speed: Any) -> requests.Response:
    return daraja.call("POST", "/simulator/api/clock", json={"speed": speed})


def speed(daraja: Daraja) -> float:
    return daraja.call("GET", "/simulator/api/clock").json()["speed"]


def test_a_prompt_runs_out_the_sooner_the_faster_time_passes(daraja: Daraja, receiver: Receiver):
    assert set_speed(daraja, 30).json()["speed"] == 30
    started = time.monotonic()
    checkout = daraja.prompt(new_msisdn())
    (letter,) = receiver.wait_for(checkout)
    assert letter.callback["ResultCode"] == 1037
    assert letter.at - started < PROMPT_SECONDS / 2


def test_what_waits_already_hurries_along(daraja: Daraja, receiver: Receiver):
    daraja.arm("late_callback", seconds=200)
    checkout = daraja.prompt(new_msisdn())
    daraja.answer(checkout, pin="1234")
    set_speed(daraja, 100)
    eventually(lambda: daraja.result_code(checkout) == "0")
    assert receiver.wait_for(checkout)


def test_slow_motion_keeps_a_prompt_open(daraja: Daraja):
    set_speed(daraja, 0.1)
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    (prompt,) = daraja.phone(msisdn)["prompts"]
    assert prompt["seconds_left"] == PROMPT_SECONDS
    ends = datetime.fromisoformat(prompt["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=PROMPT_SECONDS * 8) < ends < timedelta(seconds=PROMPT_SECONDS * 11)


def test_the_time_of_day_is_not_hurried(daraja: Daraja):
    set_speed(daraja, 100)
    daraja.answer(daraja.prompt(new_msisdn()), pin="1234")
    (entry,) = daraja.ledger()
    moved = datetime.fromisoformat(entry["time"])
    assert abs(moved - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_reset_puts_the_clock_back(daraja: Daraja):
    set_speed(daraja, 5)
    daraja.call("POST", "/simulator/api/reset")
    assert speed(daraja) == 1


@pytest.mark.parametrize("wrong", [0, -1, 101, "10", True, None, [], 10**400])
def test_a_speed_that_makes_no_sense_is_refused(daraja: Daraja, wrong: Any):
    answer = set_speed(daraja, wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert speed(daraja) == 1


def test_the_speed_can_be_set_before_the_start():
    assert SimulatorSettings.from_environment({"SIMULATOR_SPEED": "12.5"}).speed == 12.5
    with pytest.raises(ValueError, match="speed must be"):
        SimulatorSettings.from_environment({"SIMULATOR_SPEED": "nan"})


def test_simulated_seconds_are_counted_over_every_change_of_speed():
    now = 100.0
    pace = Pace(monotonic=lambda: now)
    now = 110.0
    pace.change(10)
    now = 111.0
    assert pace.now() == pytest.approx(20)
    pace.change(0.5)
    now = 113.0
    assert pace.now() == pytest.approx(21)
    assert pace.real_seconds(3) == 6


def test_an_event_far_away_comes_at_once_when_time_is_hurried():
    pace, done = Pace(), threading.Event()
    timer = Timer(pace)
    timer.after(50, done.set)
    assert not done.wait(0.1)
    pace.change(100)
    timer.pace_changed()
    assert done.wait(5)
