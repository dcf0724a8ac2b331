"""A browser's cookie: proof against foreign pages, and where a sign-in leads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_babel import force_locale, gettext

from app.accounts.addresses import own_address
from tests.support.app import PASSWORD, PHONE, Account, Shop

SAME = {"Origin": "http://localhost"}


def browser(shop: Shop, who: Account) -> FlaskClient:
    """A client that has signed in on the page and carries nothing but its cookies."""
    client = shop.client()
    form = {"email": who.email, "password": PASSWORD}
    answer = client.post("/sign-in", data=form, headers=SAME)
    assert answer.status_code == 303, answer.text
    assert client.get_cookie("access_token_cookie") is not None
    return client


def initiate(client: FlaskClient, order: dict[str, Any], **headers: str) -> Any:
    body = {"order_id": order["id"], "phone_number": PHONE}
    return client.post("/api/payments/mpesa/initiate", json=body, headers=headers)


def test_the_snippet_of_the_shops_page_works_for_a_signed_in_browser(
    shop: Shop, shopper: Account
) -> None:
    """S4-59, C-3: no Authorization header, no token; the browser's own word is enough."""
    client, order = browser(shop, shopper), shop.order(shopper)
    answer = initiate(client, order, Origin="http://localhost")
    assert (answer.status_code, answer.get_json()["success"]) == (200, True)
    asked = client.post(
        "/api/payments/mpesa/query",
        json={"order_id": order["id"]},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert asked.get_json()["data"]["status"] == "pending"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost.evil.test"},
        {"Origin": "http://localhost:81"},
        {"Origin": "http://evil.test", "Referer": "http://localhost/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"X-CSRF-Token": "made up"},
    ],
)
def test_a_cookie_alone_moves_nothing(
    shop: Shop, shopper: Account, headers: dict[str, str]
) -> None:
    """E4, S1-28."""
    client, order = browser(shop, shopper), shop.order(shopper)
    answer = initiate(client, order, **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "FORBIDDEN")
    assert shop.daraja.pushes == []


def test_a_form_token_from_our_own_page_is_proof_too(shop: Shop, shopper: Account) -> None:
    client = browser(shop, shopper)
    page = client.get("/account").text
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "every page with a form carries the token"
    answer = client.post("/sign-out", data={"csrf_token": found[1]})
    assert answer.status_code == 303
    assert client.get("/account").status_code == 303, "signed out"


def test_a_form_token_of_another_browser_is_no_proof(shop: Shop, shopper: Account) -> None:
    stranger = shop.client()
    page = stranger.get("/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    answer = browser(shop, shopper).post("/sign-out", data={"csrf_token": token[1]})
    assert answer.status_code == 403


def test_pages_ask_for_proof_even_without_a_cookie(shop: Shop, shopper: Account) -> None:
    """Else a foreign page could sign a visitor in to somebody else's account."""
    form = {"email": shopper.email, "password": PASSWORD}
    assert shop.client().post("/sign-in", data=form).status_code == 403


def test_a_program_without_cookies_needs_no_proof(shop: Shop, shopper: Account) -> None:
    """S1-31, C-3: a foreign page has nothing to borrow from it."""
    order = shop.order(shopper)
    assert shop.pay(shopper, order).status_code == 200


def test_reading_needs_no_proof(shop: Shop, shopper: Account) -> None:
    client = browser(shop, shopper)
    assert client.get("/api/orders").status_code == 200


def test_the_cookie_cannot_be_read_by_scripts(shop: Shop, shopper: Account) -> None:
    form = {"email": shopper.email, "password": PASSWORD}
    answer = shop.client().post("/sign-in", data=form, headers=SAME)
    [cookie] = [line for line in answer.headers.getlist("Set-Cookie") if "access_token" in line]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


OWN = ["/", "/orders", "/orders/7?x=1", "/checkout", "/a b"]
FOREIGN = [
    None,
    "",
    "orders",
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/x\\..\\evil",
    "http://evil.test",
    "https:evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.test",
    "/\tevil",
    "/\n//evil.test",
    "/\r\nLocation: //evil.test",
]


@pytest.mark.parametrize("wanted", OWN)
def test_a_path_of_the_shop_is_followed(wanted: str) -> None:
    assert own_address(wanted) == wanted


@pytest.mark.parametrize("wanted", FOREIGN)
def test_anything_else_leads_home(wanted: str | None) -> None:
    """E8."""
    assert own_address(wanted) == "/"


@pytest.mark.parametrize("wanted", ["//evil.test", "/\\evil.test", "https://evil.test", "/\t/evil"])
def test_a_sign_in_never_leads_to_a_foreign_page(shop: Shop, shopper: Account, wanted: str) -> None:
    """E8."""
    form = {"email": shopper.email, "password": PASSWORD, "next": wanted}
    answer = shop.client().post("/sign-in", data=form, headers=SAME)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_stranger_is_led_to_sign_in_and_back(shop: Shop, shopper: Account) -> None:
    client = shop.client()
    led = client.get("/orders?page=1", headers={"Accept": "text/html"})
    assert led.status_code == 303
    form = {"email": shopper.email, "password": PASSWORD}
    back = client.post(led.headers["Location"], data=form, headers=SAME)
    assert back.headers["Location"] == "/orders?page=1"


@pytest.mark.parametrize(
    ("path", "form", "english"),
    [
        (
            "/sign-in",
            {"email": "a@example.com", "password": "no"},
            "E-mail and password do not belong together. Check both and try again.",
        ),
        (
            "/register",
            {"name": "A", "email": "a@example.com", "password": "no"},
            "Choose a password of at least {count} characters.",
        ),
    ],
)
def test_what_is_wrong_on_the_way_in_is_said_in_the_reader_s_language(
    shop: Shop, path: str, form: dict[str, str], english: str
) -> None:
    headers = SAME | {"Accept": "text/html", "Accept-Language": "sw-KE,sw;q=0.9"}
    answer = shop.client().post(path, data=form, headers=headers)
    assert answer.status_code in (400, 401)
    with shop.app.test_request_context(), force_locale("sw"):
        swahili = gettext(english)
    assert swahili != english
    assert swahili.format(count=10) in answer.text
