"""The pages about products: made, changed, retired, and never in silence over a sale."""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.accounts.roles import Role
from app.orders.models import Product
from tests.rooms.admin.desk import Desk, flashed, hidden, problems, section
from tests.rooms.admin.shelves import KIONDO, ROOM, count, deeds, form_of, product_now
from tests.support.app import Account, Shop, together
from tests.support.staff import staff

EDITED = "Somebody else has changed this product since you opened it"


def test_a_product_is_put_on_the_shelf_and_written_down(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    path = desk.sent(ROOM, **KIONDO)
    product = product_now(shop, int(path.rpartition("/")[2]))
    assert (product.name, product.price_cents, product.stock) == ("Kiondo", 150_000, 5)
    assert re.fullmatch(r"kiondo-[0-9a-f]{6}", product.slug)
    assert "Kiondo" in desk.read("/")
    [(actor, action, detail)] = deeds(shop, f"product {product.id}")
    assert (actor, action) == (admin.email, "product.created")
    assert (detail["price"], detail["stock"]) == ("KES 1,500", "5")
    assert admin.email in section(desk.read(path), "deeds-heading")


def test_d4_a_double_click_puts_one_product_on_the_shelf(shop: Shop, desk: Desk) -> None:
    """D4."""
    key = hidden(desk.read(f"{ROOM}/new"), "form_key")
    form = KIONDO | {"form_key": key}
    refused = desk.send(ROOM, **form | {"price": "x"})
    assert hidden(refused.text, "form_key") == key
    paths = together(3, lambda _: Desk(shop, desk.who).sent(ROOM, **form))
    assert (len(set(paths)), count(shop, Product)) == (1, 1)
    assert len(deeds(shop, f"product {paths[0].rpartition('/')[2]}")) == 1
    desk.sent(ROOM, **KIONDO | {"form_key": hidden(desk.read(f"{ROOM}/new"), "form_key")})
    assert count(shop, Product) == 2


def test_a_blank_stock_is_always_enough(shop: Shop, desk: Desk) -> None:
    path = desk.sent(ROOM, **KIONDO | {"stock": " ", "kind": "course"})
    product = product_now(shop, int(path.rpartition("/")[2]))
    assert (product.stock, product.kind) == (None, "course")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "   "),
        ("name", "n" * 121),
        ("kind", "service"),
        ("price", "10.50"),
        ("price", "-1"),
        ("price", "1e3"),
        ("price", ""),
        ("price", "=1+1"),
        ("stock", "-1"),
        ("stock", "1.5"),
        ("stock", "1000001"),
        ("stock", "²"),
        ("description", "d" * 2001),
    ],
)
def test_what_the_api_refuses_the_form_refuses_at_its_field(
    shop: Shop, desk: Desk, admin: Account, field: str, typed: str
) -> None:
    answer = desk.send(
        ROOM, **KIONDO | {field: typed, "name": typed if field == "name" else "Jiko"}
    )
    assert answer.status_code == 400
    page = unescape(answer.text)
    assert len(problems(page)) == 2
    assert f'id="{field}-problem"' in page
    if field == "description":
        assert f">{typed}</textarea>" in page
    elif field != "kind":
        assert f'value="{typed}"' in page
    assert field == "name" or 'value="Jiko"' in page
    sent: dict[str, object] = {"name": "Jiko", "price": 1500, "stock": 5, field: typed}
    told = shop.client().post("/api/products", json=sent, headers=admin.headers)
    assert told.status_code == 400
    assert count(shop, Product) == 0


def test_a_nul_is_refused_in_words(shop: Shop, desk: Desk) -> None:
    answer = desk.send(ROOM, **KIONDO | {"name": "Ki\x00ondo"})
    assert answer.status_code == 400
    assert "NUL" in answer.text
    assert count(shop, Product) == 0


def test_a_name_that_is_a_formula_or_a_script_is_a_name(shop: Shop, desk: Desk) -> None:
    for name in ('=HYPERLINK("http://x")', "<script>alert(1)</script>", "{{ 7 * 7 }}"):
        path = desk.sent(ROOM, **KIONDO | {"name": name})
        page = desk.open(path).text
        assert name in unescape(page)
        assert "<script>alert" not in page
        assert ">49<" not in page


def test_an_edit_does_not_undo_a_sale_in_between(shop: Shop, desk: Desk, shopper: Account) -> None:
    path = desk.sent(ROOM, **KIONDO)
    product_id = int(path.rpartition("/")[2])
    opened = form_of(desk, path, price="1600")
    shop.order(shopper, product_id)
    desk.sent(path, **opened)
    assert (product_now(shop, product_id).price_cents, shop.stock(product_id)) == (160_000, 4)

    opened = form_of(desk, path, stock="9", name="Big kiondo")
    shop.order(shopper, product_id)
    refused = desk.send(path, **opened)
    assert refused.status_code == 409
    page = unescape(refused.text)
    told = "The stock was 4 when you opened this, and is 3 now, so nothing was stored."
    assert told in problems(page)[0]
    assert 'name="stock" value="9"' in page
    assert 'name="name" value="Big kiondo"' in page
    assert (product_now(shop, product_id).name, shop.stock(product_id)) == ("Kiondo", 3)
    # What stands now came with the refusal, so the same form sent once more is an answer to it.
    desk.sent(path, **opened | {"stock_was": "3"})
    assert (product_now(shop, product_id).name, shop.stock(product_id)) == ("Big kiondo", 9)


def test_the_second_of_two_tabs_is_told_and_sees_both(
    shop: Shop, desk: Desk, other_desk: Desk, admin: Account
) -> None:
    path = desk.sent(ROOM, **KIONDO)
    product_id = int(path.rpartition("/")[2])
    mine, theirs = form_of(desk, path, price="1700"), form_of(other_desk, path, price="1800")
    other_desk.sent(path, **theirs)
    refused = desk.send(path, **mine)
    assert refused.status_code == 409
    page = unescape(refused.text)
    assert EDITED in problems(page)[0]
    assert 'name="price" value="1700"' in page
    assert "Now: 1800" in page
    assert "baraka@example.com" in section(page, "deeds-heading")
    assert product_now(shop, product_id).price_cents == 180_000
    desk.sent(path, **form_of(desk, path, price="1700"))
    changes = [detail for _, action, detail in deeds(shop, f"product {product_id}")][1:]
    assert [(change["price_was"], change["price"]) for change in changes] == [
        ("KES 1,500", "KES 1,800"),
        ("KES 1,800", "KES 1,700"),
    ]


def test_of_edits_at_the_same_moment_one_is_stored(shop: Shop, desk: Desk) -> None:
    path = desk.sent(ROOM, **KIONDO)
    opened = form_of(desk, path)

    def store(number: int) -> int:
        tab = Desk(shop, desk.who)
        return tab.send(path, **opened | {"price": str(2000 + number)}).status_code

    assert sorted(together(5, store)) == [303, 409, 409, 409, 409]
    product_id = int(path.rpartition("/")[2])
    assert len(deeds(shop, f"product {product_id}")) == 2


def test_storing_what_stands_there_writes_nothing_down(shop: Shop, desk: Desk) -> None:
    path = desk.sent(ROOM, **KIONDO)
    desk.sent(path, **form_of(desk, path))
    product_id = int(path.rpartition("/")[2])
    assert [action for _, action, _ in deeds(shop, f"product {product_id}")] == ["product.created"]


def test_a_form_without_what_stood_in_it_stores_nothing(shop: Shop, desk: Desk) -> None:
    path = desk.sent(ROOM, **KIONDO)
    for part in ({"version": ""}, {"version": "x"}, {"stock_was": "some"}):
        refused = desk.send(path, **form_of(desk, path, price="1") | part)
        assert refused.status_code == 409
    assert product_now(shop, int(path.rpartition("/")[2])).price_cents == 150_000


def test_a_retired_product_is_sold_no_more_and_stays_in_old_orders(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    path = desk.sent(ROOM, **KIONDO)
    product_id = int(path.rpartition("/")[2])
    order = shop.order(shopper, product_id)
    desk.browser.post("/cart/add", data={"product_id": product_id, "quantity": "1"})
    desk.told(f"{path}/active", active="no")
    assert 'value="Kiondo"' in desk.read(path)
    assert "Kiondo" not in desk.read("/")
    assert "no longer sold" in desk.read("/cart")
    items = {"items": [{"product_id": product_id, "quantity": 1}]}
    ordered = shop.client().post("/api/orders", json=items, headers=shopper.headers)
    assert ordered.status_code == 404
    assert shop.client().get(f"/api/products/{product_id}").status_code == 404
    assert "Kiondo" in desk.read(f"/admin/orders/{order['id']}")
    assert "Kiondo" in Desk(shop, shopper).read(f"/orders/{order['id']}")

    assert "It is so already." in flashed(desk.told(f"{path}/active", active="no"))[0]
    desk.told(f"{path}/active", active="yes")
    assert "Kiondo" in desk.read("/")
    assert [action for _, action, _ in deeds(shop, f"product {product_id}")] == [
        "product.created",
        "product.retired",
        "product.brought_back",
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_e2_whoever_does_not_keep_the_shop_sees_it_and_changes_nothing(
    shop: Shop, desk: Desk, role: Role
) -> None:
    """E2."""
    path = desk.sent(ROOM, **KIONDO)
    form = form_of(desk, path, price="1")
    onlooker = Desk(shop, staff(shop, "njeri", role))
    page = onlooker.read(path)
    assert "Kiondo" in page
    assert '<form method="post" action="/admin' not in page
    assert "Add a product" not in onlooker.read(ROOM)
    for door in (ROOM, path, f"{path}/active", f"{path}/picture", f"{path}/picture/remove"):
        assert onlooker.send(door, **form, active="no").status_code == 403, door
    assert onlooker.open(f"{ROOM}/new").status_code == 403
    product = product_now(shop, int(path.rpartition("/")[2]))
    assert (product.price_cents, product.active) == (150_000, True)
    assert count(shop, Product) == 1


def test_products_are_found_by_name_state_and_page_by_page(shop: Shop, desk: Desk) -> None:
    for number in range(52):
        shop.product(name=f"Jiko {number}", stock=0 if number == 7 else 3)
    page = desk.read(ROOM)
    assert page.count("<tr>") == 1 + 50
    older = re.search(rf'href="({ROOM}\?before=\d+)"', page)
    assert older is not None
    rest = desk.read(older[1])
    assert rest.count("<tr>") == 1 + 2
    assert "Jiko 0<" in rest
    assert ">Older<" not in rest
    found = desk.read(f"{ROOM}?search=JIKO+5")
    assert [name for name in ("Jiko 5<", "Jiko 50<", "Jiko 51<", "Jiko 15<") if name in found] == [
        "Jiko 5<",
        "Jiko 50<",
        "Jiko 51<",
    ]
    assert "Jiko" not in section(desk.read(f"{ROOM}?search=100%25"), "list-heading")
    assert section(desk.read(f"{ROOM}?shelf=sold_out"), "list-heading").count("<tr>") == 1 + 1
    assert "None." in desk.read(f"{ROOM}?shelf=retired")
    for query in ("before=-1", "before=x", "before=" + "9" * 30, "shelf=attic"):
        assert desk.open(f"{ROOM}?{query}").status_code == 400, query
    for missing in ("424242", "9" * 30):
        assert desk.open(f"{ROOM}/{missing}").status_code == 404, missing


def test_a_program_s_changes_are_in_the_trail_too(shop: Shop, admin: Account) -> None:
    body = {"name": "Jiko", "price": 1200}
    made = shop.client().post("/api/products", json=body, headers=admin.headers).get_json()
    path = f"/api/products/{made['id']}"
    assert shop.client().patch(path, json={"stock": 3}, headers=admin.headers).status_code == 200
    trail = deeds(shop, f"product {made['id']}")
    assert [(actor, action) for actor, action, _ in trail] == [
        (admin.email, "product.created"),
        (admin.email, "product.changed"),
    ]
    assert trail[1][2] == {"stock": "3", "stock_was": "unlimited"}
