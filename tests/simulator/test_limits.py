"""What a simulator keeps is bounded: seen on the parts, since the whole would take hours."""

import threading

import pytest

from app.simulator import callbacks, scenarios, traffic, world
from app.simulator.identifiers import Identifiers
from app.simulator.scenarios import ArmedScenarios, Plan, ScenarioRefused
from app.simulator.timer import Timer
from app.simulator.traffic import Exchange, Traffic
from app.simulator.world import Prompt, PushRequest, SystemBusy, World


def a_world() -> World:
    return World(
        identifiers=Identifiers(0),
        seed=0,
        business_name="SHOP",
        prompt_seconds=60,
        on_end=lambda prompt: None,
    )


def prompt_on(a: World, msisdn: str) -> Prompt:
    push = PushRequest(
        shortcode="174379",
        transaction_type="CustomerPayBillOnline",
        amount_cents=100,
        party_b="174379",
        msisdn=msisdn,
        callback_url="http://127.0.0.1:9/",
        account_reference="A",
    )
    return a.open_prompt(push, Plan())


def test_the_oldest_ended_prompt_makes_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world, "MOST_PROMPTS", 2)
    a = a_world()
    first = prompt_on(a, "254700000001")
    a.cancel(first)
    prompt_on(a, "254700000002")
    prompt_on(a, "254700000003")
    assert a.prompt(first.checkout_request_id) is None


def test_an_open_prompt_never_makes_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world, "MOST_PROMPTS", 2)
    a = a_world()
    first = prompt_on(a, "254700000001")
    prompt_on(a, "254700000002")
    with pytest.raises(SystemBusy):
        prompt_on(a, "254700000003")
    a.cancel(first)
    prompt_on(a, "254700000003")


def test_the_phone_that_was_idle_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world, "MOST_PHONES", 2)
    a = a_world()
    prompt_on(a, "254700000001")
    a.enter_pin(prompt_on(a, "254700000002"), "1234")
    prompt_on(a, "254700000003")
    assert a.is_locked("254700000001")
    assert a.phone("254700000002").balance_cents == world.OPENING_BALANCE_CENTS


def test_a_phone_keeps_a_bounded_number_of_messages_and_prompts():
    phone = a_world().phone("254700000001")
    assert phone.messages.maxlen == 1_000
    assert phone.prompts.maxlen == 50


def test_only_so_many_scenarios_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scenarios, "MOST_ARMED", 1)
    armed = ArmedScenarios()
    armed.arm({"on": {"next": True}, "scenario": "no_callback"})
    with pytest.raises(ScenarioRefused):
        armed.arm({"on": {"next": True}, "scenario": "no_callback"})


def test_only_recent_traffic_is_kept():
    log = Traffic()
    for number in range(traffic.MOST_RECORDS + 5):
        log.record(Exchange("in", "GET", "/" + "x" * 999, 200, None, f"{number}", None))
    kept = log.newest_first()
    assert len(kept) == traffic.MOST_RECORDS
    assert kept[0]["why"] == "1004"
    assert len(kept[0]["path"]) < 400


def test_callbacks_beyond_the_queue_are_lost_and_said_to_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(callbacks, "MOST_WAITING", 1)
    monkeypatch.setattr(callbacks, "WORKERS", 0)
    log, a = Traffic(), a_world()
    courier = callbacks.Courier(log)
    prompt = prompt_on(a, "254700000001")
    for _ in range(2):
        courier.send(callbacks.Delivery(prompt))
    assert "lost" in log.newest_first()[0]["why"]


def test_a_timed_event_that_fails_does_not_stop_the_clock():
    timer, done = Timer(), threading.Event()
    timer.after(0, lambda: 1 / 0)  # type: ignore[arg-type]
    timer.after(0.01, done.set)
    assert done.wait(5)


def test_timed_events_come_in_the_order_of_their_time():
    timer, seen, done = Timer(), list[int](), threading.Event()
    timer.after(0.2, done.set)
    timer.after(0.1, lambda: seen.append(2))
    timer.after(0.0, lambda: seen.append(1))
    assert done.wait(5)
    assert seen == [1, 2]
