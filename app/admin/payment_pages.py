"""Payments in the back office: finding one, everything about it, and sending its money back."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.admin.once import once
from app.admin.payment_view import payment_page
from app.audit.service import record
from app.core.errors import Conflict, LipaError, ValidationError
from app.core.money import cents_from_shillings
from app.core.texts import said
from app.core.unit_of_work import transaction
from app.disbursements import engine, refunds
from app.exports.evidence import evidence_of
from app.extensions import db
from app.limits import initiate_limit
from app.payments import inbox, search
from app.payments.heard import message_of
from app.payments.queries import find_payment
from app.payments.states import Status

admin_payment_pages = Blueprint("admin_payment_pages", __name__, url_prefix="/admin/payments")

ROOM = "/admin/payments"
_FILTERS = ("q", "status", "from", "to", "person")


@admin_payment_pages.get("")
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    """List payments, newest first, as far as they fit what was asked for."""
    found, refusal = None, None
    try:
        found = search.search(search.read_filters(request.args), search.read_before(request.args))
    except ValidationError as error:
        refusal = error
    values = {name: request.args.get(name, "") for name in _FILTERS}
    page = render_template(
        "admin/payments.html",
        found=found,
        values=values,
        kept={name: value for name, value in values.items() if value},
        is_newest="before" not in request.args,
        states=list(Status),
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )
    return page, refusal.status if refusal else 200


@admin_payment_pages.get("/<ref>")
@staff_page(May.SEE)
def show(ref: str) -> ResponseReturnValue:
    return payment_page(find_payment(ref))


@admin_payment_pages.post("/<ref>/callbacks/<int:message_id>/rehearse")
@staff_page(May.SERVE)
@initiate_limit
def rehearse(ref: str, message_id: int) -> ResponseReturnValue:
    """Say what today's code would do with a callback of the past, and do nothing."""
    payment = find_payment(ref)
    name, found_id = payment.public_ref, message_of(payment, message_id).id
    try:
        rehearsed = inbox.dry_run(found_id)
    except LipaError as refusal:
        return payment_page(find_payment(name), refusal, form="callbacks"), refusal.status
    except Exception as error:
        # This is what a rehearsal is for: to see that today's code stumbles, without harm.
        db.session.rollback()
        stumbles = Conflict(
            said("Today's code cannot act on it: {error}.", error=type(error).__name__)
        )
        return payment_page(find_payment(name), stumbles, form="callbacks"), stumbles.status
    return payment_page(find_payment(name), rehearsed=(found_id, rehearsed))


@admin_payment_pages.post("/<ref>/evidence.zip")
@staff_page(May.SERVE)
@initiate_limit
def evidence(ref: str) -> ResponseReturnValue:
    """Send everything about a payment in one file; that it was taken is part of it."""
    payment = find_payment(ref)
    payment_id, name = payment.id, payment.public_ref
    with transaction() as session:
        record(session, require_person(), "payment.evidence_taken", f"payment {name}")
    return Response(
        evidence_of(find_payment(payment_id)),
        mimetype="application/zip",
        headers={"Content-Disposition": f'attachment; filename="evidence-{name}.zip"'},
    )


@admin_payment_pages.post("/<ref>/refund")
@staff_page(May.REFUND)
@initiate_limit
def refund(ref: str) -> ResponseReturnValue:
    """Ask for a refund. The same form sent twice asks once, and shows what the first one made."""
    name = find_payment(ref).public_ref
    try:
        return once(lambda: _asked(name)) or redirect(f"{ROOM}/{name}", 303)
    except LipaError as refusal:
        return payment_page(find_payment(name), refusal, form="refund"), refusal.status


def _asked(name: str) -> ResponseReturnValue:
    amount, reason = request.form.get("amount", "").strip(), request.form.get("reason", "")
    amount_cents = cents_from_shillings(amount) if amount else None
    asked = refunds.ask(name, require_person(), amount_cents, reason)
    path = f"/admin/refunds/{asked.public_ref}"
    engine.send_now(asked)
    return redirect(path, 303)
