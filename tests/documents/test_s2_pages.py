"""The guide with ``/api/payments/transactions/``: its checkout page, as far as HTTP shows it.

What only a browser shows (S2-35, S2-38, S2-40) is looked at in tests/browser too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app.config import ROOT
from tests.documents.s2 import PHONE, RECEIPT, begun, call_back, jwt
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, unpaid

FORM = {"Origin": "http://localhost"}


def filled_cart(shop: Shop, who: Account) -> tuple[FlaskClient, dict[str, str]]:
    """A browser with one thing in its cart, and the fields of its pay form."""
    browser = shop.client()
    headers = who.headers | FORM
    item = {"product_id": shop.product(), "quantity": 1}
    assert browser.post("/cart/add", data=item, headers=headers).status_code == 303
    page = browser.get("/checkout", headers=headers).text
    key = re.search(r'name="cart_key" value="([^"]+)"', page)
    assert key is not None
    return browser, {"cart_key": key[1], "phone_number": PHONE}


def pay(browser: FlaskClient, who: Account, fields: dict[str, str]) -> dict[str, Any]:
    headers = who.headers | FORM | {"Accept": "application/json"}
    answer = browser.post("/checkout", data=fields, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.get_json()["data"]
    return data


def test_s2_33_s2_34_the_order_stands_with_a_pending_payment_before_daraja_is_asked(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-33, S2-34."""
    seen: list[Any] = []

    def look(_push: dict[str, Any]) -> None:
        orders = shop.client().get("/api/orders", headers=jwt(shopper)).get_json()["results"]
        seen.extend((order["status"], order["payment_status"]) for order in orders)

    daraja.on_push = look
    browser, fields = filled_cart(shop, shopper)
    pay(browser, shopper, fields)
    assert seen == [("pending", "pending")]
    assert len(daraja.pushes) == 1


def test_s2_35_s2_38_s2_39_s2_40_the_page_carries_the_dialog_with_its_states(
    shop: Shop, shopper: Account
) -> None:
    """S2-35, S2-38, S2-39, S2-40."""
    browser, _ = filled_cart(shop, shopper)
    page = browser.get("/checkout", headers=shopper.headers).text
    dialog = page[page.index("<dialog") : page.index("</dialog>")]
    for part in ("ring", "retry", "check", "receipt-code"):
        assert f'data-part="{part}"' in dialog
    for state in ("sending", "waiting", "completed", "failed", "cancelled", "expired", "slow"):
        assert f"data-{state}-title=" in dialog
    assert "@keyframes" in (ROOT / "static" / "css" / "lipa.css").read_text()


def test_s2_36_the_page_looks_at_least_every_ten_seconds(shop: Shop, shopper: Account) -> None:
    """S2-36.

    C-21: the page polls the shop's own books; the shop asks Daraja on its own schedule.
    """
    browser, _ = filled_cart(shop, shopper)
    page = browser.get("/checkout", headers=shopper.headers).text
    rhythm = re.search(r'data-poll-seconds="(\d+)"', page)
    assert rhythm is not None
    assert 0 < int(rhythm[1]) <= 10


def test_s2_37_s2_41_success_leads_to_the_orders_details_with_mpesas_receipt(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-37, S2-41: C-22."""
    browser, fields = filled_cart(shop, shopper)
    state = pay(browser, shopper, fields)
    order = shop.client().get(f"/api/orders/{state['order_id']}", headers=shopper.headers)
    call_back(shop, shop.payment(order.get_json()))
    page = browser.get(state["success_url"], headers=shopper.headers).text
    assert state["success_url"] == f"/order-success?order={state['order_id']}"
    assert RECEIPT in page
    assert f"Order #{order.get_json()['number']}" in page
    assert "KES 1,500" in page


def test_s2_39_a_failed_payment_offers_another_try_on_the_orders_page(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S2-39."""
    order = shop.order(shopper)
    payment = begun(shop, shopper, order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    page = shop.client().get(f"/orders/{order['id']}", headers=shopper.headers).text
    assert f'action="/orders/{order["id"]}/pay"' in page
    path, fields = f"/orders/{order['id']}/pay", {"phone_number": PHONE}
    again = shop.client().post(path, data=fields, headers=shopper.headers | FORM)
    assert again.status_code == 303
    assert len(daraja.pushes) == 2


def test_s2_74_the_admins_panel_shows_every_transaction(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S2-74."""
    payment = begun(shop, shopper)
    call_back(shop, payment)
    page = shop.client().get("/admin", headers=admin.headers | {"Accept": "text/html"}).text
    assert payment.public_ref in page
    assert RECEIPT in page


def _document(*names: str) -> str:
    return Path(ROOT, *names).read_text()


def test_s2_05_s2_51_s2_52_s2_62_the_documents_say_what_to_fetch_and_to_enter() -> None:
    """S2-05, S2-51, S2-52, S2-62."""
    told = _document("README.md") + _document("docs", "going-live.md")
    for word in ("consumer key", "consumer secret", "shortcode", "passkey", "HTTPS", "certbot"):
        assert word in told
    assert "developer.safaricom.co.ke" in told
    assert "https://…/api/payments/transactions/mpesa_callback/" in told
    assert "Callback not received" in told


def test_s2_06_requests_is_installed_by_the_lock_file_at_a_version_without_known_holes() -> None:
    """S2-06: C-44."""
    pinned = re.search(r"^requests==(\d+)\.(\d+)", _document("requirements.txt"), re.MULTILINE)
    assert pinned is not None
    assert (int(pinned[1]), int(pinned[2])) >= (2, 32)
