"""Orders: the shop's prices, goods taken once, and only one's own to see."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.extensions import db
from app.orders import service
from tests.support.app import Account, Shop, together


def place(shop: Shop, who: Account, *items: object, **more: Any) -> TestResponse:
    body = {"items": list(items)} | more
    return shop.client().post("/api/orders", json=body, headers=who.headers)


def cancel(shop: Shop, who: Account, order: dict[str, Any]) -> TestResponse:
    return shop.client().post(f"/api/orders/{order['id']}/cancel", headers=who.headers)


def test_an_order_has_the_documented_shape(shop: Shop, shopper: Account) -> None:
    product = shop.product(price=1500, stock=9, name="Kitenge")
    answer = place(shop, shopper, {"product_id": product, "quantity": 2})
    order = answer.get_json()
    assert answer.status_code == 201
    assert {
        "id", "number", "reference", "status", "total", "currency", "items",
        "payment_status", "amount_paid", "amount_due", "review", "payments",
    } <= set(order)  # fmt: skip
    assert (order["status"], order["total"], order["currency"]) == ("pending", 3000, "KES")
    assert (order["amount_paid"], order["amount_due"], order["review"]) == (0, 3000, False)
    assert len(order["reference"]) <= 12
    assert order["reference"].isalnum()


def test_the_price_is_the_shops_and_never_the_callers(shop: Shop, shopper: Account) -> None:
    """E7, D8."""
    item = {"product_id": shop.product(price=1500), "quantity": 1, "price": 1, "unit_price": 1}
    more = {"total": 1, "status": "paid", "amount_due": 0, "user_id": 1, "paid_at": "2026-01-01"}
    order = place(shop, shopper, item, **more).get_json()
    assert (order["total"], order["status"]) == (1500, "pending")


def test_a_later_price_does_not_reach_an_order(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """D8."""
    product = shop.product(price=1500)
    order = shop.order(shopper, product)
    change = {"price": 9999}
    changed = shop.client().patch(f"/api/products/{product}", json=change, headers=admin.headers)
    assert changed.status_code == 200
    shop.pay(shopper, order)
    assert shop.daraja.pushes[0]["Amount"] == 1500


def test_twenty_buyers_of_the_last_five_get_five(shop: Shop) -> None:
    product = shop.product(stock=5)
    buyers = [shop.person(f"buyer{n}") for n in range(20)]
    item = {"product_id": product, "quantity": 1}
    answers = together(20, lambda n: place(shop, buyers[n], item))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 5 + [409] * 15
    refused = next(answer.get_json() for answer in answers if answer.status_code == 409)
    assert refused["details"]["available"] == 0
    assert shop.stock(product) == 0


def test_orders_of_the_same_goods_in_opposite_order_do_not_block_each_other(shop: Shop) -> None:
    one, two = shop.product(stock=50), shop.product(stock=50)
    buyers = [shop.person(f"buyer{n}") for n in range(10)]

    def buy(number: int) -> int:
        items = [{"product_id": one, "quantity": 1}, {"product_id": two, "quantity": 1}]
        return place(shop, buyers[number], *(items if number % 2 else items[::-1])).status_code

    assert together(10, buy) == [201] * 10
    assert (shop.stock(one), shop.stock(two)) == (40, 40)


def test_an_order_that_cannot_be_filled_takes_nothing(shop: Shop, shopper: Account) -> None:
    plenty, few = shop.product(stock=9), shop.product(stock=1, name="Jiko")
    answer = place(
        shop, shopper, {"product_id": plenty, "quantity": 3}, {"product_id": few, "quantity": 2}
    )
    assert answer.status_code == 409
    assert answer.get_json()["details"] == {"product_id": few, "name": "Jiko", "available": 1}
    assert (shop.stock(plenty), shop.stock(few)) == (9, 1)


def test_one_key_makes_one_order_however_many_tabs_send_it(shop: Shop, shopper: Account) -> None:
    product = shop.product(stock=50)

    def tab(_: int) -> int:
        with shop.app.app_context():
            person = db.session.get_one(Person, shopper.id)
            return service.place_order(person, [(product, 2)], key="the-cart").id

    assert len(set(together(10, tab))) == 1
    assert shop.stock(product) == 48


def test_the_same_key_of_two_people_makes_two_orders(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    product = shop.product(stock=50)
    with shop.app.app_context():
        made = {
            service.place_order(db.session.get_one(Person, who.id), [(product, 1)], key="k").id
            for who in (shopper, other_shopper)
        }
    assert len(made) == 2


def test_a_cancelled_order_gives_its_goods_back_once(shop: Shop, shopper: Account) -> None:
    product = shop.product(stock=5)
    order = shop.order(shopper, product, quantity=3)
    answers = together(5, lambda _: cancel(shop, shopper, order))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 4
    assert shop.stock(product) == 5
    assert shop.order_now(shopper, order)["status"] == "cancelled"


def test_unlimited_goods_stay_unlimited(shop: Shop, shopper: Account) -> None:
    product = shop.product(stock=None, kind="course")
    order = shop.order(shopper, product, quantity=3)
    cancel(shop, shopper, order)
    assert shop.stock(product) is None


def test_somebody_elses_order_is_not_found_under_any_name(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """E1."""
    order = shop.order(shopper)
    for name in (order["id"], order["number"]):
        path = f"/api/orders/{name}"
        assert shop.client().get(path, headers=shopper.headers).status_code == 200
        assert shop.client().get(path, headers=admin.headers).status_code == 200
        foreign = shop.client().get(path, headers=other_shopper.headers)
        assert foreign.status_code == 404
        missing = shop.client().get("/api/orders/999999", headers=other_shopper.headers)
        assert foreign.text == missing.text, "nothing tells that it exists"
    assert cancel(shop, other_shopper, order).status_code == 404
    body = {"order_id": order["id"]}
    for method, path in (
        ("POST", "/api/payments/mpesa/query"),
        ("GET", f"/api/payments/verify/{order['id']}"),
    ):
        answer = shop.client().open(path, method=method, json=body, headers=other_shopper.headers)
        assert answer.status_code == 404


def test_a_list_holds_ones_own_orders_and_an_admins_everybodys(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    mine, theirs = shop.order(shopper), shop.order(other_shopper)

    def listed(who: Account) -> list[str]:
        body = shop.client().get("/api/orders", headers=who.headers).get_json()
        assert body["total"] == len(body["results"])
        return [order["id"] for order in body["results"]]

    assert listed(shopper) == [mine["id"]]
    assert listed(other_shopper) == [theirs["id"]]
    assert listed(admin) == [theirs["id"], mine["id"]]


def test_a_list_is_cut_into_pages(shop: Shop, shopper: Account) -> None:
    product = shop.product()
    orders = [shop.order(shopper, product)["id"] for _ in range(5)]
    path = "/api/orders?page=2&per_page=2"
    body = shop.client().get(path, headers=shopper.headers).get_json()
    assert [order["id"] for order in body["results"]] == [orders[2], orders[1]]
    assert (body["total"], body["page"]) == (5, 2)


@pytest.mark.parametrize(
    "items",
    [
        [],
        None,
        "all",
        [{}],
        [None],
        [{"product_id": "1"}],
        [{"product_id": True}],
        [{"product_id": 1.5}],
        [{"product_id": 0}],
        [{"product_id": -1}],
        [{"product_id": 2**63}],
        [{"product_id": 1, "quantity": 0}],
        [{"product_id": 1, "quantity": -1}],
        [{"product_id": 1, "quantity": 100}],
        [{"product_id": 1, "quantity": "2"}],
        [{"product_id": 1, "quantity": 60}, {"product_id": 1, "quantity": 60}],
        [{"product_id": n} for n in range(1, 52)],
    ],
    ids=lambda items: str(items)[:40],
)
def test_an_unreadable_order_is_400_and_takes_nothing(
    shop: Shop, shopper: Account, items: object
) -> None:
    product = shop.product(stock=200)
    assert product == 1
    answer = shop.client().post("/api/orders", json={"items": items}, headers=shopper.headers)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "VALIDATION_ERROR")
    assert shop.stock(product) == 200


def test_a_product_that_is_not_for_sale_is_not_found(shop: Shop, shopper: Account) -> None:
    answer = place(shop, shopper, {"product_id": 999_999, "quantity": 1})
    assert answer.status_code == 404


def add(client: FlaskClient, headers: dict[str, str], **body: Any) -> TestResponse:
    return client.post("/api/products", json={"name": "Jiko"} | body, headers=headers)


@pytest.mark.parametrize("price", [10.5, "10.50", -1, "1e3", True, None, "x", [], 10**12])
def test_a_price_is_whole_shillings(shop: Shop, admin: Account, price: object) -> None:
    """D9."""
    client = shop.client()
    answer = add(client, admin.headers, price=price)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "INVALID_AMOUNT")
    product = shop.product()
    path = f"/api/products/{product}"
    assert client.patch(path, json={"price": price}, headers=admin.headers).status_code == 400


def test_only_admins_put_goods_on_the_shelf(shop: Shop, shopper: Account, admin: Account) -> None:
    """E2."""
    client = shop.client()
    assert add(client, {}, price=100).status_code == 401
    assert add(client, shopper.headers, price=100).status_code == 403
    made = add(client, admin.headers, price="1200.00", stock=3, kind="goods")
    assert made.status_code == 201
    assert made.get_json()["price"] == 1200
    path = f"/api/products/{made.get_json()['id']}"
    assert client.patch(path, json={"stock": 9}, headers=shopper.headers).status_code == 403
    assert client.patch(path, json={"stock": 9}, headers=admin.headers).get_json()["stock"] == 9
    assert (
        client.patch(path, json={"stock": None}, headers=admin.headers).get_json()["stock"] is None
    )
    listed = client.get("/api/products").get_json()
    assert {"results", "total", "page"} <= set(listed)
    assert {"id", "name", "kind", "price", "currency", "stock"} <= set(listed["results"][0])


@pytest.mark.parametrize(
    "changes",
    [{"name": None}, {"description": None}, {"name": ""}, {"stock": -1}, {"stock": 1.5}],
    ids=str,
)
def test_a_product_cannot_be_changed_into_none(
    shop: Shop, admin: Account, changes: dict[str, Any]
) -> None:
    path = f"/api/products/{shop.product()}"
    answer = shop.client().patch(path, json=changes, headers=admin.headers)
    assert answer.status_code == 400, answer.text
