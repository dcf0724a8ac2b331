"""The back office's pages about orders: finding one, all that happened to it, and notes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.admin.catalogue_pages import before_of
from app.core.codes import in_words
from app.core.errors import LipaError, ValidationError
from app.disbursements import credit_refunds, refunds
from app.disbursements.listing import names_of
from app.disbursements.models import Disbursement
from app.extensions import db
from app.orders import notes
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import cancelling, order_search
from app.payments.models import Credit, Payment
from app.payments.order_search import Filters, Found
from app.payments.service import amount_paid_cents, attempts_of

admin_order_pages = Blueprint("admin_order_pages", __name__, url_prefix="/admin/orders")

ROOM = "/admin/orders"


@admin_order_pages.get("")
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    before = before_of(request.args)
    try:
        filters = order_search.read_filters(request.args)
    except ValidationError as refusal:
        return _list(Found([], None), Filters(), refusal), refusal.status
    return _list(order_search.search(filters, before), filters)


@admin_order_pages.get("/<uuid>")
@staff_page(May.SEE)
def show(uuid: str) -> ResponseReturnValue:
    return _page(order_search.find(uuid))


@admin_order_pages.post("/<uuid>/notes")
@staff_page(May.SERVE)
def annotate(uuid: str) -> ResponseReturnValue:
    def write(order_id: int, person: Person) -> str:
        text, key = request.form.get("text", ""), request.form.get("form_key", "")
        if not notes.add(order_id, person, text, key):
            return _("This note is written down already.")
        return _("The note is written down, with your name.")

    return _done(uuid, "note", write)


@admin_order_pages.post("/<uuid>/cancel")
@staff_page(May.SERVE)
def cancel(uuid: str) -> ResponseReturnValue:
    def call_off(order_id: int, person: Person) -> str:
        cancelling.call_off(order_id, person, request.form.get("why", ""))
        return _("The order is cancelled, and its goods are back on the shelf.")

    return _done(uuid, "cancel", call_off)


def _done(uuid: str, form: str, work: Callable[[int, Person], str]) -> ResponseReturnValue:
    """Carry out a form of an order's page; what is wrong is told beside its field."""
    order = order_search.find(uuid)
    path = f"{ROOM}/{order.uuid}"
    try:
        flash(work(order.id, require_person()), "notice")
    except LipaError as refusal:
        return _page(order_search.find(uuid), form, refusal), refusal.status
    return redirect(path, 303)


def _list(found: Found, filters: Filters, refusal: LipaError | None = None) -> str:
    return render_template(
        "admin/orders.html",
        orders=found.orders,
        older=found.older,
        in_words=in_words,
        filters=filters,
        values=request.args,
        states=list(OrderStatus),
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )


def _page(order: Order, form: str = "", refusal: LipaError | None = None) -> str:
    """Render an order's page. ``form`` is the one that was refused, with what was typed."""
    attempts = attempts_of(order)
    timeline = notes.timeline_of(order.id)
    paid_cents = amount_paid_cents(db.session(), order.id)
    credits = order_search.credits_of(order.id)
    is_live = any(attempt.is_live for attempt in attempts)
    return render_template(
        "admin/order.html",
        order=order,
        attempts=attempts,
        credits=credits,
        refunds=_refunds_of(attempts, credits),
        timeline=timeline,
        in_words=in_words,
        names=names_of(entry.actor for entry in timeline),
        notes=notes.notes_of(order.id),
        paid_cents=paid_cents,
        can_cancel=order.status == OrderStatus.PENDING and not is_live and not paid_cents,
        is_live=is_live,
        form_key=secrets.token_urlsafe(24),
        refused=form,
        typed=request.form if form else {},
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )


def _refunds_of(attempts: Sequence[Payment], credits: Sequence[Credit]) -> list[Disbursement]:
    paid = [attempt for attempt in attempts if attempt.received_cents is not None]
    found = [refund for attempt in paid for refund in refunds.refunds_of(attempt)]
    by_hand = [credit for credit in credits if credit.payment_id is None]
    return found + [refund for credit in by_hand for refund in credit_refunds.refunds_of(credit)]
