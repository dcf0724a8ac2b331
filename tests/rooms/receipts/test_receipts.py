"""Receipts: what they tell of money that came and went back, to whom, and in which shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.core.unit_of_work import transaction
from app.orders.models import OrderLine
from tests.support.app import Account, Shop
from tests.support.daraja import paid
from tests.support.paybill import Paybill
from tests.support.pdf import language_of, pages_of, words_of

SAME = {"Origin": "http://localhost", "Accept": "text/html"}
#: Of a name that takes several lines.
LONG = "kirefu " * 8
SWAHILI = {"Accept-Language": "sw"}


def get(shop: Shop, path: str, who: Account | None = None, **headers: str) -> TestResponse:
    return shop.client().get(path, headers=SAME | headers | (who.headers if who else {}))


def post(shop: Shop, path: str, who: Account) -> TestResponse:
    return shop.client().post(path, headers=SAME | who.headers)


def share(shop: Shop, who: Account, path: str) -> str:
    """Have the owner make a link to a receipt by the form on its page; return its path."""
    assert post(shop, f"{path}/link", who).status_code == 303
    return re.findall(r"/r/[\w-]{32}", get(shop, path, who).text)[0]


def plain(page: str) -> str:
    """The words of a page, as they are read."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.fixture
def receipt(shop: Shop, shopper: Account) -> str:
    return f"/receipts/{shop.completed(shopper).public_ref}"


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    bill = Paybill(shop)
    bill.register()
    yield bill
    bill.close()


def test_a_receipt_can_be_kept_as_a_pdf_that_tells_the_same(
    shop: Shop, shopper: Account, receipt: str
) -> None:
    answer = get(shop, f"{receipt}.pdf", shopper)
    assert answer.mimetype == "application/pdf"
    number = receipt.removeprefix("/receipts/").replace("TXN", "RCP")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{number}.pdf"'
    words, page = words_of(answer.data), plain(get(shop, receipt, shopper).text)
    assert pages_of(answer.data) == 1
    for told in (number, "UKL5000001", "KES 1,500.00", "Kiondo", "Wanjiku", "0712 *** 678"):
        assert told in words
        assert told in page
    assert "712345678" not in words


def test_a_receipt_speaks_the_language_of_its_reader(
    shop: Shop, shopper: Account, receipt: str
) -> None:
    in_swahili = get(shop, f"{receipt}.pdf", shopper, **SWAHILI).data
    assert (language_of(in_swahili), language_of(get(shop, f"{receipt}.pdf", shopper).data)) == (
        "sw",
        "en",
    )
    assert "Risiti" in words_of(in_swahili)
    assert "Ksh 1,500.00" in words_of(in_swahili)
    assert "Receipt" not in words_of(in_swahili)
    page = get(shop, receipt, shopper, **SWAHILI).text
    assert '<html lang="sw">' in page
    assert "Risiti" in page


def test_an_order_paid_by_hand_in_parts_has_one_receipt_of_all_of_them(
    shop: Shop, shopper: Account, paybill: Paybill
) -> None:
    order = shop.order(shopper)
    path = f"/receipts/{order['id']}"
    assert get(shop, path, shopper).status_code == 404, "nothing has come yet"
    paybill.pay(order["reference"], 500, receipt="UKL7AB12CD")
    assert "Still to pay KES 1,000.00" in plain(get(shop, path, shopper).text)
    paybill.pay(order["reference"], 1000, receipt="UKL7AB12CE")
    assert shop.order_now(shopper, order)["status"] == "paid"
    page = plain(get(shop, path, shopper).text)
    words = words_of(get(shop, f"{path}.pdf", shopper).data)
    for told in ("UKL7AB12CD", "KES 500.00", "UKL7AB12CE", "KES 1,000.00", "KES 1,500.00"):
        assert told in page
        assert told in words
    assert "Still to pay" not in page
    assert f'href="{path}"' in get(shop, f"/orders/{order['id']}", shopper).text


def test_a_receipt_of_one_of_several_payments_leads_to_that_of_all(
    shop: Shop, shopper: Account, paybill: Paybill
) -> None:
    order = shop.order(shopper)
    paybill.pay(order["reference"], 500, receipt="UKL7AB12CD")
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id, 1000, "UKL7AB12CE")
    shop.callback(body, token=payment.callback_token)
    page = get(shop, f"/receipts/{payment.public_ref}", shopper).text
    assert "UKL7AB12CD" not in page
    assert f"/receipts/{order['id']}" in page
    whole = get(shop, f"/receipts/{order['id']}", shopper).text
    assert "UKL7AB12CD" in whole
    assert "UKL7AB12CE" in whole


def test_a_refund_stands_on_the_receipt_with_its_state_and_its_code(
    shop: Shop, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    receipt = f"/receipts/{payment.public_ref}"
    refund = shop.refund(shopper, payment, 400)
    page = plain(get(shop, receipt, shopper).text)
    assert "Money sent back" in page
    assert "Paid in the end" not in page, "what is on its way has not gone back"
    code = shop.paid_out(refund).receipt or "no code"
    for words in (
        plain(get(shop, receipt, shopper).text),
        words_of(get(shop, f"{receipt}.pdf", shopper).data).replace("\n", " "),
    ):
        assert code in words
        assert "Sent back" in words
        assert "Paid in the end KES 1,100.00" in words


@pytest.mark.parametrize("ending", ["", ".pdf"])
def test_a_receipt_is_its_owners_and_an_admins(
    shop: Shop, other_shopper: Account, admin: Account, receipt: str, ending: str
) -> None:
    """E1."""
    path = f"{receipt}{ending}"
    missing = get(shop, f"/receipts/TXN20261121193000ABC{ending}", other_shopper)
    foreign = get(shop, path, other_shopper)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert get(shop, path, admin).status_code == 200
    assert get(shop, path).status_code == 303
    for deed in ("link", "link/end"):
        assert post(shop, f"{receipt}/{deed}", other_shopper).status_code == 404


def test_a_shared_receipt_tells_neither_the_phone_nor_the_whole_name(
    shop: Shop, receipt: str, shopper: Account
) -> None:
    with shop.app.app_context(), transaction() as session:
        person = session.get_one(Person, shopper.id)
        person.name = "Wanjiku wa Kamau"
    link = share(shop, shopper, receipt)
    page, pdf = get(shop, link), get(shop, f"{link}.pdf")
    for answer in (page, pdf):
        assert answer.headers["X-Robots-Tag"].startswith("noindex")
        assert answer.headers["Cache-Control"] == "no-store"
    for words in (page.text, words_of(pdf.data)):
        for told in ("UKL5000001", "Wanjiku", receipt[-17:]):
            assert told in words
        for private in ("Kamau", "678", shopper.email, "/orders/", receipt):
            assert private not in words


def test_a_link_to_a_receipt_that_is_wrong_or_ended_is_answered_alike(
    shop: Shop, shopper: Account, receipt: str
) -> None:
    first = share(shop, shopper, receipt)
    second = share(shop, shopper, receipt)
    assert get(shop, second).status_code == 200
    assert get(shop, first).status_code == 404
    post(shop, f"{receipt}/link/end", shopper)
    edited = second[:-1] + ("A" if second[-1] != "A" else "B")
    paths = [first, second, edited, f"/r/{'A' * 32}", second.replace("/r/", "/p/")]
    for ending in ("", ".pdf"):
        dead = [get(shop, f"{path}{ending}") for path in paths]
        assert {answer.status_code for answer in dead} == {404}
        told = {re.sub(r'value="[^"]*"', "", answer.text) for answer in dead[:4]}
        assert len(told) == 1, "a wrong link and an ended one cannot be told apart"


def test_the_pdf_shows_the_way_to_the_shared_receipt(
    shop: Shop, shopper: Account, receipt: str
) -> None:
    scan = "Scan to see this receipt on the web"
    assert scan not in words_of(get(shop, f"{receipt}.pdf", shopper).data)
    share(shop, shopper, receipt)
    assert scan in words_of(get(shop, f"{receipt}.pdf", shopper).data)


def test_f1_texts_of_others_are_only_texts_on_page_and_pdf(shop: Shop, shopper: Account) -> None:
    """F1: names with marks of HTML and PDF, letters of other scripts, and pictures of faces."""
    payment = shop.completed(shopper)
    name = "<script>alert(1)</script> (Tj) \\ ñ Ж Ω 🧺"
    with shop.app.app_context(), transaction() as session:
        session.execute(update(OrderLine).values(name=name))
    path = f"/receipts/{payment.public_ref}"
    page = get(shop, path, shopper).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    words = " ".join(words_of(get(shop, f"{path}.pdf", shopper).data).split())
    assert "<script>alert(1)</script> (Tj) \\ ñ Ж Ω \N{REPLACEMENT CHARACTER}" in words


def test_a_long_order_takes_several_pages_and_loses_nothing(shop: Shop, shopper: Account) -> None:
    items = [
        {"product_id": shop.product(price=100, name=f"Kitu {number} {LONG}"), "quantity": 2}
        for number in range(40)
    ]
    answer = shop.client().post("/api/orders", json={"items": items}, headers=shopper.headers)
    order: dict[str, Any] = answer.get_json()
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id, 8_000, "UKL7AB12CD")
    shop.callback(body, token=payment.callback_token)
    pdf = get(shop, f"/receipts/{payment.public_ref}.pdf", shopper).data
    words = words_of(pdf)
    assert pages_of(pdf) > 1
    assert [number for number in range(40) if f"Kitu {number} " not in words] == []
    assert "KES 8,000.00" in words
