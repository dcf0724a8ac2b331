"""The simulator's own page tells the truth: its commands run, its tables are those of the code."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.simulator.switches import SWITCHES
from tests.simulator.client import Daraja

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulator.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Without --fail-with-body curl calls any answer a success.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body --max-time 20 "$@"; }\n'


def test_its_curl_examples_pay_arm_switch_and_save(daraja: Daraja, tmp_path: Path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed. Install it: sudo apt-get install curl")
    start, *blocks = BLOCK.findall(PAGE.read_text())
    assert "flask simulator" in start
    script = STRICT + "".join(blocks).replace("http://127.0.0.1:5001", daraja.base_url)
    number = daraja.arm("push_500").json()["id"] + 1
    script = script.replace("scenarios/1/disarm", f"scenarios/{number}/disarm")
    daraja.call("POST", "/simulator/api/reset")
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"paid"' in done.stdout
    assert '"ResultCode":"0"' in done.stdout
    assert '"account_reference":"INV-7"' in done.stdout
    assert (tmp_path / "exchanges.json").exists()


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
