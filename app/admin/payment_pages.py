"""What an admin sees of one payment, and the form that sends its money back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from flask import Blueprint, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import admin_page, require_person
from app.core import idempotency
from app.core.errors import Conflict, IdempotencyMismatch, LipaError
from app.core.idempotency import Answer
from app.core.money import cents_from_shillings
from app.disbursements import engine, refunds
from app.disbursements.listing import names_of
from app.disbursements.models import Channel
from app.idempotency import fingerprint
from app.ledger.service import transfers_of
from app.limits import caller, initiate_limit
from app.payments.models import Payment
from app.payments.queries import find_payment, timeline_of

admin_payment_pages = Blueprint("admin_payment_pages", __name__, url_prefix="/admin/payments")

ROOM = "/admin/payments"
_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@admin_payment_pages.get("/<ref>")
@admin_page
def show(ref: str) -> ResponseReturnValue:
    return _page(find_payment(ref))


@admin_payment_pages.post("/<ref>/refund")
@admin_page
@initiate_limit
def refund(ref: str) -> ResponseReturnValue:
    """Ask for a refund. The same form sent twice asks once, and shows what the first one made."""
    name = find_payment(ref).public_ref
    try:
        return _once(lambda: _asked(name)) or redirect(f"{ROOM}/{name}", 303)
    except LipaError as refusal:
        return _page(find_payment(name), refusal), refusal.status


def _asked(name: str) -> ResponseReturnValue:
    amount, reason = request.form.get("amount", "").strip(), request.form.get("reason", "")
    amount_cents = cents_from_shillings(amount) if amount else None
    record = refunds.ask(name, require_person(), amount_cents, reason)
    path = f"/admin/refunds/{record.public_ref}"
    engine.send_now(record)
    return redirect(path, 303)


def _once(work: Callable[[], ResponseReturnValue]) -> ResponseReturnValue | None:
    """Carry a form out once, by the key that was made with it; None while that is being done.

    Raises Conflict for a form without a key, or with another's.
    """
    key = request.form.get("form_key", "")
    if not _FORM_KEY.fullmatch(key):
        raise Conflict("This form is not complete. Open the page again; nothing was sent back.")
    try:
        turn = idempotency.begin(caller(), key, fingerprint(request))
    except IdempotencyMismatch as error:
        raise Conflict(
            "This form was sent before, with something else in it. Look at the refunds below; to "
            "send more back, open the page again."
        ) from error
    except Conflict:
        flash("This form is being carried out already: see the refunds below.", "notice")
        return None
    if isinstance(turn, Answer):
        return redirect(turn.headers["Location"], 303)
    with idempotency.running(turn):
        try:
            response = make_response(work())
        except LipaError:
            # Nothing has begun, so the key is given back.
            idempotency.end(turn, Answer(503, {}, b""), nothing_sent=False)
            raise
    answer = Answer(response.status_code, {"Location": response.headers["Location"]}, b"")
    idempotency.end(turn, answer, nothing_sent=False)
    return response


def _page(payment: Payment, refusal: LipaError | None = None) -> str:
    left = refunds.refundable_cents(payment)
    road, why = refunds.road_for(payment, left, (payment.received_cents or 0) - left)
    form = request.form if refusal else {}
    timeline = timeline_of(payment)
    return render_template(
        "admin/payment.html",
        payment=payment,
        left_cents=left,
        road=road,
        why=why,
        is_reversal=road is Channel.REVERSAL,
        refunds=refunds.refunds_of(payment),
        timeline=timeline,
        names=names_of(entry.actor for entry in timeline),
        transfers=transfers_of(payment.public_ref),
        form_key=secrets.token_urlsafe(24),
        values=form,
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )
