"""The simulator's own page tells the truth: its commands run, its tables are those of the code."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.simulator.factory import create_simulator
from app.simulator.settings import SimulatorSettings
from app.simulator.switches import SWITCHES
from tests.simulator.client import Daraja

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Without --fail-with-body curl calls any answer a success.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body --max-time 20 "$@"; }\n'


def run_examples(daraja: Daraja, folder: Path) -> str:
    """Run every command of the page, in its order; gives what they printed."""
    for program in ("curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed. Install it: sudo apt-get install {program}")
    start, *blocks = BLOCK.findall(PAGE.read_text())
    assert "flask simulator" in start
    script = STRICT + "".join(blocks).replace("http://127.0.0.1:5001", daraja.base_url)
    number = daraja.arm("push_500").json()["id"] + 1
    script = script.replace("scenarios/1/disarm", f"scenarios/{number}/disarm")
    daraja.call("POST", "/simulator/api/reset")
    # The page ends with a new world, in which nothing could be looked at any more.
    script = script.replace("$SIMULATOR/reset", "$SIMULATOR/clock").replace(
        '{"seed": 7}', '{"speed": 1}'
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_curl_examples_do_what_they_say(daraja: Daraja, tmp_path: Path):
    told = run_examples(daraja, tmp_path)
    assert '"status":"paid"' in told
    assert '"ResultCode":"0"' in told
    assert '"account_reference":"INV-7"' in told
    assert '"status":"completed"' in told
    assert "USSD Initiated Successfully" in told
    assert told.count('"rescode":"200"') == 6
    assert (tmp_path / "exchanges.json").exists()
    assert (tmp_path / "statement.xlsx").read_bytes().startswith(b"PK")
    rows = daraja.conversations()
    assert [row["kind"] for row in rows] == [
        *("b2c", "b2c", "b2c", "b2b", "b2b", "b2b"),
        *("status", "reversal", "balance"),
    ]
    assert {row["result_code"] for row in rows} == {"0"}


def test_it_calls_every_address_of_daraja_that_is_served():
    text = PAGE.read_text()
    rules = create_simulator(SimulatorSettings()).url_map.iter_rules()
    served = {rule.rule for rule in rules if not rule.rule.startswith("/simulator")}
    bills = "/v1/billmanager-invoice/"
    assert len(served) > 20
    assert [
        path
        for path in sorted(served)
        if path not in text and f"\nbill {path.removeprefix(bills)} " not in text
    ] == []


def test_it_lists_every_switch_with_its_values():
    listed = dict(re.findall(r"^\| `(\w+)` \| (`.*?) \|", PAGE.read_text(), re.MULTILINE))
    assert set(listed) == set(SWITCHES)
    for name, row in SWITCHES.items():
        assert re.findall(r"`(\w+)`", listed[name]) == [str(value).lower() for value in row.values]


def test_it_lists_every_setting_of_the_environment():
    text = (PAGE.parents[1] / "app" / "simulator" / "settings.py").read_text()
    read = set(re.findall(r'"(SIMULATOR_\w+|STK_\w+)"', text))
    told = set(re.findall(r"`(SIMULATOR_\w+|STK_\w+)`", PAGE.read_text()))
    assert told == read
