"""`python test_mpesa_callback.py` finds the callbacks handled rightly, and notices when not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.scripts.conftest import Terminal
from tests.services.launch import free_port
from tests.support.live_shop import LiveShop, live_shop

SCRIPT = "test_mpesa_callback.py"
CASES = (
    "success",
    "duplicate",
    "cancelled",
    "time-out",
    "no token",
    "wrong token",
    "wrong amount",
    "late success",
    "unreadable",
    "unknown prompt",
)


@pytest.fixture(scope="module")
def stern_terminal() -> Iterator[Terminal]:
    """A shop that believes nobody on this machine, which is not how the cases want it."""
    with live_shop(extra_env={"MPESA_CALLBACK_ALLOWLIST": "203.0.113.7"}) as stern:
        yield Terminal(stern)


# Ten cases, each with a flask command of its own: on a busy machine more than the usual limit.
@pytest.mark.timeout(240)
def test_every_callback_is_handled_rightly_and_no_phone_is_left_ringing(
    terminal: Terminal, shop: LiveShop
) -> None:
    """S4-54, S4-79, S4-125."""
    said = terminal.run(SCRIPT)
    assert said.status == 0, said.everything
    lines = [line for line in said.out.splitlines() if ": posted " in line]
    assert [line.partition(":")[0] for line in lines] == list(CASES)
    assert all(line.endswith(": OK") for line in lines), said.out
    assert f"{len(CASES)} of {len(CASES)} cases were handled rightly." in said.out
    prompts = requests.get(f"{shop.simulator_url}/simulator/api/prompts", timeout=10).json()
    assert '"status": "open"' not in json.dumps(prompts)
    assert '"status": "' in json.dumps(prompts)


def test_what_the_script_posts_is_no_money_at_the_simulator(
    terminal: Terminal, shop: LiveShop
) -> None:
    address = f"{shop.simulator_url}/simulator/api/ledger"
    before = requests.get(address, timeout=10).json()
    said = terminal.run(SCRIPT, "--only", "success")
    assert said.status == 0, said.everything
    assert requests.get(address, timeout=10).json() == before


def test_a_callback_that_is_handled_wrongly_is_named_with_status_1(
    stern_terminal: Terminal,
) -> None:
    said = stern_terminal.run(SCRIPT, "--only", "success")
    assert said.status == 1
    assert "WRONG, expected: order paid, payment completed, KES 10 credited" in said.out
    assert "0 of 1 cases were handled rightly." in said.out


def test_another_database_than_the_shop_s_is_said_with_status_2(
    terminal: Terminal, shop: LiveShop
) -> None:
    other = {"DATABASE_URL": f"sqlite:///{shop.folder / 'other.db'}"}
    said = Terminal(shop, other).run(SCRIPT, "--only", "success")
    assert said.status == 2
    assert "flask callback_url" in said.err
    assert "Traceback" not in said.err


def test_a_server_that_is_not_running_has_status_2_and_no_traceback(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--base-url", f"http://127.0.0.1:{free_port()}")
    assert said.status == 2
    assert said.err.startswith("No shop answers at")
    assert "Traceback" not in said.err


def test_a_wrong_password_has_status_2(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--password", "not-the-password")
    assert said.status == 2
    assert "E-mail and password do not belong together" in said.err
