"""Codes that shoppers say have paid their orders, and what a person decides about them."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.clock import nairobi
from app.core.errors import LipaError
from app.core.reading import MAX_ID
from app.languages import in_readers_language
from app.limits import initiate_limit
from app.payments.claims import deciding
from app.payments.claims.models import Claim

admin_claim_pages = Blueprint("admin_claim_pages", __name__, url_prefix="/admin/claims")

ROOM = "/admin/claims"


@admin_claim_pages.get("")
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    before = request.args.get("before", type=int)
    if before is not None and not 0 < before <= MAX_ID:
        before = None
    rows = deciding.page(before)
    return render_template(
        "admin/claims.html",
        rows=rows,
        older=rows[-1].id if len(rows) == deciding.PAGE_ROWS else None,
        undecided=[_seen(claim) for claim in deciding.undecided()],
        may_decide=require_person().may(May.SERVE),
    )


@admin_claim_pages.post("/<int:claim_id>/accept")
@staff_page(May.SERVE)
@initiate_limit
def accept(claim_id: int) -> ResponseReturnValue:
    """Give the code's money to the order."""
    try:
        deciding.accept(claim_id, require_person(), request.form.get("why", ""))
        flash(_("Its money is the order's now, and that is written down with your name."), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(ROOM, 303)


@admin_claim_pages.post("/<int:claim_id>/refuse")
@staff_page(May.SERVE)
@initiate_limit
def refuse(claim_id: int) -> ResponseReturnValue:
    """Say no, in words that the shopper reads."""
    try:
        deciding.refuse(claim_id, require_person(), request.form.get("answer", ""))
        flash(
            _("Refused. The shopper reads your words, and your name is kept with them."), "notice"
        )
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(ROOM, 303)


def _seen(claim: Claim) -> dict[str, object]:
    """Put what the books know beside a claim, and the next step."""
    attempt = deciding.unsettled_attempt(claim)
    prefilled = {"receipt": claim.code}
    cents, paid_at = claim.found_cents or claim.amount_cents, claim.found_at or claim.paid_at
    if cents:
        prefilled["amount"] = str(cents // 100)
    if paid_at:
        prefilled["when"] = f"{nairobi(paid_at):%Y-%m-%dT%H:%M}"
    return {
        "claim": claim,
        "credit": deciding.credit_of(claim),
        "is_proven": deciding.is_proven(claim),
        "attempt": attempt,
        "prefilled": prefilled,
    }
