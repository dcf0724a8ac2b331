"""The shop guide's payouts against the simulator: money really arrives, and its message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulator.client import Daraja, eventually, new_msisdn
from tests.support.live_shop import ADMIN, LiveShop, live_shop

PAYOUT = "/api/payments/supplier/payout"
PAYOUTS = "/api/payments/supplier/payouts"
CALL_SECONDS = 20


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    with live_shop() as shop:
        yield shop


@pytest.fixture
def phone(live: LiveShop) -> Iterator[Daraja]:
    daraja = Daraja(live.simulator_url, callback_url="")
    with daraja.session:
        yield daraja


@pytest.fixture(scope="module")
def call(live: LiveShop) -> Iterator[Any]:
    """Speak to the shop as its admin."""
    with requests.Session() as session:
        session.trust_env = False

        def speak(method: str, path: str, body: object = None) -> dict[str, Any]:
            where = live.base_url + path
            answer = session.request(method, where, json=body, timeout=CALL_SECONDS)
            assert answer.ok, answer.text
            told: dict[str, Any] = answer.json()
            return told

        person = {"email": ADMIN, "password": live.password}
        token = speak("POST", "/api/auth/login", person)["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield speak


def completed(call: Any, payout_id: str) -> dict[str, Any] | None:
    """What the list tells of a payout once it is completed, asked as printed."""
    rows = call("GET", f"{PAYOUTS}?page=1&per_page=20&status=completed")["data"]["payouts"]
    return next((row for row in rows if row["payout_id"] == payout_id), None)


def test_s4_02_s4_07_s4_09_a_supplier_gets_the_money_and_m_pesas_own_message(
    live: LiveShop, phone: Daraja, call: Any
) -> None:
    """S4-02, S4-07, S4-09."""
    number = new_msisdn()
    supplier = call("POST", "/api/suppliers", {"name": "Kamau Supplies", "mpesa_number": number})
    before = phone.phone(number)["balance"]
    body = {"supplier_id": supplier["id"], "amount": 5000.00, "notes": "Weekly payout"}
    told = call("POST", PAYOUT, body)
    row = eventually(lambda: completed(call, told["data"]["payout_id"]))
    assert row is not None
    assert re.fullmatch(r"[A-Z0-9]{10}", row["receipt"])
    after = phone.phone(number)
    assert after["balance"] == before + 5000
    [message] = after["messages"]
    assert message["text"].startswith(f"{row['receipt']} ")
    assert "Ksh5,000.00" in message["text"]


def test_s4_48_s4_49_the_next_payout_goes_to_the_new_number(
    live: LiveShop, phone: Daraja, call: Any
) -> None:
    """S4-48, S4-49: once another admin has agreed, since the number is new."""
    old, new = new_msisdn(), new_msisdn()
    supplier = call("POST", "/api/suppliers", {"name": "Otieno Transport", "mpesa_number": old})
    change = {"mpesa_number": new, "reason": "Supplier requested change"}
    call("PUT", f"/api/payments/supplier/{supplier['id']}/update-mpesa", change)
    body = {"supplier_id": supplier["id"], "amount": 100, "notes": "Transport"}
    told = call("POST", PAYOUT, body)["data"]
    assert (told["status"], told["mpesa_number"]) == ("awaiting_approval", new)
    assert (phone.phone(old)["messages"], phone.phone(new)["messages"]) == ([], [])


def test_s4_122_money_that_moved_in_silence_is_found_out_about(
    live: LiveShop, phone: Daraja, call: Any
) -> None:
    """S4-122: the result never comes, as in the sandbox; a queue's time-out has Daraja asked."""
    number = new_msisdn()
    supplier = call("POST", "/api/suppliers", {"name": "Wanjiru Farm", "mpesa_number": number})
    phone.arm("queue_time_out", on={"msisdn": number})
    body = {"supplier_id": supplier["id"], "amount": 250, "notes": "Milk"}
    told = call("POST", PAYOUT, body)["data"]
    row = eventually(lambda: completed(call, told["payout_id"]), 30)
    assert row is not None
    assert (row["receipt"] is not None, row["status"]) == (True, "completed")
    moved = phone.call("GET", "/simulator/api/ledger").json()
    assert json.dumps(moved).count(told["originator_conversation_id"]) >= 1
    assert [one["text"] for one in phone.phone(number)["messages"]][0].count("Ksh250.00") == 1


def test_s4_124_the_shops_books_agree_with_what_moved(live: LiveShop, call: Any) -> None:
    """S4-124."""
    done = live.flask("check_invariants")
    assert done.returncode == 0, done.stdout + done.stderr
