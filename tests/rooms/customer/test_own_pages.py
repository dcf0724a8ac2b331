"""One's own pages: details, numbers, payments and courses, each of nobody but oneself."""

from __future__ import annotations

import pytest
from flask_babel import force_locale, gettext

from app.customer import listing
from app.payments import methods
from tests.rooms.admin.desk import Desk
from tests.support.app import Account, Shop
from tests.support.daraja import paid

OWN = ("", "/security", "/numbers", "/payments", "/courses", "/data", "/erase")


@pytest.fixture
def desk(shop: Shop, shopper: Account) -> Desk:
    return Desk(shop, shopper)


def kept(desk: Desk) -> list[str]:
    """Return the addresses below which the kept numbers are changed."""
    page = desk.read("/account/numbers")
    return sorted({part.rpartition("/")[0] for part in page.split('"') if "/remove" in part})


@pytest.mark.parametrize("path", OWN)
def test_each_page_speaks_swahili_to_whoever_asks_for_it(shop: Shop, desk: Desk, path: str) -> None:
    english = desk.read(f"/account{path}")
    asked = {"Accept": "text/html", "Accept-Language": "sw-KE,sw;q=0.9"}
    swahili = desk.browser.get(f"/account{path}", headers=asked).text
    assert '<html lang="sw">' in swahili
    with shop.app.test_request_context(), force_locale("sw"):
        assert gettext("M-Pesa numbers") in swahili
    assert "M-Pesa numbers" in english
    assert "M-Pesa numbers" not in swahili


def test_a_name_and_a_phone_are_changed(shop: Shop, shopper: Account, desk: Desk) -> None:
    form = {"name": "  Wanjiku   wa Kamau ", "phone": "0722 000 919"}
    page = desk.told("/account/details", **form)
    assert "Your details are changed" in page
    me = shop.client().get("/api/auth/me", headers=shopper.headers).get_json()
    assert (me["name"], me["phone"]) == ("Wanjiku wa Kamau", "254722000919")
    desk.told("/account/details", name="Wanjiku", phone="")
    assert shop.client().get("/api/auth/me", headers=shopper.headers).get_json()["phone"] is None


@pytest.mark.parametrize(("name", "phone"), [("", "0712345678"), ("W" * 121, ""), ("W", "12")])
def test_details_that_cannot_be_are_refused_where_they_stand(
    shop: Shop, shopper: Account, desk: Desk, name: str, phone: str
) -> None:
    answer = desk.send("/account/details", name=name, phone=phone)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert f'value="{phone}"' in answer.text
    me = shop.client().get("/api/auth/me", headers=shopper.headers).get_json()
    assert (me["name"], me["phone"]) == ("Wanjiku", None)


def test_numbers_are_kept_masked_and_one_is_the_usual_one(desk: Desk) -> None:
    desk.sent("/account/numbers", phone="0712 345 678", default="yes")
    page = desk.told("/account/numbers", phone="0722000919")
    assert "0712 *** 678" in page
    assert "345 678</strong>" not in page
    assert "254712345678" not in page
    assert page.index("0712 ***") < page.index("0722 ***")
    second = kept(desk)[1]
    page = desk.told(f"{second}/default")
    assert page.index("0722 ***") < page.index("0712 ***")
    assert page.count("the usual one</span>") == 1
    assert "0722" not in desk.told(f"{second}/remove")


def test_nobody_touches_another_person_s_number(
    shop: Shop, desk: Desk, other_shopper: Account
) -> None:
    """E1."""
    desk.sent("/account/numbers", phone="0712345678", default="yes")
    [mine] = kept(desk)
    other = Desk(shop, other_shopper)
    assert kept(other) == []
    for deed in ("default", "remove"):
        assert other.send(f"{mine}/{deed}").status_code == 404
    assert kept(desk) == [mine]


def test_a_number_too_many_or_none_at_all_is_refused_in_words(desk: Desk) -> None:
    wrong = desk.send("/account/numbers", phone="12345")
    assert wrong.status_code == 400
    assert "not a Kenyan mobile number" in wrong.text
    for number in range(methods.MOST_METHODS):
        desk.sent("/account/numbers", phone=f"07120000{number:02d}")
    full = desk.send("/account/numbers", phone="0722000919")
    assert full.status_code == 409
    assert "Remove one" in full.text
    assert len(kept(desk)) == methods.MOST_METHODS


def test_one_s_payments_are_listed_page_by_page_with_state_and_receipt(
    shop: Shop, shopper: Account, other_shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    mine = [shop.completed(shopper, price=price) for price in (100, 200, 300)]
    shop.completed(other_shopper, price=777)
    desk = Desk(shop, shopper)
    first = desk.read("/account/payments")
    assert first.index("KES 300") < first.index("KES 200")
    assert "KES 100" not in first
    assert "KES 777" not in first
    assert f"/receipts/{mine[2].public_ref}" in first
    [older] = [part for part in first.split('"') if part.startswith("/account/payments?before=")]
    second = desk.read(older)
    assert "KES 100" in second
    assert "KES 200" not in second
    assert 'rel="next"' not in second
    assert "There are no payments" in desk.read("/account/payments?before=1")
    assert desk.open(f"/account/payments?before={'9' * 40}").status_code == 200


def test_a_payment_that_did_not_come_says_why(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": payment.merchant_request_id,
                "CheckoutRequestID": payment.checkout_request_id,
                "ResultCode": 1032,
                "ResultDesc": "Request cancelled by user",
            }
        }
    }
    shop.callback(body, token=payment.callback_token)
    page = Desk(shop, shopper).read("/account/payments")
    assert "You cancelled the payment" in page
    assert "/receipts/" not in page


def test_a_paid_course_is_listed_with_its_day_and_its_order(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    course = shop.product(price=900, kind="course", name="Beekeeping")
    payment = shop.prompted(shopper, shop.order(shopper, course))
    assert "no courses yet" in Desk(shop, shopper).read("/account/courses")
    body = paid(payment.checkout_request_id, 900, "UKL5COURSE")
    shop.callback(body, token=payment.callback_token)
    desk = Desk(shop, shopper)
    page = desk.read("/account/courses")
    assert "Beekeeping" in page
    assert "Yours since" in page
    [receipt] = [part for part in page.split('"') if part.startswith("/receipts/")]
    assert "UKL5COURSE" in desk.read(receipt)
    assert receipt.replace("receipts", "orders") in page
    assert "no courses yet" in Desk(shop, other_shopper).read("/account/courses")
