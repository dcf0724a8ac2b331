import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.services.chromium import FLAGS
from tests.simulator.c2b_shop import Shop
from tests.simulator.client import Daraja, Receiver, eventually

PROMPT_SECONDS = 3.0
_shops = itertools.count(1)
_OWN_SETTINGS = {
    "MPESA_CONSUMER_KEY": "shop-key",
    "MPESA_CONSUMER_SECRET": "shop-secret",
    "MPESA_SHORTCODE": "600123",
    "MPESA_PASSKEY": "shop-passkey",
    "SIMULATOR_SEED": "7",
    "SIMULATOR_VALIDATION_SECONDS": "1",
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


@pytest.fixture
def shop(daraja: Daraja, receiver: Receiver) -> Shop:
    """A shop with addresses of its own, which a test may register."""
    return Shop(daraja, receiver, f"shop-{next(_shops)}")


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[Daraja]:
    """A simulator whose prompts wait for a browser on a busy machine."""
    process, address = start("--prompt-seconds", "60")
    with process, (daraja := Daraja(address, "http://127.0.0.1:9/callback")).session:
        yield daraja
        process.terminate()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a path; fails at the end when a page complained."""
    complaints: list[str] = []
    contexts = []

    def note_error(said: ConsoleMessage) -> None:
        if said.type == "error":
            complaints.append(said.text)

    def open_it(daraja: Daraja, path: str, width: int = 360, javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=daraja.base_url,
            viewport={"width": width, "height": 740},
            java_script_enabled=javascript,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note_error)
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
