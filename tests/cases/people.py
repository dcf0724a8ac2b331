"""What people do in the cases, beside what every shop's test has words for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.app import PASSWORD, Account, Shop


def sign_in(shop: Shop, who: Account) -> Account:
    """Sign in by e-mail and password, at whatever time it is now."""
    account = {"email": who.email, "password": PASSWORD}
    answer = shop.client().post("/api/auth/login", json=account)
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    return replace(who, access=body["access_token"], refresh=body["refresh_token"])


def browser(shop: Shop, who: Account) -> FlaskClient:
    """A browser that is signed in and sends its forms from the shop's own pages."""
    client = shop.client()
    client.set_cookie("access_token_cookie", who.access)
    client.environ_base |= {"HTTP_SEC_FETCH_SITE": "same-origin"}
    return client


def press_pay(shop: Shop, who: Account, order: dict[str, Any]) -> TestResponse:
    """Send the form of the order's page, as the payment dialog does."""
    return browser(shop, who).post(
        f"/orders/{order['id']}/pay",
        data={"phone_number": shop.number_for(order["id"])},
        headers={"Accept": "application/json"},
    )


def cancel_order(shop: Shop, who: Account, order: dict[str, Any]) -> TestResponse:
    return shop.client().post(f"/api/orders/{order['id']}/cancel", headers=who.headers)


def decide(shop: Shop, admin: Account, action: str, subject_id: int) -> None:
    """Take a step that a question offers, by the form of the admin's page."""
    form = {"why": "the statement says so"}
    path = f"/admin/questions/{action}/{subject_id}"
    assert browser(shop, admin).post(path, data=form).status_code == 303
