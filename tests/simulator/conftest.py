import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.simulator.client import Daraja, Receiver, eventually

PROMPT_SECONDS = 3.0
_OWN_SETTINGS = {
    "MPESA_CONSUMER_KEY": "shop-key",
    "MPESA_CONSUMER_SECRET": "shop-secret",
    "MPESA_SHORTCODE": "600123",
    "MPESA_PASSKEY": "shop-passkey",
    "SIMULATOR_SEED": "7",
}


def start(*arguments: str) -> tuple["subprocess.Popen[str]", str]:
    """Start the program and wait until it answers; gives the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.simulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | _OWN_SETTINGS,
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    eventually(lambda: _answers(address))
    return process, address


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/simulator/api/health", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="session")
def simulator_address() -> Iterator[str]:
    process, address = start("--prompt-seconds", str(PROMPT_SECONDS))
    with process:
        yield address
        process.terminate()


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def daraja(simulator_address: str, receiver: Receiver) -> Iterator[Daraja]:
    daraja = Daraja(simulator_address, receiver.url())
    daraja.call("POST", "/simulator/api/reset")
    with daraja.session:
        yield daraja
