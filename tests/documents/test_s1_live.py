"""S1, the STK push document: its printed examples, run against a shop and its simulator."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.console import Console
from tests.documents.s1 import PHONE
from tests.services.chromium import FLAGS
from tests.services.launch import free_port
from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import SHOPPER, LiveShop, live_shop

HERE = Path(__file__).parent
#: The two curl commands and the two functions that the document prints, letter by letter.
INITIATE, QUERY = (HERE / "s1_snippet.sh").read_text().split("\n\n")
FUNCTIONS = HERE / "s1_snippet.js"
PRINTED_SHOP = "http://127.0.0.1:8000"
PRINTED_ID = "ws_CO_191220191020363925"
CURL_SECONDS = 20


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    """A shop that has Daraja call back at this document's address, set by this document's name."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    given = {"PORT": str(port), "PUBLIC_URL": root, "c2b_callback": f"{root}/payments/callback/"}
    with live_shop(extra_env=given) as shop:
        yield shop


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def phone(live: LiveShop) -> Iterator[Daraja]:
    daraja = Daraja(live.simulator_url, callback_url="")
    with daraja.session:
        yield daraja


@pytest.fixture
def page(browser: Browser, live: LiveShop) -> Iterator[Page]:
    """A page of the shop that has the document's functions, from a file as its CSP asks."""
    console = Console()
    context = browser.new_context(base_url=live.base_url)
    console.listen_to(context)
    page = context.new_page()
    page.route(
        "**/static/s1_snippet.js",
        lambda route: route.fulfill(body=FUNCTIONS.read_text(), content_type="text/javascript"),
    )
    yield page
    context.close()
    assert console.unexpected() == []


def run(command: str, live: LiveShop) -> dict[str, Any]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed. Install it: sudo apt-get install curl")
    done = subprocess.run(
        ["bash", "-c", command.replace(PRINTED_SHOP, live.base_url)],
        env=live.env,
        capture_output=True,
        text=True,
        timeout=CURL_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_s1_31_s1_32_s1_16_s1_17_s1_18_s1_19_s1_20_s1_21_the_printed_curl_commands(
    live: LiveShop, phone: Daraja
) -> None:
    """S1-31, S1-32, S1-16, S1-17, S1-18, S1-19, S1-20, S1-21.

    From the checkout by way of the phone and the callback to the query.
    """
    begun = run(INITIATE, live)
    assert begun["ResponseCode"] == "0"
    named = begun["CheckoutRequestID"]
    ask = QUERY.replace(PRINTED_ID, named)
    assert run(ask, live)["local_transaction"]["status"] == "1"
    [prompt] = phone.phone(PHONE)["prompts"]
    assert prompt["checkout_request_id"] == named
    phone.answer(named, pin="1234")
    told = eventually(lambda: _complete(run(ask, live)))
    assert told["ResultCode"] == "0"
    [moved] = [entry for entry in phone.ledger() if entry["checkout_request_id"] == named]
    assert told["local_transaction"]["receipt_no"] == moved["receipt"]
    assert told["local_transaction"]["phone_number"] == f"+{PHONE}"
    # S1-19, S1-42. The line is written after the answer, and after what it has brought about.
    assert eventually(lambda: "POST /payments/callback/ 200" in live.log_text())


def test_s1_32_the_printed_query_names_a_prompt_that_nobody_has_sent(live: LiveShop) -> None:
    """S1-32."""
    told = run(QUERY, live)
    assert (told["success"], told["code"]) == (False, "NOT_FOUND")


def test_s1_33_s1_34_a_visitor_who_is_not_signed_in_runs_the_printed_functions(
    page: Page, phone: Daraja
) -> None:
    """S1-33, S1-34."""
    page.goto("/")
    _pays_by_the_functions(page, phone, "0718643101")


def test_s1_33_s1_34_s1_28_a_signed_in_visitor_runs_them_with_a_cookie(
    page: Page, phone: Daraja, live: LiveShop
) -> None:
    """S1-33, S1-34, S1-28: C-3: the browser's word that the page is our own is proof enough."""
    page.goto("/sign-in")
    page.get_by_label("Email").fill(SHOPPER)
    page.get_by_label("Password").fill(live.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    _pays_by_the_functions(page, phone, "0718643102")
    orders = page.context.request.get("/api/orders").json()["results"]
    assert [(order["total"], order["status"]) for order in orders] == [(100, "paid")]


def _pays_by_the_functions(page: Page, phone: Daraja, number: str) -> None:
    page.add_script_tag(url="/static/s1_snippet.js")
    asked = [number, 100, "INV-2024-001", "Payment for services"]
    begun = page.evaluate("(asked) => initiatePayment(...asked)", asked)
    assert begun["ResponseCode"] == "0", begun
    named = begun["CheckoutRequestID"]
    phone.answer(named, pin="1234")
    told = eventually(lambda: _complete(page.evaluate("(id) => queryPayment(id)", named)))
    assert told["local_transaction"]["amount"] == "100"


def _complete(told: dict[str, Any]) -> dict[str, Any]:
    """What is told of a prompt that is paid; nothing before."""
    return told if told["local_transaction"]["status"] == "0" else {}
