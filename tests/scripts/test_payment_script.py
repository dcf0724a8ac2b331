"""`python test_mpesa_payment.py` buys something in a real shop, and its exit status is true."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import requests

from tests.scripts.conftest import Said, Terminal
from tests.services.launch import free_port
from tests.support.live_shop import LiveShop

SCRIPT = "test_mpesa_payment.py"
#: Every price on the demo shelf is a multiple of ten.
IMPOSSIBLE_AMOUNT = "13"


def receipt_of(said: Said) -> dict[str, str]:
    """The rows of the printed receipt."""
    rows = re.findall(r"^  (\S.*?) {2,}(.+)$", said.out, re.MULTILINE)
    return dict(rows)


def ledger_of(shop: LiveShop) -> list[dict[str, object]]:
    entries = requests.get(f"{shop.simulator_url}/simulator/api/ledger", timeout=10).json()
    return list(entries["entries"])


def test_a_payment_by_the_self_approving_number_ends_paid_with_a_receipt(
    terminal: Terminal, shop: LiveShop
) -> None:
    """S4-53, S4-24, S4-57: signed in, ordered, paid and followed to the receipt."""
    said = terminal.run(SCRIPT)
    assert said.status == 0, said.everything
    assert "Paid." in said.out
    receipt = receipt_of(said)
    assert re.fullmatch(r"RCP\d{14}[A-Z0-9]{3}", receipt["Receipt"])
    assert receipt["Amount"] == "KES 10"
    assert receipt["Order"].endswith(", paid")
    moved = ledger_of(shop)[-1]
    assert moved["receipt"] == receipt["M-Pesa code"]
    assert moved["amount"] == 10


def test_the_order_costs_the_asked_amount_and_the_prompt_is_answered_by_its_pin(
    terminal: Terminal, shop: LiveShop
) -> None:
    said = terminal.run(SCRIPT, "--phone", "0712000101", "--amount", "1240")
    assert said.status == 0, said.everything
    assert receipt_of(said)["Amount"] == "KES 1,240"
    moved = ledger_of(shop)[-1]
    assert moved["amount"] == 1240
    assert moved["msisdn"] == "254712000101"


def test_a_cancellation_that_was_asked_for_is_a_success_of_the_script(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--cancel")
    assert said.status == 0, said.everything
    assert "Not paid: You cancelled the payment." in said.out


def test_a_wrong_pin_ends_unpaid_with_status_1(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--phone", "+254 712 000 102", "--pin", "9999")
    assert said.status == 1
    assert "tries left: 1." in said.out
    assert "Not paid: The PIN was not right." in said.out


def test_an_end_that_is_not_heard_in_time_has_status_1(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--timeout", "0.5")
    assert said.status == 1
    assert "do not pay twice" in said.out


def test_a_push_that_daraja_refuses_has_status_1_and_says_why(
    terminal: Terminal, shop: LiveShop
) -> None:
    scenario = {"on": {"msisdn": "254712000103"}, "scenario": "push_html"}
    armed = requests.post(
        f"{shop.simulator_url}/simulator/api/scenarios", json=scenario, timeout=10
    )
    assert armed.status_code == 201
    said = terminal.run(SCRIPT, "--phone", "0712000103")
    assert said.status == 1
    assert "PROVIDER_UNAVAILABLE" in said.err, "the gateway turned it away: try again"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--amount", IMPOSSIBLE_AMOUNT], "cannot be made to cost exactly KES 13"),
        (["--amount", "10.50"], "whole shillings"),
        (["--amount", "0"], "whole shillings"),
        (["--phone", "12345"], "Kenyan mobile number"),
        (["--cancel", "--phone", "0708374149"], "approves by itself"),
        (["--password", "not-the-password"], "E-mail and password do not belong together"),
        (["--base-url", "nonsense"], "cannot be used"),
    ],
)
def test_what_cannot_begin_has_status_2_and_a_clear_sentence(
    terminal: Terminal, arguments: list[str], words: str
) -> None:
    said = terminal.run(SCRIPT, *arguments)
    assert said.status == 2
    assert words in said.err
    assert "Traceback" not in said.everything


def test_a_server_that_is_not_running_has_status_2_and_no_traceback(terminal: Terminal) -> None:
    said = terminal.run(SCRIPT, "--base-url", f"http://127.0.0.1:{free_port()}")
    assert said.status == 2
    assert said.err.startswith("No shop answers at http://127.0.0.1:")
    assert "Traceback" not in said.err


def test_no_whole_phone_number_and_no_password_is_printed(
    terminal: Terminal, shop: LiveShop
) -> None:
    said = terminal.run(SCRIPT, "--phone", "0712000104")
    assert said.status == 0, said.everything
    assert "0712 *** 104" in said.out
    assert "712000104" not in said.everything
    assert shop.password not in said.everything


def test_another_python_hands_over_to_the_project_s_own(terminal: Terminal) -> None:
    """S4-53: plain `python`, whichever that is."""
    base = Path(sys.base_prefix) / "bin" / "python3"
    said = terminal.run(SCRIPT, python=str(base))
    assert said.status == 0, said.everything
