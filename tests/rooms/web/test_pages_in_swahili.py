"""Page by page: what reads the same in both languages is a name, a code or a figure."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from app.accounts.roles import Role
from tests.support.app import Account, Shop
from tests.support.daraja import html, paid, unpaid
from tests.support.raw_texts import letters_of, seen_in
from tests.support.staff import staff

#: Names of people, goods and suppliers here are figures, so that every word is the shop's own.
ALIKE = {"English", "Kiswahili", "Tests", "production", "sandbox", "simulator"}
#: What M-Pesa said, and what the books wrote down of it, stand as written; a date may be alike.
_AS_WRITTEN = re.compile(
    r"\d+ (?:The service request is processed successfully\.|Cancelled)|JANE DOE|HTTP 502 .*"
    r"|daraja: \w+(?: \d+ from)?|\d{1,2} [A-Z][a-z]{2}\b"
)
#: So many pages of each kind are read.
EACH = 4
_LINK = re.compile(r'(?:href|action)="(/[^"#]*)')
_MACHINES = ("/static/", "/simulator/", "/api/", "/pictures/", "/metrics")


def bought(shop: Shop, shopper: Account) -> int:
    """Have an order in every state that a shopper may meet; return what was ordered."""
    product = shop.product(name="K2", stock=40)
    paid_for = shop.prompted(shopper, shop.order(shopper, product))
    shop.callback(
        paid(paid_for.checkout_request_id, 1500, "UKL5000001"), token=paid_for.callback_token
    )
    shop.refund(shopper, paid_for, reason="N4")
    shop.order(shopper, product)
    failed = shop.prompted(shopper, shop.order(shopper, product))
    shop.callback(unpaid(failed.checkout_request_id, 1032), token=failed.callback_token)
    cancelled = shop.order(shopper, product)
    shop.client().post(f"/api/orders/{cancelled['id']}/cancel", headers=shopper.headers)
    shop.pay(shopper, shop.order(shopper, product), phone_number="0712345671")
    shop.daraja.push_answer = html(502)
    shop.pay(shopper, shop.order(shopper, product), phone_number="0712345672")
    return product


def walked(shop: Shop, client: FlaskClient, headers: dict[str, str], start: str) -> dict[str, str]:
    """Follow every link from a page; what reads the same in both languages, and where."""
    waiting, known, kinds = [start], {start}, Counter[str]()
    alike: dict[str, str] = {}
    while waiting:
        path = waiting.pop(0)
        kind = _kind(shop, path)
        kinds[kind] += 1
        if not kind or kinds[kind] > EACH:
            continue
        pages = [
            client.get(path, headers=headers | {"Accept": "text/html", "Accept-Language": language})
            for language in ("en", "sw")
        ]
        if any(page.mimetype != "text/html" or page.status_code != 200 for page in pages):
            continue
        english, swahili = (seen_in(page.text) for page in pages)
        shared = {text for text in english & swahili if letters_of(_AS_WRITTEN.sub("", text))}
        alike |= dict.fromkeys(shared - ALIKE - set(alike), path)
        links = {link.replace("&amp;", "&") for link in _LINK.findall(pages[0].text)} - known
        waiting += sorted(link for link in links if not link.startswith(_MACHINES))
        known |= links
    assert len(kinds) > 5
    return alike


def _kind(shop: Shop, path: str) -> str:
    """Return which door an address leads to; nothing for one that takes no GET."""
    try:
        return shop.app.url_map.bind("").match(urlsplit(path).path)[0]
    except HTTPException:
        return ""


@pytest.mark.parametrize("reader", ["stranger", "shopper", "owner"])
def test_every_page_says_every_word_of_its_own_in_swahili(shop: Shop, reader: str) -> None:
    shopper, owner = shop.person("a1"), staff(shop, "o1", Role.ADMIN)
    product = bought(shop, shopper)
    shop.paid_out(shop.payout(owner, shop.supplier(owner, "S3"), notes="N4"))
    shop.set(shop_name="D4")
    client = shop.client()
    with client.session_transaction() as session:
        session["cart"] = {"key": "k" * 16, "items": {str(product): 41}}
    who = {"stranger": {}, "shopper": shopper.headers, "owner": owner.headers}[reader]
    start = "/admin/" if reader == "owner" else "/"
    alike = walked(shop, client, who, start)
    assert not alike, "\n".join(f"{path}: {text}" for text, path in alike.items())
