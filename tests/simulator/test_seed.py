"""A run that can be repeated: the same seed, the same requests, the same ids and the same fate."""

from typing import Any

import pytest

from app.simulator.clock import NAIROBI, utc_now
from app.simulator.identifiers import Identifiers
from app.simulator.settings import SimulatorSettings
from app.simulator.simulator import Simulator
from tests.simulator.client import Daraja, Receiver

PHONES = [f"2547110000{n:02d}" for n in range(6)]


def a_run(daraja: Daraja, receiver: Receiver, seed: int | None) -> list[Any]:
    """Reset, and let the same things happen; what came of them, but for the times of day."""
    body = {} if seed is None else {"seed": seed}
    assert daraja.call("POST", "/simulator/api/reset", json=body).json()["seed"] == seed
    daraja.weather(chances={"push_500": 0.5, "no_result": 0.5})
    seen: list[Any] = []
    for phone in PHONES:
        pushed = daraja.push(phone)
        seen.append(pushed.json().get("CheckoutRequestID"))
        seen.append(pushed.json().get("MerchantRequestID", pushed.json().get("requestId")))
        if seen[-2]:
            seen.append(daraja.answer(seen[-2], pin="1234").json()["receipt"])
        conversation = daraja.pay_out(phone, 100)
        seen.append(conversation)
        receipts = [row["receipt"] for row in daraja.money_out() if row["msisdn"] == phone]
        seen += [*receipts, daraja.phone(phone)["name"]]
    return seen + [daraja.call("GET", "/simulator/api/weather").json()["befell"]]


def test_a_run_with_the_same_seed_gives_the_same_ids_receipts_names_and_weather(
    daraja: Daraja, receiver: Receiver
):
    first, again = a_run(daraja, receiver, 7), a_run(daraja, receiver, 7)
    assert first == again
    ids = [one for one in first if isinstance(one, str) and any(c.isdigit() for c in one)]
    assert len(set(ids)) == len(ids)
    other = a_run(daraja, receiver, 8)
    assert set(ids).isdisjoint(one for one in other if isinstance(one, str))


def test_without_a_seed_no_id_comes_again(daraja: Daraja, receiver: Receiver):
    a_run(daraja, receiver, 7)
    first, again = a_run(daraja, receiver, None), a_run(daraja, receiver, None)
    ids = [one for one in first if isinstance(one, str) and any(c.isdigit() for c in one)]
    assert set(ids).isdisjoint(one for one in again if isinstance(one, str))


@pytest.mark.parametrize("seed", ["7", 1.5, True, 2**63, [7]])
def test_a_seed_that_is_no_number_is_refused_and_nothing_is_reset(daraja: Daraja, seed: Any):
    daraja.answer(daraja.prompt(PHONES[0]), pin="1234")
    answer = daraja.call("POST", "/simulator/api/reset", json={"seed": seed})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert len(daraja.ledger()) == 1


def test_a_seed_in_the_environment_is_that_of_the_first_world():
    settings = SimulatorSettings.from_environment({"SIMULATOR_SEED": "7"})
    one, two = Simulator(settings), Simulator(settings)
    assert one.identifiers.request_id() == two.identifiers.request_id()
    assert one.weather.as_json()["seed"] == 7
    none = SimulatorSettings.from_environment({"SIMULATOR_SEED": ""})
    assert not none.repeats


def test_ids_that_repeat_are_still_unique_within_a_run():
    identifiers, now = Identifiers(7, repeats=True), utc_now()
    for make in (
        lambda: identifiers.receipt(now),
        lambda: identifiers.checkout_request_id(now, PHONES[0]),
        lambda: identifiers.conversation_id(now),
        identifiers.request_id,
    ):
        made = [make() for _ in range(20_000)]
        assert len(set(made)) == len(made)


def test_ids_that_repeat_keep_their_shapes_and_the_day_of_today():
    identifiers, now = Identifiers(7, repeats=True), utc_now()
    day = now.astimezone(NAIROBI)
    checkout = identifiers.checkout_request_id(now, PHONES[0])
    assert checkout.startswith(f"ws_CO_{day:%d%m%Y}")
    assert len(checkout) == len(Identifiers(0).checkout_request_id(now, PHONES[0]))
    assert identifiers.conversation_id(now).startswith(f"AG_{day:%Y%m%d}_2010")
    assert identifiers.receipt(now)[:3] == Identifiers(0).receipt(now)[:3]


def test_the_weather_takes_the_seed_of_the_world_unless_it_has_its_own(daraja: Daraja):
    daraja.call("POST", "/simulator/api/reset", json={"seed": 7})
    assert daraja.weather().json()["seed"] == 7
    assert daraja.weather(seed=3).json()["seed"] == 3
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.weather().json()["seed"] == 0
