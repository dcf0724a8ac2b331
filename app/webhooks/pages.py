"""The back office's pages about webhooks: who is told, what was sent, and what came back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.errors import LipaError
from app.core.reading import MAX_ID
from app.languages import in_readers_language
from app.webhooks import endpoints
from app.webhooks.delivery import MOST_TRIES
from app.webhooks.events import CHOICES
from app.webhooks.models import DeliveryState
from app.webhooks.signing import OLD_SECRET_FOR

webhook_pages = Blueprint("webhook_pages", __name__, url_prefix="/admin/webhooks")

ROOM = "/admin/webhooks"
PER_PAGE = 50


@webhook_pages.get("")
@staff_page(May.SEE)
def show_all() -> ResponseReturnValue:
    return _list()


@webhook_pages.post("")
@staff_page(May.SET_UP)
def add() -> ResponseReturnValue:
    """Add an endpoint. The answer is the only page that ever shows its secret."""
    address = request.form.get("address", "")
    try:
        made, secret = endpoints.add(address, request.form.getlist("events"), require_person())
    except LipaError as refusal:
        return _list(refusal.message, address), refusal.status
    return _one(made.id, secret=secret), 201


@webhook_pages.get("/<int:endpoint_id>")
@staff_page(May.SEE)
def show(endpoint_id: int) -> ResponseReturnValue:
    return _one(min(endpoint_id, MAX_ID))


@webhook_pages.post("/<int:endpoint_id>/secret")
@staff_page(May.SET_UP)
def rotate(endpoint_id: int) -> ResponseReturnValue:
    try:
        secret = endpoints.rotate(endpoint_id, require_person())
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
        return redirect(_path(endpoint_id), 303)
    return _one(endpoint_id, secret=secret)


@webhook_pages.post("/<int:endpoint_id>/pause")
@staff_page(May.SET_UP)
def pause(endpoint_id: int) -> ResponseReturnValue:
    if request.form.get("paused") == "yes":
        endpoints.pause(endpoint_id, require_person())
        return _back(endpoint_id, _("Paused: what happens is kept, and sent once it goes on."))
    endpoints.resume(endpoint_id, require_person())
    return _back(endpoint_id, _("It goes on."))


@webhook_pages.post("/<int:endpoint_id>/test")
@staff_page(May.SET_UP)
def test(endpoint_id: int) -> ResponseReturnValue:
    def send() -> str:
        endpoints.send_test(endpoint_id, require_person())
        return _("A test is on its way. Load the page again to see what came of it.")

    return _done(endpoint_id, send)


@webhook_pages.post("/<int:endpoint_id>/deliver-again")
@staff_page(May.SET_UP)
def deliver_again(endpoint_id: int) -> ResponseReturnValue:
    """Try one delivery anew, or all that were given up where the form names none."""

    def again() -> str:
        named = request.form.get("delivery", "")
        one = int(named) if named.isascii() and named.isdigit() and len(named) < 19 else None
        if named and one is None:
            return _("There is no such delivery.")
        count = endpoints.deliver_again(endpoint_id, require_person(), one)
        return ngettext(
            "%(num)s delivery is tried again.", "%(num)s deliveries are tried again.", count
        )

    return _done(endpoint_id, again)


@webhook_pages.post("/<int:endpoint_id>/remove")
@staff_page(May.SET_UP)
def remove(endpoint_id: int) -> ResponseReturnValue:
    endpoints.remove(endpoint_id, require_person())
    flash(_("Removed. It is told nothing more."), "notice")
    return redirect(ROOM, 303)


def _list(problem: str | None = None, address: str = "") -> str:
    return render_template(
        "admin/webhooks.html",
        standings=endpoints.overview(),
        choices=CHOICES,
        chosen=request.form.getlist("events"),
        problem=problem,
        address=address,
        may_set_up=require_person().may(May.SET_UP),
    )


def _one(endpoint_id: int, secret: str | None = None) -> str:
    state, before = request.args.get("state", ""), request.args.get("before", "")
    older_than = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    endpoint = endpoints.find(endpoint_id)
    found = endpoints.deliveries(endpoint_id, older_than, state, PER_PAGE + 1)
    return render_template(
        "admin/webhook.html",
        endpoint=endpoint,
        secret=secret,
        choices=CHOICES,
        deliveries=found[:PER_PAGE],
        older=found[PER_PAGE - 1].id if len(found) > PER_PAGE else None,
        given_up=bool(endpoints.deliveries(endpoint_id, state=DeliveryState.GIVEN_UP, limit=1)),
        state=state,
        states=list(DeliveryState),
        most_tries=MOST_TRIES,
        old_secret_hours=int(OLD_SECRET_FOR.total_seconds() // 3600),
        may_set_up=require_person().may(May.SET_UP),
    )


def _done(endpoint_id: int, deed: Callable[[], str]) -> ResponseReturnValue:
    try:
        return _back(endpoint_id, deed())
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
        return redirect(_path(endpoint_id), 303)


def _back(endpoint_id: int, told: str) -> ResponseReturnValue:
    flash(told, "notice")
    return redirect(_path(endpoint_id), 303)


def _path(endpoint_id: int) -> str:
    return f"{ROOM}/{endpoint_id}"
