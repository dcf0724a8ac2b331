"""The shop's own pages: shelves and their pictures, cart, and the list of a person's orders."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import open_to_all, require_person, signed_in_page
from app.core.errors import NotFound
from app.core.texts import marked
from app.languages import in_readers_language
from app.orders import photos, service
from app.orders.cart import MAX_QUANTITY, Cart, CartFull, total_cents

shop_pages = Blueprint("shop_pages", __name__)

PRODUCTS_PER_PAGE = 24
ORDERS_PER_PAGE = 20
#: No shop page lies beyond this; a larger number is read as this one.
MAX_PAGE = 10_000


@shop_pages.get("/")
@open_to_all
def index() -> ResponseReturnValue:
    page = asked_page()
    products, total = service.list_products(page, PRODUCTS_PER_PAGE)
    pages = page_count(total, PRODUCTS_PER_PAGE)
    if page > pages:
        return redirect(f"/?page={pages}", 303)
    return render_template("shop/index.html", products=products, page=page, pages=pages)


@shop_pages.get("/pictures/<sha256>.webp")
@open_to_all
def picture(sha256: str) -> ResponseReturnValue:
    """Serve an uploaded picture, as this shop has made it anew; its name says what is in it."""
    response = Response(photos.bytes_of(sha256), mimetype="image/webp")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # Nothing in a picture has any business with a page, whatever a browser takes it for.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.set_etag(sha256)
    return response.make_conditional(request)


@shop_pages.get("/cart")
@open_to_all
def cart() -> ResponseReturnValue:
    basket = Cart(session)
    products = service.products_by_id(basket.product_ids)
    if basket.drop_unknown(products):
        flash(_("Something in your cart is no longer sold. We took it out."), "notice")
    lines = basket.lines(products)
    return render_template("cart/cart.html", lines=lines, total_cents=total_cents(lines))


@shop_pages.post("/cart/add")
@open_to_all
def add_to_cart() -> ResponseReturnValue:
    product_id, asked = _asked_item()
    quantity = max(asked or 1, 1)
    product = service.products_by_id([product_id]).get(product_id)
    if product is None:
        raise NotFound(marked("The shop does not sell that any more."))
    try:
        _say_added(product.name, quantity, Cart(session).add(product_id, quantity))
    except CartFull as full:
        flash(in_readers_language(full.message), "error")
    return redirect("/cart", 303)


@shop_pages.post("/cart/update")
@open_to_all
def update_cart() -> ResponseReturnValue:
    product_id, quantity = _asked_item()
    basket = Cart(session)
    # Only what is in the cart can be changed here: a form from a stale tab adds nothing, and a
    # quantity that cannot be read changes nothing.
    if quantity is not None and product_id in basket.product_ids:
        basket.set(product_id, quantity)
    return redirect("/cart", 303)


@shop_pages.get("/orders")
@signed_in_page
def orders() -> ResponseReturnValue:
    page = asked_page()
    found, total = service.list_orders(require_person(), page, ORDERS_PER_PAGE)
    pages = page_count(total, ORDERS_PER_PAGE)
    if page > pages:
        return redirect(f"/orders?page={pages}", 303)
    return render_template("orders/list.html", orders=found, page=page, pages=pages)


def asked_page() -> int:
    """Read ``?page=`` as a number from 1 to MAX_PAGE; anything unreadable is the first page."""
    page = request.args.get("page", 1, type=int)
    return min(max(page, 1), MAX_PAGE)


def page_count(total: int, per_page: int) -> int:
    return max(1, -(-total // per_page))


def _asked_item() -> tuple[int, int | None]:
    """Read which product and how many; None for a quantity that is missing or no number."""
    product_id = request.form.get("product_id", 0, type=int)
    quantity = request.form.get("quantity", type=int)
    return product_id, None if quantity is None else min(quantity, MAX_QUANTITY)


def _say_added(name: str, asked: int, now: int) -> None:
    if now == MAX_QUANTITY and asked > 1:
        told = _(
            "%(name)s: %(most)s is the most in one order, and that is in your cart.",
            name=name,
            most=MAX_QUANTITY,
        )
    else:
        told = _("%(name)s is in your cart.", name=name)
    flash(told, "notice")
