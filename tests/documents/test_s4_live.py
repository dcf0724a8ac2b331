"""The shop guide, run: its commands, its curl lines and its page script against a shop."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from scripts import write_env
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import PASSWORD, POLL_SECONDS, QUERY, Shopper, new_msisdn
from tests.browser.test_page_scripts import AXIOS, SNIPPET
from tests.documents.s4 import CUSTOMER_MESSAGE, DOT_ENV, PASSKEY, SELF_APPROVING, WIRE_PHONE
from tests.services.chromium import FLAGS
from tests.services.launch import free_port
from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import ADMIN, ROOT, LiveShop, live_shop

#: The commands that the document prints, letter by letter.
INITIATE, ASK, GREP, HEALTH, ASK_AGAIN, IN_PRODUCTION = (
    (Path(__file__).parent / "s4_snippet.sh").read_text().split("\n\n")
)
PRINTED_SHOPS = (
    "http://localhost:5000",
    "https://your-ngrok-url.ngrok-free.app",
    "https://yourdomain.com",
)
RECEIPT = re.compile(r"[A-Z0-9]{10}")
CURL_SECONDS = 20
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    """A shop with the document's settings, but for the environment: Daraja is the simulator."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    given = dict(re.findall(r"^(MPESA_\w+)=(\S+)", DOT_ENV, re.M))
    given |= {
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_PASSKEY": PASSKEY,
        "MPESA_CALLBACK_URL": f"{root}/api/payments/mpesa/callback",
    }
    with live_shop(extra_env=given | {"PORT": str(port), "PUBLIC_URL": root}) as shop:
        yield shop


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def console() -> Iterator[Console]:
    console = Console()
    yield console
    assert console.unexpected() == []


@pytest.fixture
def context(browser: Browser, live: LiveShop, console: Console) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=live.base_url)
    context.set_default_timeout(WAIT_MS)
    console.listen_to(context)
    yield context
    context.close()


@pytest.fixture
def shopper(context: BrowserContext) -> Shopper:
    """Somebody who has just made an account in the shop's pages."""
    somebody = Shopper(context, new_msisdn())
    somebody.register()
    return somebody


@pytest.fixture
def phone(live: LiveShop) -> Iterator[Daraja]:
    daraja = Daraja(live.simulator_url, callback_url="")
    with daraja.session:
        yield daraja


def run(live: LiveShop, command: str, **words: str) -> dict[str, Any]:
    """Run a printed command against this shop, with these words in place of the printed ones."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed. Install it: sudo apt-get install curl")
    for printed, word in (dict.fromkeys(PRINTED_SHOPS, live.base_url) | words).items():
        command = command.replace(printed, word)
    done = subprocess.run(
        ["bash", "-c", command], env=live.env, capture_output=True, text=True, timeout=CURL_SECONDS
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def call(
    live: LiveShop, method: str, path: str, token: str | None = None, body: object = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            method, live.base_url + path, json=body, headers=headers, timeout=CURL_SECONDS
        )
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def token_of(live: LiveShop, email: str, password: str) -> str:
    account = {"email": email, "password": password}
    return str(call(live, "POST", "/api/auth/login", body=account)["access_token"])


def completed(told: dict[str, Any]) -> dict[str, Any]:
    """What a query tells of an order that is paid, its receipt known; nothing before."""
    data: dict[str, Any] = told["data"]
    assert told["success"] is True
    return data if data["status"] == "completed" and data["payment_reference"] else {}


# By hand.


def test_s4_55_to_s4_58_s4_24_the_printed_steps_by_hand(
    live: LiveShop, shopper: Shopper, phone: Daraja
) -> None:
    """S4-55, S4-56, S4-57, S4-58, S4-24, S4-10, S4-17, S4-23, S4-117.

    The order is made on the pages, by somebody who then cancels on the own phone.
    """
    shopper.buy()
    order = shopper.newest_order()
    (prompt,) = phone.phone(shopper.msisdn)["prompts"]
    phone.answer(prompt["checkout_request_id"], cancel=True)
    shopper.sees("You cancelled the payment")

    names = {
        "YOUR_JWT_TOKEN": token_of(live, shopper.email, PASSWORD),
        "your-order-uuid": order["id"],
    }
    begun = run(live, INITIATE, **names)
    assert (begun["success"], begun["message"]) == (True, "STK Push sent successfully")
    data = begun["data"]
    assert re.fullmatch(r"ws_CO_\d+", data["checkout_request_id"])
    assert isinstance(data["merchant_request_id"], str)
    assert data["customer_message"] == CUSTOMER_MESSAGE

    paid = eventually(lambda: completed(run(live, ASK, **names)))
    assert (paid["status"], paid["payment_status"]) == ("completed", "completed")
    assert RECEIPT.fullmatch(paid["payment_reference"])
    (moved,) = [row for row in phone.ledger() if row["receipt"] == paid["payment_reference"]]
    assert (moved["msisdn"], moved["amount"]) == (SELF_APPROVING, order["total"])
    # The line is written after the answer, and after what it has brought about.
    callback = r"POST /api/payments/mpesa/callback 200"
    assert eventually(lambda: re.search(callback, live.log_text()))


def test_s4_90_s4_80_one_shilling_by_the_printed_production_test(
    live: LiveShop, phone: Daraja
) -> None:
    """S4-90, S4-80, S4-26: against `python run.py`; the phone's owner enters the PIN."""
    token = token_of(live, ADMIN, live.password)
    goods = {"name": "One shilling", "kind": "goods", "price": 1}
    product = call(live, "POST", "/api/products", token, goods)
    items = [{"product_id": product["id"], "quantity": 1}]
    order = call(live, "POST", "/api/orders", token, {"items": items})
    begun = run(live, IN_PRODUCTION, **{"TOKEN": token, "test-order-id": order["id"]})
    assert begun["success"] is True
    names = {"TOKEN": token, "ORDER_ID": order["id"]}
    assert run(live, ASK_AGAIN, **names)["data"]["status"] == "pending"
    phone.answer(begun["data"]["checkout_request_id"], pin="1234")
    paid = eventually(lambda: completed(run(live, ASK_AGAIN, **names)))
    (moved,) = [row for row in phone.ledger() if row["receipt"] == paid["payment_reference"]]
    assert (moved["msisdn"], moved["amount"]) == (WIRE_PHONE, 1)


def test_s4_76_the_printed_grep_shows_the_settings(tmp_path: Path) -> None:
    """S4-76: the README says which folder the guide's `backend` is."""
    write_env.create(tmp_path / ".env", ROOT / ".env.example")
    done = subprocess.run(
        ["bash", "-c", GREP.replace("backend/", "")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=CURL_SECONDS,
    )
    shown = set(re.findall(r"^(MPESA_\w+)=", done.stdout, re.M))
    assert shown >= set(re.findall(r"^(MPESA_\w+)=", DOT_ENV, re.M))


def test_s4_77_the_printed_health_check_answers(live: LiveShop) -> None:
    """S4-77."""
    assert run(live, HEALTH)["status"] == "ok"


def test_s4_78_s4_81_to_s4_85_the_terminal_shows_all_of_it(live: LiveShop, phone: Daraja) -> None:
    """S4-78, S4-81, S4-82, S4-83, S4-84, S4-85, S4-105, S4-129: what `run.py` prints."""
    token = token_of(live, ADMIN, live.password)
    items = [{"product_id": 1, "quantity": 1}]
    names = {"YOUR_JWT_TOKEN": token}
    paid, failed = (
        {"your-order-uuid": call(live, "POST", "/api/orders", token, {"items": items})["id"]}
        for _ in range(2)
    )
    run(live, INITIATE, **names, **paid)
    eventually(lambda: completed(run(live, ASK, **names, **paid)))
    phone.arm("push_rate_limited", on={"msisdn": SELF_APPROVING})
    assert run(live, INITIATE, **names, **failed)["success"] is False
    log = live.log_text()
    for words in (
        "INFO payments.mpesa access token fetched",
        "INFO payments.mpesa STK push request: KES",
        "INFO payments.mpesa STK push: HTTP 200, PushAccepted",
        "INFO payments.mpesa M-Pesa callback RAW: {",
        r"INFO payments.mpesa payment TXN\w+: pending -> completed",
        r"payments.mpesa STK push: HTTP [45]\d\d, PushRefused",
    ):
        assert re.search(words, log), words
    assert "254708374149" not in log


# The page's script, in a signed-in page, without an Authorization header.


def serve(page: Page, name: str, script: str) -> None:
    page.route(
        f"**/static/{name}",
        lambda route: route.fulfill(body=script, content_type="text/javascript"),
    )


def page_with_snippet(shopper: Shopper) -> tuple[Page, dict[str, Any]]:
    """A page of the shop that has the printed script, and an order to pay."""
    page = shopper.page
    serve(page, "axios.js", AXIOS)
    serve(page, "snippet.js", SNIPPET.read_text())
    page.goto("/")
    body = {"items": [{"product_id": 1, "quantity": 1}]}
    headers = {"Origin": page.url.rstrip("/")}
    made = page.context.request.post("/api/orders", data=body, headers=headers)
    assert made.ok, made.text()
    for name in ("axios.js", "snippet.js"):
        page.add_script_tag(url=f"/static/{name}")
    order: dict[str, Any] = made.json()
    return page, order


def test_s4_66_s4_59_s4_60_s4_63_polling_goes_on_after_an_error_that_is_logged(
    shopper: Shopper, phone: Daraja, console: Console
) -> None:
    """S4-66, S4-59, S4-60, S4-63: C-3. Every five seconds, and the cookie is enough."""
    console.expect(FAILED_REQUEST, "Error checking payment status:")
    lost: list[str] = []

    def lose_two(route: Route) -> None:
        if len(lost) == 2:
            return route.continue_()
        lost.append(route.request.url)
        return route.abort()

    shopper.context.clock.install()
    page, order = page_with_snippet(shopper)
    page.route(QUERY, lose_two)
    sent: list[dict[str, str]] = []
    page.on("request", lambda request: sent.append(request.headers))
    pay = [order["id"], shopper.typed_phone]
    page.evaluate("(pay) => initiatePayment(...pay)", pay)
    for _ in range(2):
        page.wait_for_timeout(100)
        with page.expect_event("console", lambda said: "Error checking" in said.text):
            page.clock.fast_forward(POLL_SECONDS * 1000)
    assert shopper.polls()["status"] == "pending"
    (prompt,) = phone.phone(shopper.msisdn)["prompts"]
    phone.answer(prompt["checkout_request_id"], pin="1234")
    eventually(lambda: shopper.newest_order()["status"] == "paid")
    page.clock.fast_forward(POLL_SECONDS * 1000)
    page.wait_for_url("**/order-success")
    assert not [headers for headers in sent if "authorization" in headers]


def test_s4_59_a_refusal_is_logged_by_the_printed_script_and_nothing_is_polled(
    shopper: Shopper, console: Console
) -> None:
    """S4-59, S4-71."""
    console.expect(FAILED_REQUEST, "Payment failed:")
    shopper.context.clock.install()
    page, order = page_with_snippet(shopper)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_event("console", lambda said: said.text.startswith("Payment failed:")):
        page.evaluate("(id) => initiatePayment(id, '12345')", order["id"])
    page.clock.fast_forward(3 * POLL_SECONDS * 1000)
    page.wait_for_timeout(200)
    assert [url for url in asked if url.endswith("/mpesa/query")] == []
