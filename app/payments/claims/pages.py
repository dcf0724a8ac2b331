"""The door of "I have paid": one form, on an order's page and on that of a link to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import current_person, require_person, signed_in_page
from app.core.errors import LipaError
from app.core.reading import prefers_json
from app.languages import in_readers_language
from app.limits import claim_limit
from app.orders import service as orders
from app.payments.claims.service import claim_for
from app.payments.page_state import in_words
from app.payments.view import order_state

if TYPE_CHECKING:
    from app.orders.models import Order

claim_pages = Blueprint("claim_pages", __name__)


@claim_pages.post("/orders/<uuid>/claim")
@signed_in_page
@claim_limit
def claim(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    return take_claim(found, f"/orders/{found.uuid}", "account")


def take_claim(order: Order, address: str, door: str) -> ResponseReturnValue:
    """Take the pasted message of this request, and lead back to the page at ``address``.

    Whoever asks for JSON, as the payment dialog does, hears the order's state. ``door`` is kept
    beside the claim: ``account`` or ``link``.
    """
    text = request.form.get("message", "").replace("\r\n", "\n")
    try:
        claim_for(order, text, current_person(), door)
    except LipaError as refusal:
        if prefers_json(request):
            raise
        flash(in_readers_language(refusal.message), "error")
        # What is wrong stands at the page's top; the rung below it is open to try again.
        return redirect(f"{address}?open=paid-already", 303)
    if prefers_json(request):
        return jsonify(success=True, data=in_words(order_state(order)))
    return redirect(f"{address}#rung-paid-already", 303)
