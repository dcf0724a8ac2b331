"""What other people's pages rely on: the WebSocket subscription, and a printed snippet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.people import MOST_POLLS, Handset, Shopper, new_msisdn

#: The front-end code that the shop's document prints, letter by letter.
SNIPPET = Path(__file__).with_name("frontend_snippet.js")
#: As much of axios as the snippet uses. Like the snippet's, its requests carry no Authorization.
AXIOS = """
const axios = {
  async post(url, body) {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return { data: await response.json() };
  },
};
"""
_LISTEN = """async () => {
  const { ws, WebSocketMessageType } = await import("/static/js/payments.js");
  window.heard = [];
  ws.subscribe(WebSocketMessageType.PAYMENT_UPDATE, (payment) => window.heard.push(payment));
}"""
_POST = """async ([url, body]) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}"""


def test_a_page_that_subscribes_hears_how_its_own_payment_stands(
    shopper: Shopper, handset: Handset, new_context: NewContext
):
    """S0-44, S0-45: `ws.subscribe(WebSocketMessageType.PAYMENT_UPDATE, …)`, an object, a status."""
    stranger = Shopper(new_context(), new_msisdn())
    stranger.register()
    for person in (shopper, stranger):
        _listen(person.page)
    order = _place_order(shopper.page)
    _post(
        shopper.page,
        "/api/payments/mpesa/initiate",
        {"order_id": order["id"], "phone_number": shopper.typed_phone},
    )
    handset.enter_pin()
    shopper.page.wait_for_function(
        "() => window.heard.some((payment) => payment.status === 'completed')"
    )
    update = shopper.page.evaluate("window.heard.at(-1)")
    paid = shopper.newest_order()["payments"][0]
    assert update == {
        "transaction_id": paid["transaction_id"],
        "order_id": order["id"],
        "status": "completed",
        "reason": None,
        "receipt": paid["receipt"],
    }
    assert stranger.page.evaluate("window.heard") == []


def test_a_script_that_is_no_module_finds_the_subscription_on_window(shopper: Shopper):
    """S0-44: the names stand where the document's example uses them."""
    shopper.go_to_checkout()
    names = "[typeof ws.subscribe, WebSocketMessageType.PAYMENT_UPDATE]"
    assert shopper.page.evaluate(names) == ["function", "payment_update"]


def test_the_printed_snippet_leads_a_signed_in_shopper_to_order_success(
    shopper: Shopper, handset: Handset
):
    """S4-59, S4-60, S4-63, C-3, C-22: the browser's session is enough."""
    page = shopper.page
    order = _start_by_snippet(shopper)
    handset.enter_pin()
    page.wait_for_url("**/order-success")
    expect(page.locator("main")).to_contain_text("Thank you")
    expect(page.locator("main")).to_contain_text(f"Order #{order['number']}")


def test_the_printed_snippet_says_that_a_cancelled_payment_failed(
    shopper: Shopper, handset: Handset
):
    """S4-64, C-20: a cancelled prompt is `failed` to a page that knows no other end."""
    said = _hear_alerts(shopper.page)
    _start_by_snippet(shopper)
    with shopper.page.expect_event("dialog"):
        handset.cancel()
    assert said == ["Payment failed. Try again?"]


def test_the_printed_snippet_gives_up_after_24_polls(shopper: Shopper):
    """S4-61, S4-62, S4-65: nobody answers the phone, and the page says its last words once."""
    said = _hear_alerts(shopper.page)
    shopper.context.clock.install()
    _start_by_snippet(shopper)
    for _ in range(MOST_POLLS):
        assert shopper.polls()["status"] == "pending"
    shopper.page.wait_for_timeout(100)
    shopper.page.clock.fast_forward(60_000)
    assert said == ["Taking too long. Contact support if money was deducted."]


def _listen(page: Page) -> None:
    """Subscribe, and wait until the server has let the socket in."""
    with page.expect_websocket() as opened:
        page.evaluate(_LISTEN)
    with opened.value.expect_event("framereceived", _is_let_in):
        pass


def _is_let_in(frame: str | bytes) -> bool:
    # Socket.IO's packet 40 is the answer to a connection.
    return str(frame).startswith("40")


def _start_by_snippet(shopper: Shopper) -> dict[str, Any]:
    """Load axios and the snippet as files of the shop's own, as its CSP asks, and pay."""
    page = shopper.page
    _serve(page, "axios.js", AXIOS)
    _serve(page, "frontend_snippet.js", SNIPPET.read_text())
    page.goto("/")
    order = _place_order(page)
    for name in ("axios.js", "frontend_snippet.js"):
        page.add_script_tag(url=f"/static/{name}")
    page.evaluate("([id, phone]) => initiatePayment(id, phone)", [order["id"], shopper.typed_phone])
    return order


def _serve(page: Page, name: str, script: str) -> None:
    page.route(
        f"**/static/{name}",
        lambda route: route.fulfill(body=script, content_type="text/javascript"),
    )


def _place_order(page: Page) -> dict[str, Any]:
    products = page.context.request.get("/api/products").json()["results"]
    matches = next(product for product in products if re.search("matches", product["name"]))
    return _post(page, "/api/orders", {"items": [{"product_id": matches["id"], "quantity": 1}]})


def _post(page: Page, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post JSON from the page itself, with its cookies and nothing else."""
    return page.evaluate(_POST, [path, body])


def _hear_alerts(page: Page) -> list[str]:
    said: list[str] = []

    def hear(alert: Dialog) -> None:
        said.append(alert.message)
        alert.accept()

    page.on("dialog", hear)
    return said
