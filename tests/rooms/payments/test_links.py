"""The pay-later link: whoever has it can pay one order, and can do nothing else with it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import segno
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.monitoring.redaction import redact
from app.payments.link_models import OrderQr, SharedLink
from tests.support.app import PHONE, Account, Shop, later, together
from tests.support.daraja import json_answer, paid, unpaid
from tests.support.paybill import Paybill

SAME = {"Origin": "http://localhost", "Accept": "text/html"}
JSON = {"Origin": "http://localhost", "Accept": "application/json"}
QR_PATH = "/mpesa/qrcode/v1/generate"


def make(shop: Shop, who: Account, order: dict[str, Any]) -> str:
    """Have the owner make a link by the form of their page; return its path."""
    path = f"/orders/{order['id']}"
    answer = shop.client().post(f"{path}/link", headers=who.headers | SAME)
    assert answer.status_code == 303
    page = shop.client().get(path, headers=who.headers | SAME)
    return re.findall(r"/p/[\w-]{32}", page.text)[0]


def pay(shop: Shop, link: str, phone: str = PHONE, **headers: str) -> TestResponse:
    return shop.client().post(f"{link}/pay", data={"phone_number": phone}, headers=SAME | headers)


def cancelled(shop: Shop, order: dict[str, Any]) -> None:
    """Have the payer cancel the order's prompt."""
    payment = shop.payment(order)
    shop.callback(unpaid(payment.checkout_request_id, 1032), token=payment.callback_token)
    assert shop.payment(order).status == "cancelled"


def png(words: str = "paybill") -> bytes:
    target = io.BytesIO()
    segno.make_qr(words).save(target, kind="png", scale=4)
    return target.getvalue()


class Pictures:
    """A Daraja that draws QR codes, or what a test puts in their place."""

    def __init__(self, shop: Shop) -> None:
        self.asked: list[dict[str, Any]] = []
        self.body: dict[str, Any] = {
            "ResponseCode": "00",
            "RequestID": "16738-27456357-1",
            "ResponseDescription": "QR Code Successfully Generated.",
            "QRCode": base64.b64encode(png()).decode(),
        }
        self.status = 200
        self._others = shop.daraja.answer
        shop.daraja.answer = self._answer  # type: ignore[method-assign]

    def _answer(self, asked: Any) -> Any:
        if asked.path != QR_PATH:
            return self._others(asked)
        self.asked.append(asked.body)
        return json_answer(json.loads(json.dumps(self.body)), self.status)


@pytest.fixture
def pictures(shop: Shop) -> Iterator[Pictures]:
    paybill = Paybill(shop)
    paybill.register()
    yield Pictures(shop)
    paybill.close()


@pytest.fixture
def order(shop: Shop, shopper: Account) -> dict[str, Any]:
    return shop.order(shopper, shop.product(name="Kiondo <b>big</b>"))


@pytest.fixture
def link(shop: Shop, shopper: Account, order: dict[str, Any]) -> str:
    return make(shop, shopper, order)


def test_a_stranger_pays_an_order_by_its_link(shop: Shop, link: str, order: dict[str, Any]) -> None:
    page = shop.client().get(link, headers=SAME)
    assert page.status_code == 200
    for told in (f"order #{order['number']}", "Kiondo &lt;b&gt;big&lt;/b&gt;", "KES 1,500"):
        assert told in page.text
    assert pay(shop, link).location == link
    payment = shop.payment(order)
    assert payment.phone == "254712345678"
    assert shop.timeline(payment)[0].actor.startswith("link ")
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    page = shop.client().get(link, headers=SAME)
    assert "UKL4XX00XX" in page.text
    assert "Send the prompt" not in page.text
    assert "/receipts/" not in page.text


def test_the_page_of_a_link_tells_nothing_of_its_owner(
    shop: Shop, shopper: Account, link: str, order: dict[str, Any]
) -> None:
    shop.pay(shopper, order, phone_number="0733111222")
    for answer in (
        shop.client().get(link, headers=SAME),
        shop.client().get(f"{link}/state", headers=JSON),
    ):
        for private in ("Wanjiku", shopper.email, "733111222", f"/orders/{order['id']}", "/link"):
            assert private not in answer.text
        assert answer.headers["X-Robots-Tag"].startswith("noindex")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")


@pytest.mark.parametrize("code", [1, 1032, 2001])
def test_how_the_owners_own_prompt_came_to_nothing_is_told_by_no_link(
    shop: Shop, shopper: Account, order: dict[str, Any], link: str, code: int
) -> None:
    shop.pay(shopper, order)
    payment = shop.payment(order)
    shop.callback(unpaid(payment.checkout_request_id, code), token=payment.callback_token)
    told = shop.client().get(f"{link}/state", headers=JSON).get_json()["data"]
    assert (told["state"], told["can_pay"]) == ("unpaid", True)
    assert "Not paid yet" in shop.client().get(link, headers=SAME).text


def test_whoever_has_the_link_is_told_how_their_own_prompt_ended(
    shop: Shop, order: dict[str, Any], link: str
) -> None:
    pay(shop, link)
    cancelled(shop, order)
    told = shop.client().get(f"{link}/state", headers=JSON).get_json()["data"]
    assert told["state"] == "cancelled"


def test_the_state_speaks_the_readers_language(shop: Shop, link: str) -> None:
    told = shop.client().get(f"{link}/state", headers=JSON).get_json()["data"]
    assert (told["state"], told["can_pay"], told["order_url"]) == ("unpaid", True, link)
    swahili = JSON | {"Accept-Language": "sw"}
    in_swahili = shop.client().get(f"{link}/state", headers=swahili).get_json()["data"]
    assert in_swahili["title"] != told["title"]


def test_a_link_that_is_wrong_ended_or_replaced_is_answered_alike(
    shop: Shop, shopper: Account, link: str, order: dict[str, Any]
) -> None:
    second = make(shop, shopper, order)
    shop.client().post(f"/orders/{order['id']}/link/end", headers=shopper.headers | SAME)
    last = make(shop, shopper, order)
    assert len({link, second, last}) == 3
    assert shop.client().get(last, headers=SAME).status_code == 200
    edited = last[:-1] + ("A" if last[-1] != "A" else "B")
    wrong = [link, second, edited, "/p/x", f"/p/{'A' * 32}", last.replace("/p/", "/r/")]
    dead = [shop.client().get(path, headers=SAME) for path in wrong]
    assert {answer.status_code for answer in dead} == {404}
    bodies = {re.sub(r'value="[^"]*"', "", answer.text) for answer in dead[:-1]}
    assert len(bodies) == 1, "a wrong link and an ended one cannot be told apart"
    assert pay(shop, second).status_code == 404
    assert shop.payments(order) == []


def test_only_the_owner_makes_and_ends_a_link(
    shop: Shop, other_shopper: Account, link: str, order: dict[str, Any]
) -> None:
    for path in (f"/orders/{order['id']}/link", f"/orders/{order['id']}/link/end"):
        answer = shop.client().post(path, headers=other_shopper.headers | SAME)
        assert answer.status_code == 404
    assert shop.client().get(link, headers=SAME).status_code == 200


def test_of_links_made_at_once_one_is_open(
    shop: Shop, shopper: Account, order: dict[str, Any]
) -> None:
    path, headers = f"/orders/{order['id']}/link", shopper.headers | SAME
    answers = together(4, lambda _: shop.client().post(path, headers=headers).status_code)
    assert answers == [303] * 4
    with shop.app.app_context():
        rows = list(db.session.scalars(select(SharedLink)))
    assert [row.ended_at is None for row in rows].count(True) == 1


def test_the_database_does_not_hold_the_link_and_no_log_does(shop: Shop, link: str) -> None:
    token = link.removeprefix("/p/")
    with shop.app.app_context():
        row = db.session.scalars(select(SharedLink)).one()
    assert token not in (row.seed, row.digest)
    assert token not in redact(f"GET {link} 200 and POST {link}/pay and /r/{token}.pdf")


def test_a_link_to_a_closed_order_says_so_and_sends_nothing(
    shop: Shop, shopper: Account, link: str, order: dict[str, Any]
) -> None:
    shop.client().post(f"/orders/{order['id']}/cancel", headers=shopper.headers | SAME)
    page = shop.client().get(link, headers=SAME)
    assert page.status_code == 200
    assert "Order cancelled" in page.text
    assert pay(shop, link).status_code == 303
    assert shop.payments(order) == []
    again = shop.client().post(f"/orders/{order['id']}/link", headers=shopper.headers | SAME)
    assert again.status_code == 303
    page = shop.client().get(f"/orders/{order['id']}", headers=shopper.headers | SAME)
    assert "/p/" not in page.text


def test_a_number_that_cannot_be_right_is_told_on_the_page(
    shop: Shop, link: str, order: dict[str, Any]
) -> None:
    answer = pay(shop, link, "12")
    assert answer.status_code == 400
    assert "not a Kenyan mobile number" in answer.text
    told = pay(shop, link, "12", Accept="application/json").get_json()
    assert (told["details"]["field"], told["details"]["order_url"]) == ("phone_number", link)
    assert shop.payments(order) == []


def test_a_link_cannot_be_used_to_pester_a_phone(
    shop: Shop, shopper: Account, link: str, order: dict[str, Any]
) -> None:
    for _ in range(3):
        assert pay(shop, link).status_code == 303
        cancelled(shop, order)
    refused = pay(shop, link, Accept="application/json")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "3600"
    # Nor by a link to another order, while its owner asks as before.
    other = make(shop, shopper, shop.order(shopper))
    assert pay(shop, other, Accept="application/json").status_code == 429
    assert shop.pay(shopper, order).status_code == 200
    cancelled(shop, order)
    for number in range(3):
        assert pay(shop, link, f"072200011{number}").status_code == 303
        cancelled(shop, order)
    assert pay(shop, link, "0722000119", Accept="application/json").status_code == 429
    page = shop.client().post(f"{link}/pay", data={"phone_number": "0722000119"}, headers=SAME)
    assert page.status_code == 303
    with later(3601):
        assert shop.client().get(link, headers=SAME).status_code == 200


def test_whoever_has_the_link_stops_the_prompt_that_would_come_again(
    shop: Shop, shopper: Account, link: str, order: dict[str, Any]
) -> None:
    shop.set(ask_again_seconds=30)
    form = {"phone_number": PHONE}
    shop.client().post(f"/orders/{order['id']}/pay", data=form, headers=shopper.headers | SAME)
    payment = shop.payment(order)
    locked = unpaid(payment.checkout_request_id, 1001, "Unable to lock subscriber")
    shop.callback(locked, token=payment.callback_token)
    planned = shop.client().get(f"{link}/state", headers=JSON).get_json()["data"]
    assert planned["again_seconds"] > 0
    stopped = shop.client().post(f"{link}/stop-asking", headers=JSON).get_json()["data"]
    assert (stopped["again_seconds"], stopped["order_url"]) == (None, link)
    assert shop.timeline(payment)[-1].actor.startswith("link ")


def test_whoever_has_the_link_says_that_they_have_paid(
    shop: Shop, shopper: Account, pictures: Pictures, link: str, order: dict[str, Any]
) -> None:
    form = {"message": "UKL7AB12CD"}
    answer = shop.client().post(f"{link}/claim", data=form, headers=SAME)
    assert (answer.status_code, answer.location.partition("#")[0]) == (303, link)
    assert "UKL7AB12CD" in shop.client().get(link, headers=SAME).text
    path = f"/orders/{order['id']}"
    assert "UKL7AB12CD" in shop.client().get(path, headers=shopper.headers | SAME).text


# By hand, with M-Pesa's picture.


def test_the_qr_code_is_drawn_once_for_an_amount_and_kept(
    shop: Shop, shopper: Account, pictures: Pictures, link: str, order: dict[str, Any]
) -> None:
    owners = f"/orders/{order['id']}/qr.png"
    page = shop.client().get(f"/orders/{order['id']}", headers=shopper.headers | SAME).text
    assert owners in page
    first = shop.client().get(owners, headers=shopper.headers)
    assert (first.status_code, first.mimetype, first.data) == (200, "image/png", png())
    assert shop.client().get(f"{link}/qr.png").data == png()
    (asked,) = pictures.asked
    with shop.app.app_context():
        reference = db.session.scalars(select(SharedLink)).one().order.reference
    assert asked["RefNo"] == reference
    assert (asked["Amount"], asked["TrxCode"], asked["CPI"]) == (1500, "PB", "174379")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"requestId": "1", "errorCode": "500.003.1001", "errorMessage": "No"}),
        (200, {"ResponseCode": "00", "QRCode": "not base64!"}),
        (200, {"ResponseCode": "00", "QRCode": base64.b64encode(b"<svg>").decode()}),
        (200, {"ResponseCode": "00"}),
    ],
)
def test_without_a_qr_code_the_page_is_whole_and_m_pesa_is_not_asked_again_at_once(
    shop: Shop, pictures: Pictures, link: str, status: int, body: dict[str, Any]
) -> None:
    good, pictures.body, pictures.status = pictures.body, body, status
    assert "qr.png" in shop.client().get(link, headers=SAME).text
    for _ in range(3):
        assert shop.client().get(f"{link}/qr.png").status_code == 404
    assert len(pictures.asked) == 1
    page = shop.client().get(link, headers=SAME).text
    assert "qr.png" not in page
    assert "174379" in page
    pictures.body, pictures.status = good, 200
    with later(601):
        assert shop.client().get(f"{link}/qr.png").data == png()


def test_of_many_who_look_at_once_one_has_the_picture_drawn(
    shop: Shop, pictures: Pictures, link: str
) -> None:
    answers = together(4, lambda _: shop.client().get(f"{link}/qr.png").status_code)
    assert set(answers) <= {200, 404}
    assert 200 in answers
    assert len(pictures.asked) == 1
    with shop.app.app_context():
        assert len(list(db.session.scalars(select(OrderQr)))) == 1


def test_an_order_that_cannot_be_paid_by_hand_has_no_qr_code(shop: Shop, link: str) -> None:
    assert shop.client().get(f"{link}/qr.png").status_code == 404
    assert "qr.png" not in shop.client().get(link, headers=SAME).text
