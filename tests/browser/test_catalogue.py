"""Products and orders in the back office, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.back_office import Desk
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.test_money_out import DESK_WIDTH, look
from tests.rooms.admin.shelves import picture
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop

SCRIPT = "<script>document.title = 'stolen'</script>"
LONG = "Kikapu cha kiondo kilichofumwa kwa mkono Machakos " + "x" * 40


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.page.goto("/sign-in?next=/admin/products")
    desk.page.get_by_label("Email").fill(ADMIN)
    desk.page.get_by_label("Password").fill(shop.password)
    desk.page.get_by_role("button", name="Sign in").click()
    expect(desk.page.get_by_role("heading", name="Products")).to_be_visible()
    return desk


def add_product(page: Page, name: str, **more: str) -> str:
    """Put a product on the shelf, and return the address of its page."""
    page.goto("/admin/products")
    page.get_by_role("link", name="Add a product").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Price in shillings").fill(more.get("price", "1500"))
    page.get_by_label("Stock").fill(more.get("stock", "5"))
    page.get_by_label("Description").fill(more.get("description", "Sisal"))
    page.get_by_role("button", name="Put it on the shelf").click()
    return page.url


def choose(page: Page, data: bytes, alt: str) -> None:
    """Send a picture by the form of the product's page that is open."""
    file = FilePayload(name="kiondo.jpg", mimeType="image/jpeg", buffer=data)
    page.get_by_label("A picture", exact=True).set_input_files(file)
    page.get_by_label("What is to be seen on it").fill(alt)
    page.get_by_role("button", name="Store the picture").click()


def placed_order(shop: LiveShop) -> dict[str, Any]:
    """Have the demo shopper order a box of matches."""
    with requests.Session() as session:
        session.trust_env = False

        def post(path: str, **body: object) -> dict[str, Any]:
            answer = session.post(shop.base_url + path, json=body)
            assert answer.ok, answer.text
            return answer.json()

        signed_in = post("/api/auth/login", email=SHOPPER, password=shop.password)
        session.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        return post("/api/orders", items=[{"product_id": 1, "quantity": 1}])


def test_a_product_is_made_with_its_picture_and_stands_in_the_shop(
    desk: Desk, new_context: NewContext, console: Console
):
    console.expect(FAILED_REQUEST)
    page = desk.page
    page.goto("/admin/products/new")
    page.get_by_label("Name").fill(LONG)
    page.get_by_label("Price in shillings").fill("10.50")
    page.get_by_role("button", name="Put it on the shelf").click()
    expect(page.locator("#price-problem")).to_contain_text("whole number of shillings")
    expect(page.get_by_label("Name")).to_have_value(LONG)
    look(page, "catalogue-refused")
    add_product(page, LONG, price="1850")
    choose(page, b"<svg onload=alert(1)>", "A basket")
    expect(page.locator("#picture-problem")).to_contain_text("page or a program")
    expect(page.get_by_label("What is to be seen on it")).to_have_value("A basket")
    choose(page, picture(900, 1600), "A basket of sisal")
    shown = page.get_by_role("img", name="A basket of sisal")
    expect(shown).to_be_visible()
    assert shown.evaluate(_IS_LOADED)
    look(page, "catalogue-product")
    page.goto("/admin/products")
    look(page, "catalogue-products")

    shopper = new_context().new_page()
    shopper.goto("/")
    card = shopper.get_by_role("listitem").filter(has_text="Kikapu cha kiondo")
    small = card.get_by_role("img", name="A basket of sisal")
    small.scroll_into_view_if_needed()
    expect(small).to_have_js_property("complete", True)
    assert small.evaluate(_IS_LOADED)
    card.get_by_role("button", name="Add to cart").click()
    expect(shopper.get_by_role("img", name="A basket of sisal")).to_be_visible()
    look(shopper, "catalogue-cart")
    shopper.goto("/")
    look(shopper, "catalogue-shop")


_IS_LOADED = "image => image.decode().then(() => image.naturalWidth > 0)"


def test_the_second_of_two_tabs_is_told_what_stands_there_now(desk: Desk, console: Console):
    console.expect(FAILED_REQUEST)
    page, other = desk.page, desk.context.new_page()
    address = add_product(page, "Two tabs")
    other.goto(address)
    other.get_by_label("Price in shillings").fill("1800")
    other.get_by_role("button", name="Store", exact=True).click()
    expect(other.get_by_text("Stored.")).to_be_visible()
    page.get_by_label("Price in shillings").fill("1700")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed this product")
    expect(page.get_by_label("Price in shillings")).to_have_value("1700")
    expect(page.get_by_text("Now: 1800")).to_be_visible()
    look(page, "catalogue-conflict")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("Stored.")).to_be_visible()
    expect(page.locator("#deeds-heading + ol")).to_contain_text("KES 1,800")


def test_an_order_is_found_annotated_and_cancelled(desk: Desk, shop: LiveShop):
    """F1: a script in a product's name and in a note is only a name and a note."""
    page = desk.page
    add_product(page, SCRIPT, description=SCRIPT)
    order = placed_order(shop)
    page.goto("/admin/orders")
    page.get_by_label("Number, e-mail, phone or any code").fill(SHOPPER)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"#{order['number']}", exact=True).click()
    expect(page.get_by_role("heading", name=f"Order #{order['number']}")).to_be_visible()
    page.get_by_label("A new note").fill(f"She called twice.\n{SCRIPT} {'x' * 80}")
    page.get_by_role("button", name="Write it down").dblclick()
    expect(page.get_by_text("She called twice.")).to_have_count(1)
    look(page, "order-pending")
    page.get_by_label("Why").fill("She wants another colour")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("The order is cancelled")).to_be_visible()
    expect(page.locator("#timeline-heading + ol")).to_contain_text("She wants another colour")
    look(page, "order-cancelled")
    page.goto("/admin/orders?status=cancelled")
    expect(page.get_by_role("link", name=re.compile("^#"))).to_have_count(1)
    look(page, "orders")
    for path in ("/", "/admin/products", "/admin/orders"):
        page.goto(path)
        assert "stolen" not in page.title()
