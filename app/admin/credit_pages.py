"""Money that no payment of ours brought: what is known of it, and sending it back."""

from __future__ import annotations

import secrets

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.admin.once import once
from app.core.errors import LipaError
from app.core.money import cents_from_shillings
from app.disbursements import credit_refunds, engine
from app.disbursements.models import Channel
from app.extensions import db
from app.limits import initiate_limit
from app.payments.models import Credit

admin_credit_pages = Blueprint("admin_credit_pages", __name__, url_prefix="/admin/credits")

ROOM = "/admin/credits"


@admin_credit_pages.get("/<int:credit_id>")
@staff_page(May.SEE)
def show(credit_id: int) -> ResponseReturnValue:
    credit = credit_refunds.find_credit(credit_id)
    if credit.payment is not None:
        return redirect(f"/admin/payments/{credit.payment.public_ref}")
    return _page(credit)


@admin_credit_pages.post("/<int:credit_id>/refund")
@staff_page(May.REFUND)
@initiate_limit
def refund(credit_id: int) -> ResponseReturnValue:
    """Ask for a refund. The same form sent twice asks once, and shows what the first one made."""
    found_id = credit_refunds.find_credit(credit_id).id
    try:
        return once(lambda: _asked(found_id)) or redirect(f"{ROOM}/{found_id}", 303)
    except LipaError as refusal:
        return _page(credit_refunds.find_credit(found_id), refusal), refusal.status


def _asked(credit_id: int) -> ResponseReturnValue:
    form = request.form
    amount = form.get("amount", "").strip()
    amount_cents = cents_from_shillings(amount) if amount else None
    reason, payer = form.get("reason", ""), form.get("payer", "")
    asked = credit_refunds.ask(credit_id, require_person(), amount_cents, reason, payer)
    path = f"/admin/refunds/{asked.public_ref}"
    engine.send_now(asked)
    return redirect(path, 303)


def _page(credit: Credit, refusal: LipaError | None = None) -> str:
    """Render the page of money; with a refusal, its form is filled as it was sent."""
    session = db.session()
    refunded = credit_refunds.refunded_cents(session, credit)
    left = credit.amount_cents - refunded
    road, why = credit_refunds.road_for(session, credit, left, refunded)
    return render_template(
        "admin/credit.html",
        credit=credit,
        left_cents=left,
        why=why,
        is_reversal=road is Channel.REVERSAL,
        payer=credit_refunds.payer_words(credit),
        is_payer_known=credit_refunds.payer_number(credit) is not None,
        refunds=credit_refunds.refunds_of(credit),
        form_key=secrets.token_urlsafe(24),
        values=request.form if refusal else {},
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )
