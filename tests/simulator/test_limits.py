"""What a simulator keeps is bounded: seen on the parts, since the whole would take hours."""

import threading

import pytest

from app.simulator import conversations, courier, organisations, records, scenarios, traffic, world
from app.simulator.b2c import Payout
from app.simulator.bank import Bank
from app.simulator.callbacks import stk_letter
from app.simulator.clock import utc_now
from app.simulator.conversations import (
    Conversation,
    Conversations,
    DuplicateId,
    Subject,
    Terms,
    TooManyConversations,
)
from app.simulator.identifiers import Identifiers
from app.simulator.organisations import Organisations
from app.simulator.plans import Plan, ScenarioRefused
from app.simulator.records import Prompt, PushRequest
from app.simulator.scenarios import ArmedScenarios
from app.simulator.timer import Timer
from app.simulator.traffic import Exchange, Traffic
from app.simulator.world import SystemBusy, World


def a_world() -> World:
    return World(
        identifiers=Identifiers(0),
        seed=0,
        business_name="SHOP",
        prompt_seconds=60,
        utility_float_cents=0,
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


def some_conversations() -> Conversations:
    return Conversations(a_world().lock, Identifiers(0))


def payout_in(kept: Conversations, own_id: str) -> Conversation:
    terms = Terms("testapi", "c", "600000", "http://127.0.0.1:9/", "http://127.0.0.1:9/")
    order = Payout(terms, own_id, "254700000001", 100)
    return kept.open(order, Plan(), Subject(), None, b"")


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
    assert a.phone("254700000002").balance_cents == records.OPENING_BALANCE_CENTS


def test_a_phone_keeps_a_bounded_number_of_messages_and_prompts():
    phone = a_world().phone("254700000001")
    assert phone.messages.maxlen == 1_000
    assert phone.prompts.maxlen == 50


def test_the_oldest_request_that_ended_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conversations, "MOST_CONVERSATIONS", 2)
    kept = some_conversations()
    payout_in(kept, "first").finalised_at = utc_now()
    for own_id in ("second", "third"):
        payout_in(kept, own_id)
    assert not kept.has("first")
    assert kept.has("second")
    assert len(kept.all()) == 2


def test_a_request_that_waits_in_the_queue_is_never_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conversations, "MOST_CONVERSATIONS", 1)
    kept = some_conversations()
    payout_in(kept, "first")
    with pytest.raises(TooManyConversations):
        payout_in(kept, "second")
    assert kept.has("first")


def test_an_id_is_taken_once_by_whoever_comes_first():
    kept = some_conversations()
    payout_in(kept, "first")
    with pytest.raises(DuplicateId):
        payout_in(kept, "first")
    assert len(kept.all()) == 1


def test_a_request_of_a_world_before_a_reset_moves_nothing():
    world, identifiers = a_world(), Identifiers(0)
    kept = Conversations(world.lock, identifiers)
    bank = Bank(world=world, conversations=kept, identifiers=identifiers, business_name="SHOP")
    waiting = payout_in(kept, "first")
    kept.clear()
    bank.settle(waiting)
    assert waiting.stage == "Initiated"
    assert world.ledger() == []


def test_the_shop_longest_untouched_begins_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(organisations, "MOST_ORGANISATIONS", 2)
    kept = Organisations(utility_float_cents=500)
    for shortcode in ("600001", "600002", "600001", "600003"):
        kept.kept(shortcode).utility_cents = 1
    assert [kept.seen(code).utility_cents for code in ("600001", "600002", "600003")] == [1, 500, 1]


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
    monkeypatch.setattr(courier, "MOST_WAITING", 1)
    monkeypatch.setattr(courier, "WORKERS", 0)
    log, a = Traffic(), a_world()
    sender = courier.Courier(log)
    prompt = prompt_on(a, "254700000001")
    for _ in range(2):
        sender.send(stk_letter(prompt))
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
