import os
import signal
import subprocess
import sys
import time

import pytest
import requests

from app.simulator.settings import SimulatorSettings
from tests.simulator.client import Daraja, eventually
from tests.simulator.conftest import start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_program_within_seconds_and_it_says_nothing_more(number: int):
    process, address = start()
    with process, requests.Session() as session:
        session.get(f"{address}/simulator/api/health", timeout=5)
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 4
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_stop_does_not_wait_for_an_answer_that_hangs():
    process, address = start()
    with process:
        daraja = Daraja(address, "http://127.0.0.1:9/")
        daraja.arm("hang", seconds=100)
        hanging = subprocess.Popen(
            [sys.executable, "-c", HANGING_PUSH, address, str(daraja.token())],
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: daraja.phone("254712999999")["prompts"])
        daraja.session.close()
        started = time.monotonic()
        process.terminate()
        process.wait(10)
        assert time.monotonic() - started < 5
        hanging.wait(10)


HANGING_PUSH = """
import sys
from tests.simulator.client import Daraja
with (daraja := Daraja(sys.argv[1], "http://127.0.0.1:9/")).session:
    daraja.push("254712999999")
"""


def test_it_ends_with_its_parent_when_told_to():
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'app.simulator', '--port', '0',"
        " '--exit-with-parent'], stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline().split()[-1], flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid, address = process.stdout.readline().split()
        assert eventually(lambda: is_up(address))
        process.kill()
    eventually(lambda: not is_up(address), seconds=5)
    eventually(lambda: not is_alive(int(pid)), seconds=5)


def is_up(address: str) -> bool:
    try:
        return requests.get(f"{address}/simulator/api/health", timeout=5).ok
    except requests.RequestException:
        return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            # Ended, but nobody has collected it: whoever inherited it may take their time.
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_settings_come_from_the_shops_own_names_and_blank_is_unset():
    settings = SimulatorSettings.from_environment(
        {
            "SIMULATOR_PORT": "5099",
            "STK_PROMPT_SECONDS": " 45 ",
            "MPESA_CONSUMER_KEY": "k",
            "MPESA_CONSUMER_SECRET": "s",
            "MPESA_SHORTCODE": "174379",
            "MPESA_PASSKEY": "own",
            "SIMULATOR_SEED": "",
        }
    )
    assert (settings.port, settings.prompt_seconds, settings.seed) == (5099, 45.0, 0)
    assert settings.applications() == {"simulator-key": "simulator-secret", "k": "s"}
    assert len(settings.merchants()["174379"]) == 3


def test_settings_without_credentials_know_the_simulators_own():
    settings = SimulatorSettings.from_environment({"SIMULATOR_PORT": ""})
    assert settings.port == 5001
    assert list(settings.applications()) == ["simulator-key"]
    assert list(settings.merchants()) == ["174379"]


def test_settings_show_no_secret():
    settings = SimulatorSettings(consumer_secret="hush", passkey="hush")
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    "environ",
    [{"STK_PROMPT_SECONDS": "0"}, {"STK_PROMPT_SECONDS": "nan"}, {"SIMULATOR_PORT": "70000"}],
)
def test_settings_that_make_no_sense_are_refused(environ: dict[str, str]):
    with pytest.raises(ValueError, match="must be"):
        SimulatorSettings.from_environment(environ)
