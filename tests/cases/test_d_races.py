"""D1, D3, D8 and D9: two of everything, changed prices, and money that is no whole shilling."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from sqlalchemy.exc import IntegrityError

from app.core.money import whole_shillings
from app.core.unit_of_work import transaction
from app.orders.models import Product
from tests.cases.books import everything, steps_offered
from tests.cases.people import browser, decide, press_pay
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, paid, unpaid

#: How two tabs may ask: by the API, or by the form of the order's page.
TABS = {"programs": ("api", "api"), "pages": ("page", "page"), "one of each": ("api", "page")}
FRACTIONS = [10.5, "10.50", 1500.01, "1499.999", 0.001, "1500.0000001", 1e-7]


def prompt_of(shop: Shop, who: Account, order: dict[str, Any], tab: str, phone: str) -> str:
    """Press Pay in one tab; return the name of the attempt that the tab is told of."""
    if tab == "page":
        answer = press_pay(shop, who, order)
    else:
        answer = shop.pay(who, order, phone_number=phone)
    assert answer.status_code == 200, answer.text
    name: str = answer.get_json()["data"]["transaction_id"]
    return name


@pytest.mark.parametrize("tabs", TABS.values(), ids=TABS)
@mock.patch("app.payments.initiate.FOLLOWER_WAIT_SECONDS", 20.0)
def test_d1_two_tabs_that_press_pay_at_once_get_one_prompt(
    shop: Shop, shopper: Account, daraja: FakeDaraja, tabs: tuple[str, str]
) -> None:
    # On a busy machine an answer may take its time; here neither tab must give it up.
    shop.set(mpesa_timeout_seconds=20)
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=0.1)
    for pressed in range(1, 6):
        order = shop.order(shopper)

        def press(number: int, order: dict[str, Any] = order) -> str:
            phone = shop.number_for((order["id"], number))
            return prompt_of(shop, shopper, order, tabs[number], phone)

        told = together(2, press)
        [attempt] = shop.payments(order)
        assert told == [attempt.public_ref] * 2
        assert attempt.status == "pending"
        assert len(daraja.pushes) == pressed


def test_d3_when_the_cancelled_prompt_is_paid_beside_its_retry_both_moneys_are_known(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    first = shop.prompted(shopper, order)
    shop.callback(unpaid(first.checkout_request_id), token=first.callback_token)
    retry = shop.prompted(shopper, order)
    for payment, receipt in ((retry, "UKL4RETRY0"), (first, "UKL40FIRST")):
        body = paid(payment.checkout_request_id, receipt=receipt)
        shop.callback(body, token=payment.callback_token)
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["amount_due"]) == ("paid", 3000, 0)
    told = {attempt["receipt"]: attempt["reason"] for attempt in now["payments"]}
    assert told == {"UKL4RETRY0": None, "UKL40FIRST": "second"}
    assert steps_offered(shop) == {"second_money": ["set_aside"]}
    assert "The order was paid twice" in browser(shop, admin).get("/admin").text
    [question] = shop.questions()
    decide(shop, admin, "set_aside", question.subject_id)
    assert {credit.receipt: credit.decision for credit in shop.credits()} == {
        "UKL4RETRY0": None,
        "UKL40FIRST": "set_aside",
    }
    assert shop.questions() == []


def test_d3_a_retry_and_a_first_prompt_paid_at_once_pay_the_order_once(
    shop: Shop, shopper: Account
) -> None:
    for number in range(5):
        order = shop.order(shopper)
        first = shop.prompted(shopper, order)
        shop.callback(unpaid(first.checkout_request_id), token=first.callback_token)
        both = [first, shop.prompted(shopper, order)]

        def pay(which: int, both: list[Any] = both, number: int = number) -> int:
            payment, receipt = both[which], f"UKL4AT{number}N{which}"
            body = paid(payment.checkout_request_id, receipt=receipt)
            return shop.callback(body, token=payment.callback_token).status_code

        assert together(2, pay) == [200, 200]
        now = shop.order_now(shopper, order)
        assert (now["status"], now["amount_paid"]) == ("paid", 3000)
        mine = [c.standing for c in shop.credits() if c.order_id == order["number"]]
        assert sorted(mine) == ["exact", "second"]


def change_price(shop: Shop, admin: Account, product: int, price: object) -> int:
    answer = shop.client().patch(
        f"/api/products/{product}", json={"price": price}, headers=admin.headers
    )
    return answer.status_code


@pytest.mark.parametrize("price", [1, 999_999])
def test_d8_a_price_that_changes_reaches_neither_order_nor_attempt(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja, price: int
) -> None:
    product = shop.product(price=1500)
    order = shop.order(shopper, product, quantity=2)
    assert change_price(shop, admin, product, price) == 200
    first = shop.prompted(shopper, order)
    assert change_price(shop, admin, product, price + 1) == 200
    shop.callback(unpaid(first.checkout_request_id), token=first.callback_token)
    retry = shop.prompted(shopper, order)
    assert [push["Amount"] for push in daraja.pushes] == [3000, 3000]
    body = paid(retry.checkout_request_id, amount=3000)
    shop.callback(body, token=retry.callback_token)
    now = shop.order_now(shopper, order)
    assert (now["status"], now["total"], now["amount_paid"]) == ("paid", 3000, 3000)
    assert now["items"][0]["unit_price"] == 1500
    assert shop.questions() == []


def test_d8_a_quantity_that_changes_in_the_cart_reaches_no_order(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    product = shop.product(price=1500)
    tab = browser(shop, shopper)
    item = {"product_id": product, "quantity": 2}
    tab.post("/cart/add", data=item)
    key = tab.get("/checkout").text.partition('name="cart_key" value="')[2].partition('"')[0]
    form = {"phone_number": "0712345678", "cart_key": key}
    accept = {"Accept": "application/json"}
    placed = tab.post("/checkout", data=form, headers=accept).get_json()["data"]
    tab.post("/cart/add", data=item)
    tab.post("/cart/update", data=item | {"quantity": 9})
    again = tab.post("/checkout", data=form, headers=accept).get_json()["data"]
    assert again["transaction_id"] == placed["transaction_id"]
    assert [push["Amount"] for push in daraja.pushes] == [3000]
    path = f"/api/orders/{placed['order_id']}"
    changes = {"items": [item | {"quantity": 9}], "total": 1}
    for method in ("PUT", "PATCH", "POST"):
        refused = shop.client().open(path, method=method, json=changes, headers=shopper.headers)
        assert refused.status_code == 405
    assert shop.client().get(path, headers=shopper.headers).get_json()["total"] == 3000


@pytest.mark.parametrize("stated", [1, 1499, 1501, "15", 150_000, 999_999_999])
def test_d8_the_amount_is_the_shops_whatever_a_caller_states(
    shop: Shop, shopper: Account, daraja: FakeDaraja, stated: object
) -> None:
    order = shop.order(shopper)
    answer = shop.pay(shopper, order, amount=stated)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "AMOUNT_MISMATCH")
    assert (daraja.pushes, shop.payments(order)) == ([], [])
    payment = shop.prompted(shopper, order)
    shop.pay(shopper, order, amount=stated)
    assert [push["Amount"] for push in daraja.pushes] == [1500]
    assert shop.fresh(payment).amount_cents == 150_000


def test_d8_a_price_that_a_caller_sends_with_an_order_is_nobodys(
    shop: Shop, shopper: Account
) -> None:
    item = {"product_id": shop.product(price=1500), "quantity": 2, "price": 1, "unit_price": 1}
    body = {"items": [item], "total": 1, "amount": 1, "status": "paid", "amount_paid": 3000}
    answer = shop.client().post("/api/orders", json=body, headers=shopper.headers)
    order = answer.get_json()
    assert (order["total"], order["status"], order["amount_paid"]) == (3000, "pending", 0)


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_d9_a_fraction_of_a_shilling_is_refused_where_it_enters(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja, fraction: object
) -> None:
    product = shop.product(price=1500)
    order = shop.order(shopper, product)
    before = everything(shop)
    new = {"name": "Kikoi", "kind": "goods", "price": fraction}
    answers = [
        shop.pay(shopper, order, amount=fraction),
        shop.client().post("/api/products", json=new, headers=admin.headers),
        shop.client().patch(
            f"/api/products/{product}", json={"price": fraction}, headers=admin.headers
        ),
    ]
    told = [(answer.status_code, answer.get_json()["code"]) for answer in answers]
    assert told == [(400, "INVALID_AMOUNT")] * 3
    assert everything(shop) == before
    assert daraja.pushes == []


def test_d9_no_other_road_leads_a_fraction_into_the_books_or_to_daraja(shop: Shop) -> None:
    with shop.app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.add(Product(slug="half", name="Half", price_cents=1050))
    with pytest.raises(ValueError, match="not whole shillings"):
        whole_shillings(1050)


@pytest.mark.parametrize(("written", "cents"), [("1499.50", 149_950), ("1000.50", 100_050)])
def test_d9_a_fraction_that_moved_is_booked_to_the_cent_and_its_rest_cannot_be_prompted_for(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja, written: str, cents: int
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = json.dumps(paid(payment.checkout_request_id, amount=987654)).encode()
    shop.callback(body.replace(b"987654", written.encode()), token=payment.callback_token)
    [credit] = shop.credits()
    assert (credit.amount_cents, credit.standing) == (cents, "short")
    decide(shop, admin, "ask_for_rest", credit.id)
    assert shop.order_now(shopper, order)["amount_due"] == (150_000 - cents) / 100
    answer = shop.pay(shopper, order)
    assert answer.status_code in (400, 409), answer.text
    assert len(daraja.pushes) == 1, "nothing is rounded into a prompt"
