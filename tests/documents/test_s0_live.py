"""The payment API document, run: every printed request against a shop and its simulator, and the
printed subscription in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.console import Console
from tests.services.chromium import FLAGS
from tests.services.launch import free_port
from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop, live_shop

HERE = Path(__file__).parent
#: What the document prints, letter by letter.
REQUESTS = (HERE / "s0_requests.http").read_text().split("###\n")
SNIPPET = HERE / "s0_snippet.js"
#: What stands in a printed request where a real one has its own.
PRINTED = {
    "token": "<token>",
    "order_id": '"order_id": 123',
    "transaction_id": "{transaction_id}",
    "named_transaction": "TXN20230815123456ABC",
    "checkout_request_id": "ws_CO_123456789",
}
PHONE = "254712345678"
#: This phone's owner enters the PIN by itself.
SELF_APPROVING = "254708374149"
NEWS_MS = 20_000
#: Everything that a page of somebody else's has to add before the snippet.
SUBSCRIPTION = "/static/js/payments.js"
LET_IN = "() => ws.socket && ws.socket.connected"
_POST = """async ([path, token, body]) => {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}"""


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    """A shop that has Daraja call back at this document's address."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    callback = f"{root}/api/payment/mpesa-callback/"
    given = {"PORT": str(port), "PUBLIC_URL": root, "MPESA_CALLBACK_URL": callback}
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
    """A page of the shop's origin, of somebody whom no cookie knows."""
    console = Console()
    context = browser.new_context(base_url=live.base_url)
    console.listen_to(context)
    page = context.new_page()
    page.route(
        "**/static/s0_snippet.js",
        lambda route: route.fulfill(body=SNIPPET.read_text(), content_type="text/javascript"),
    )
    yield page
    context.close()
    assert console.unexpected() == []


def call(
    live: LiveShop, method: str, path: str, token: str | None = None, body: object = None
) -> Any:
    """Send JSON as a program would; the answer's JSON."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.request(method, live.base_url + path, json=body, headers=headers, timeout=20)
    assert answer.ok, answer.text
    return answer.json()


def sign_in(live: LiveShop, email: str = SHOPPER) -> str:
    account = {"email": email, "password": live.password}
    return str(call(live, "POST", "/api/auth/login", body=account)["access_token"])


def order(live: LiveShop, token: str) -> dict[str, Any]:
    """An order of the printed amount."""
    product = {"name": "Kanga", "kind": "goods", "price": 1000}
    made = call(live, "POST", "/api/products", sign_in(live, ADMIN), product)
    items = [{"product_id": made["id"], "quantity": 1}]
    found: dict[str, Any] = call(live, "POST", "/api/orders", token, {"items": items})
    assert found["total"] == 1000
    return found


def printed(live: LiveShop, number: int, **real: str) -> requests.Response:
    """Send a printed request, with this shop's names in the places of the printed ones."""
    head, _, body = REQUESTS[number].strip().partition("\n\n")
    for name, value in real.items():
        head, body = head.replace(PRINTED[name], value), body.replace(PRINTED[name], value)
    first, *lines = head.splitlines()
    method, path = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return requests.request(
        method, live.base_url + path, data=body, headers=headers, timeout=20, allow_redirects=False
    )


def test_s0_06_to_s0_18_s0_55_to_s0_57_the_printed_payment_from_request_to_receipt(
    live: LiveShop, phone: Daraja
) -> None:
    """S0-06, S0-07, S0-08, S0-09, S0-10, S0-11, S0-12, S0-13, S0-14, S0-15, S0-16,
    S0-17, S0-18, S0-55, S0-56, S0-57.

    The simulator calls back as the document prints it: a success without metadata.
    """
    token = sign_in(live)
    number = order(live, token)["number"]
    phone.arm("no_metadata")
    initiated = printed(live, 0, token=token, order_id=f'"order_id": {number}')
    assert initiated.status_code == 200, initiated.text
    started = initiated.json()
    named = {
        "token": token,
        "order_id": f'"order_id": {number}',
        "named_transaction": started["transaction_id"],
    }
    assert printed(live, 1, **named).json()["status"] == "pending"
    phone.answer(started["checkout_request_id"], pin="1234")
    paid = eventually(
        lambda: told if (told := printed(live, 1, **named).json())["status"] == "completed" else {}
    )
    assert paid == {"status": "completed", "message": "Payment successful"}
    sent = printed(live, 2, checkout_request_id=started["checkout_request_id"])
    assert (sent.status_code, sent.json()) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})
    reads_back(live, token, started["transaction_id"], number)


def reads_back(live: LiveShop, token: str, reference: str, number: int) -> None:
    """S0-19 to S0-32: history, receipt and refund, as printed."""
    history = printed(live, 3, token=token).json()
    assert set(history) == {"results", "total", "page"}
    assert history["results"][0] | {"created_at": ""} == {
        "id": reference,
        "amount": 1000.00,
        "status": "completed",
        "payment_method": "mpesa",
        "created_at": "",
    }
    receipt = printed(live, 4, token=token, transaction_id=reference).json()
    assert receipt["receipt_number"] == reference.replace("TXN", "RCP")
    assert (receipt["amount"], receipt["status"]) == ("KES 1,000.00", "Completed")
    assert receipt["order_reference"] == f"Order #{number}"
    refund = printed(live, 5, token=token, transaction_id=reference)
    assert refund.status_code in (200, 202), refund.text
    assert re.fullmatch(r"RFD\d{14}[A-Z0-9]{3}", refund.json()["refund_id"])


def test_s0_33_to_s0_36_the_printed_payment_methods(live: LiveShop) -> None:
    """S0-33, S0-34, S0-35, S0-36."""
    token = sign_in(live)
    listed = printed(live, 6, token=token).json()["methods"]
    assert listed[0] == {
        "type": "mpesa",
        "display_name": "M-Pesa",
        "enabled": True,
        "currency": "KES",
    }
    kept = printed(live, 7, token=token)
    assert kept.status_code in (200, 201)
    assert kept.json() in printed(live, 6, token=token).json()["methods"]


def test_s0_46_s0_47_the_printed_trial(live: LiveShop) -> None:
    """S0-46, S0-47."""
    tried = printed(live, 8, token=sign_in(live))
    assert tried.status_code == 200, tried.text
    moved = printed(live, 9, named_transaction=tried.json()["transaction_id"])
    assert (moved.status_code, moved.json()["status"]) == (200, "completed")


def test_s0_44_s0_45_the_printed_subscription_tells_a_signed_in_browser(
    live: LiveShop, page: Page
) -> None:
    """S0-44, S0-45."""
    page.goto("/sign-in")
    page.get_by_label("Email").fill(SHOPPER)
    page.get_by_label("Password").fill(live.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    subscribe(page)
    hears_its_payment(page, order(live, sign_in(live)), token=None)


def test_s0_44_s0_45_s0_48_the_printed_subscription_tells_a_page_that_has_a_token(
    live: LiveShop, page: Page
) -> None:
    """S0-44, S0-45, S0-48.

    Such a page has no cookie: its sign-in is the bearer token of this document.
    """
    token = sign_in(live)
    page.goto("/")
    subscribe(page, token)
    hears_its_payment(page, order(live, token), token=token)


def test_s0_44_a_token_may_be_given_after_the_socket_has_opened(live: LiveShop, page: Page) -> None:
    """S0-44."""
    token = sign_in(live)
    page.goto("/")
    subscribe(page)
    page.evaluate("(token) => ws.useToken(token)", token)
    page.wait_for_function(LET_IN)
    hears_its_payment(page, order(live, token), token=token)


def subscribe(page: Page, token: str | None = None) -> None:
    """Add the subscription's script and the printed lines, and wait until the socket is let in."""
    page.add_script_tag(url=SUBSCRIPTION, type="module")
    page.wait_for_function("() => window.ws")
    if token:
        page.evaluate("(token) => ws.useToken(token)", token)
    page.add_script_tag(url="/static/s0_snippet.js")
    page.wait_for_function(LET_IN)


def hears_its_payment(page: Page, wanted: dict[str, Any], token: str | None) -> None:
    """Pay from the page itself, and wait until the printed callback has said that it is paid."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    body = {"phone_number": SELF_APPROVING, "order_id": wanted["number"], "amount": 1000}
    with page.expect_console_message(
        lambda message: message.text == "Payment status: completed", timeout=NEWS_MS
    ):
        started = page.evaluate(_POST, ["/api/payment/mpesa/", token, body])
        assert started["message"] == "Payment initiated"
    assert said[0] == "Payment status: pending"
