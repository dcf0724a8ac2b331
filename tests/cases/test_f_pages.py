"""F1 and F3 in the shop and its back office: what people write is text, and a name is no path."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import update

from app.accounts.models import Person
from app.config import ROOT
from app.core.unit_of_work import transaction
from tests.rooms.admin.desk import Desk, hidden
from tests.rooms.admin.shelves import KIONDO, photo_of, picture, send_picture
from tests.rooms.admin.shelves import ROOM as PRODUCTS
from tests.support.app import Account, Shop
from tests.support.daraja import unpaid

WRITTEN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'</title></textarea><svg onload=alert(1)>",
    "{{ 7 * 7 }}${7*7}",
    "javascript:alert(1)//\u202e",
)
#: None of these may stand in a page as markup; "49$" or "$49" is what a template makes of
#: the fourth text. ("49" alone may also be part of somebody's id.)
HARM = ("<script>alert", "<img src=x", "<svg onload", "</title></text", "49$", "$49")


@pytest.mark.parametrize("text", WRITTEN)
def test_f1_what_people_and_mpesa_write_is_shown_and_does_nothing(
    shop: Shop, admin: Account, shopper: Account, text: str
) -> None:
    """F1: names and words of products, pictures, people, notes, reasons and M-Pesa's results."""
    desk, buyer = Desk(shop, admin), Desk(shop, shopper)
    pages = _written_everywhere(shop, desk, buyer, text)
    seen = 0
    for who, paths in pages.items():
        for path in paths:
            answer = who.open(path)
            assert answer.status_code == 200, path
            for harm in HARM:
                assert harm not in answer.text, (path, harm)
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe-inline" not in policy
            assert "script-src 'self';" in policy
            seen += unescape(answer.text).count(text)
    # A product's three texts, the person's, the note's, the reason's and M-Pesa's, each where it
    # belongs: were they not shown at all, they would do no harm either.
    assert seen >= 12


def _written_everywhere(shop: Shop, desk: Desk, buyer: Desk, text: str) -> dict[Desk, list[str]]:
    """Put a text wherever somebody may write; return the pages that show it, by who sees them."""
    product = desk.sent(PRODUCTS, **KIONDO | {"name": text, "description": text})
    product_id = int(product.rpartition("/")[2])
    assert send_picture(desk, product_id, picture(80, 60), alt=text).status_code == 303
    with shop.app.app_context(), transaction() as session:
        session.execute(update(Person).where(Person.id == buyer.who.id).values(name=text))
    order = shop.order(buyer.who, product_id)
    payment = shop.prompted(buyer.who, order)
    shop.callback(unpaid(payment.checkout_request_id, 1, text), token=payment.callback_token)
    admin_order = f"/admin/orders/{order['id']}"
    desk.sent(
        f"{admin_order}/notes", text=text, form_key=hidden(desk.read(admin_order), "form_key")
    )
    desk.sent(f"{admin_order}/cancel", why=text)
    buyer.browser.post("/cart/add", data={"product_id": product_id, "quantity": "1"})
    payment_page = f"/admin/payments/{payment.public_ref}"
    rooms = ["/admin", "/admin/products", "/admin/orders", product, admin_order, payment_page]
    return {
        desk: [*rooms, f"/admin/products?search={'<script>'}", "/admin/orders?q=%22%3E"],
        buyer: ["/", "/cart", "/checkout", "/orders", f"/orders/{order['id']}"],
    }


def test_f1_a_search_is_shown_and_does_nothing(shop: Shop, admin: Account) -> None:
    """F1: what is looked for stands in the search box, and nowhere as markup."""
    desk = Desk(shop, admin)
    for path, name in (("/admin/products", "search"), ("/admin/orders", "q")):
        for text in WRITTEN:
            answer = desk.browser.get(
                path, query_string={name: text}, headers={"Accept": "text/html"}
            )
            assert answer.status_code == 200
            assert text in unescape(answer.text)
            assert not [harm for harm in HARM if harm in answer.text], (path, text)


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..\\..\\shop.webp",
        "/etc/cron.d/x",
        "C:\\shop.php",
        "x.webp%00.svg",
        "a.svg",
        "n" * 300 + ".jpg",
        "\u202egpj.exe",
        "",
    ],
)
def test_f3_the_name_of_an_upload_is_not_looked_at(shop: Shop, admin: Account, name: str) -> None:
    """F3: a picture's address is made of what is in it, and nothing is written into a folder."""
    product, desk = shop.product(), Desk(shop, admin)
    before = _files()
    answer = send_picture(desk, product, picture(80, 60), name=name)
    # A field without a name of a file is no file.
    assert answer.status_code == (303 if name else 400)
    stored = photo_of(shop, product)
    page = desk.read(f"{PRODUCTS}/{product}")
    addresses = set(re.findall(r'src="(/pictures/[^"]+)"', page))
    assert addresses == ({f"/pictures/{stored[0].sha256}.webp"} if stored else set())
    assert not name or name not in page
    assert _files() == before


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/../../.env",
        "/pictures/..%2f..%2f.env",
        "/pictures/%2e%2e/%2e%2e/app/config.py",
        "/pictures/....//....//etc/passwd.webp",
        "/pictures/..%5c..%5c.env.webp",
        f"/pictures/{'a' * 64}.webp",
        f"/pictures/{'A' * 64}.webp",
        f"/pictures/{'a' * 63}.webp",
        f"/pictures/{'a' * 64}.svg",
        f"/pictures/{'a' * 65}.webp",
        "/pictures/%25.webp",
        "/pictures/.webp",
        "/pictures/",
        "/static/../app/config.py",
        "/static/..%2f..%2f.env",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/receipts/..%2f..%2fetc%2fpasswd",
        "/admin/products/..%2f..%2fsettings",
        "/admin/orders/..%2fsettings",
        "/admin/runs/..%2f..%2fetc/results.csv",
    ],
)
def test_f3_no_path_leads_out_of_where_it_begins(shop: Shop, admin: Account, path: str) -> None:
    """F3."""
    answer = Desk(shop, admin).open(path)
    assert answer.status_code in (400, 404), path
    assert "root:" not in answer.text
    assert "SECRET_KEY" not in answer.text


def _files() -> set[str]:
    """Return every file of the folders that a web server might give away."""
    folders = (ROOT / "static", ROOT / "templates")
    return {str(path) for folder in folders for path in folder.rglob("*")}
