"""The paying pages: checkout, one order, its success page and its receipt.

Every page works as a plain form. The payment dialog sends the same forms and asks for JSON, so
both roads go through the same code and hear the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, signed_in_page
from app.core.errors import Conflict, InvalidPhone, LipaError, OutOfStock
from app.core.reading import prefers_json
from app.core.texts import marked
from app.languages import in_readers_language
from app.limits import initiate_limit, status_limit
from app.mpesa.phone import msisdn
from app.orders import service as orders
from app.orders.cart import Cart, CartLine, is_key, total_cents
from app.payments import service as payments
from app.payments import words
from app.payments.methods import methods_of
from app.payments.page_state import in_words, looks_again_in
from app.payments.view import order_state

if TYPE_CHECKING:
    from app.orders.models import Order

payment_pages = Blueprint("payment_pages", __name__)

#: What the dialog says when an end is pushed to it, before it has asked for the exact words.
ENDINGS = {
    "waiting": words.WAITING,
    "completed": words.COMPLETED,
    "failed": words.unpaid_end("declined"),
    "cancelled": words.unpaid_end("cancelled"),
    "expired": words.unpaid_end("timeout"),
    "review": words.REVIEW,
}


class EmptyCart(Conflict):
    message = marked("Your cart is empty, so there is nothing to pay. Nothing was charged.")


class CartChanged(Conflict):
    message = marked(
        "Your cart changed in another tab. Look it over and press Pay again; nothing was charged."
    )


# Checkout.


@payment_pages.get("/checkout")
@signed_in_page
def checkout() -> ResponseReturnValue:
    lines = _cart_lines(Cart(session))
    if any(line.problem for line in lines):
        return redirect("/cart", 303)
    return _checkout_page(lines, phone=_as_typed(require_person().phone))


@payment_pages.post("/checkout")
@signed_in_page
@initiate_limit
def place_order() -> ResponseReturnValue:
    cart = Cart(session)
    try:
        # A number that cannot be right is refused before there is an order to keep.
        if msisdn(request.form.get("phone_number", "")) is None:
            raise InvalidPhone()
        order = _order_of(cart, request.form.get("cart_key") or cart.key)
    except LipaError as refusal:
        return _refuse_checkout(cart, refusal)
    return _pay(order)


def _order_of(cart: Cart, key: str) -> Order:
    """Place the order that this cart key names, or find it when it was placed before.

    Raises EmptyCart, CartChanged, and whatever place_order refuses with. The cart is emptied
    only once its order stands.
    """
    person = require_person()
    placed = orders.order_by_key(person, key) if is_key(key) else None
    if placed is not None:
        return placed
    if cart.is_empty:
        raise EmptyCart()
    if key != cart.key:
        raise CartChanged()
    order = orders.place_order(person, items=cart.items, key=key)
    cart.clear()
    return order


def _refuse_checkout(cart: Cart, refusal: LipaError) -> ResponseReturnValue:
    if prefers_json(request):
        raise refusal
    if isinstance(refusal, OutOfStock):
        flash(in_readers_language(refusal.message), "error")
        return redirect("/cart", 303)
    phone = request.form.get("phone_number", "")
    return _checkout_page(_cart_lines(cart), phone, refusal.message), refusal.status


def _checkout_page(lines: list[CartLine], phone: str, problem: str | None = None) -> str:
    return render_template(
        "checkout/checkout.html",
        lines=lines,
        total_cents=total_cents(lines),
        phone=phone,
        problem=problem,
        cart_key=Cart(session).key,
        numbers=_kept_numbers(),
        endings=ENDINGS,
    )


def _cart_lines(cart: Cart) -> list[CartLine]:
    products = orders.products_by_id(cart.product_ids)
    cart.drop_unknown(products)
    return cart.lines(products)


# One order.


@payment_pages.get("/orders/<uuid>")
@signed_in_page
def order(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    return _order_page(found, phone=_known_phone(found))


@payment_pages.post("/orders/<uuid>/pay")
@signed_in_page
@initiate_limit
def pay(uuid: str) -> ResponseReturnValue:
    return _pay(orders.find_order(uuid, require_person()))


@payment_pages.post("/orders/<uuid>/check")
@signed_in_page
@status_limit
def check(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    payments.check_now(found.uuid, require_person())
    flash(_("We have asked M-Pesa again. The answer can take some seconds."), "notice")
    return redirect(_order_url(found), 303)


@payment_pages.get("/orders/<uuid>/state")
@signed_in_page
@status_limit
def state(uuid: str) -> ResponseReturnValue:
    """Tell the open page how its order stands now."""
    found = orders.find_order(uuid, require_person())
    attempt = payments.telling_attempt(payments.attempts_of(found))
    if attempt is not None:
        payments.wake(attempt)
    return _state_as_json(found)


@payment_pages.post("/orders/<uuid>/stop-asking")
@signed_in_page
@status_limit
def stop_asking(uuid: str) -> ResponseReturnValue:
    """Send no second prompt by ourselves."""
    found = orders.find_order(uuid, require_person())
    payments.stop_asking_again(found)
    if prefers_json(request):
        return _state_as_json(found)
    flash(_("We shall not ask again by ourselves."), "notice")
    return redirect(_order_url(found), 303)


@payment_pages.post("/orders/<uuid>/cancel")
@signed_in_page
def cancel(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    try:
        payments.cancel_order(found.uuid, require_person())
        # Where a prompt was out, the page says what to do if it took money all the same.
        was_asked = bool(payments.attempts_of(found))
        never_asked = _("The order is cancelled. Nothing was charged for it.")
        flash(_("The order is cancelled.") if was_asked else never_asked, "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(_order_url(found), 303)


@payment_pages.get("/order-success")
@signed_in_page
def success() -> ResponseReturnValue:
    found = _asked_or_newest_order()
    if found is None:
        return render_template("checkout/success.html", order=None)
    attempts = payments.attempts_of(found)
    state = order_state(found, attempts)
    return render_template(
        "checkout/success.html",
        order=found,
        state=state,
        address=_order_url(found),
        looks_again_in=looks_again_in(state, attempts),
    )


def _asked_or_newest_order() -> Order | None:
    person = require_person()
    asked = request.args.get("order")
    if asked:
        return orders.find_order(asked, person)
    newest, _total = orders.list_orders(person, 1, 1)
    # An admin's list holds everybody's orders; this page speaks of one's own.
    return next((found for found in newest if found.person_id == person.id), None)


# Paying, for the form and for the dialog.


def _pay(found: Order) -> ResponseReturnValue:
    """Start a prompt unless one is live or nothing is owed, then tell the order's state."""
    phone = request.form.get("phone_number", "")
    try:
        if order_state(found)["can_pay"]:
            payments.initiate(
                person=require_person(),
                order_ref=found.uuid,
                phone=phone,
                may_ask_again=True,
            )
    except LipaError as refusal:
        return _refuse_payment(found, phone, refusal)
    if prefers_json(request):
        return _state_as_json(found)
    return redirect(_order_url(found), 303)


def _refuse_payment(found: Order, phone: str, refusal: LipaError) -> ResponseReturnValue:
    if prefers_json(request):
        refusal.details = {**refusal.details, **_addresses(found)}
        raise refusal
    if isinstance(refusal, InvalidPhone):
        return _order_page(found, phone, refusal.message), refusal.status
    flash(in_readers_language(refusal.message), "error")
    return redirect(_order_url(found), 303)


def _order_page(found: Order, phone: str, problem: str | None = None) -> str:
    attempts = payments.attempts_of(found)
    state = order_state(found, attempts)
    return render_template(
        "orders/detail.html",
        order=found,
        state=state,
        address=_order_url(found),
        attempts=attempts,
        numbers=_kept_numbers(),
        looks_again_in=looks_again_in(state, attempts),
        phone=phone,
        problem=problem,
        endings=ENDINGS,
    )


def _known_phone(found: Order) -> str:
    """Return the number to fill in: the one this person last paid with, else their own.

    Somebody else's number is never filled in, so an admin's page does not show it.
    """
    person = require_person()
    attempts = payments.attempts_of(found) if found.person_id == person.id else []
    newest = max(attempts, key=lambda payment: payment.id, default=None)
    return _as_typed(newest.phone if newest else person.phone)


def _kept_numbers() -> list[str]:
    """Return the numbers that this person has kept to pay from, as people type them."""
    return [_as_typed(method.phone) for method in methods_of(require_person())]


def _as_typed(phone: str | None) -> str:
    """Write ``254712345678`` as people type it at home: ``0712345678``."""
    return f"0{phone[3:]}" if phone and phone.startswith("254") else phone or ""


def _state_as_json(found: Order) -> ResponseReturnValue:
    state = order_state(found)
    # The fate of an unconfirmed push is not known yet, which is what 202 says.
    status = 202 if state["state"] == "unconfirmed" else 200
    return jsonify(success=True, data={**in_words(state), **_addresses(found)}), status


def _addresses(found: Order) -> dict[str, str]:
    return {
        "order_id": str(found.uuid),
        "order_url": _order_url(found),
        "success_url": f"/order-success?order={found.uuid}",
    }


def _order_url(found: Order) -> str:
    return f"/orders/{found.uuid}"
