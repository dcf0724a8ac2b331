"""The forms of a payment's page by which two people settle it by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.admin.payment_view import payment_page
from app.core.clock import NAIROBI
from app.core.errors import LipaError, ValidationError
from app.core.money import cents_from_shillings
from app.core.texts import marked
from app.limits import initiate_limit
from app.payments import by_hand
from app.payments.queries import find_payment

settlement_pages = Blueprint("settlement_pages", __name__, url_prefix="/admin/payments")


@settlement_pages.post("/<ref>/settlements")
@staff_page(May.SERVE)
@initiate_limit
def propose(ref: str) -> ResponseReturnValue:
    """Propose to settle a payment by what the statement shows."""

    def work(name: str) -> None:
        by_hand.propose(
            name,
            require_person(),
            receipt=request.form.get("receipt", ""),
            amount_cents=_amount(request.form.get("amount", "")),
            paid_at=_moment(request.form.get("when", "")),
            seen=request.form.get("seen", ""),
        )

    return _carried_out(ref, "by-hand", work, _("Proposed. Another person has to agree."))


@settlement_pages.post("/<ref>/settlements/<int:settlement_id>/approve")
@staff_page(May.APPROVE)
@initiate_limit
def approve(ref: str, settlement_id: int) -> ResponseReturnValue:
    """Agree to a settlement, and settle."""

    def work(name: str) -> None:
        by_hand.approve(by_hand.settlement_of(name, settlement_id), require_person())

    return _carried_out(ref, "by-hand", work, _("Settled, and written down with both names."))


@settlement_pages.post("/<ref>/settlements/<int:settlement_id>/refuse")
@staff_page(May.APPROVE, May.SERVE)
@initiate_limit
def refuse(ref: str, settlement_id: int) -> ResponseReturnValue:
    """Refuse a settlement, or take back one's own."""

    def work(name: str) -> None:
        found = by_hand.settlement_of(name, settlement_id)
        by_hand.refuse(found, require_person(), request.form.get("why", ""))

    return _carried_out(ref, "refuse", work, _("Refused, and written down with your name."))


def _carried_out(
    ref: str, form: str, work: Callable[[str], None], done: str
) -> ResponseReturnValue:
    name = find_payment(ref).public_ref
    try:
        work(name)
    except LipaError as refusal:
        if "field" not in refusal.details:
            form = "by-hand"
        return payment_page(find_payment(name), refusal, form=form), refusal.status
    flash(done, "notice")
    return redirect(f"/admin/payments/{name}#by-hand", 303)


def _amount(text: str) -> int:
    cents = cents_from_shillings(text)
    if cents == 0:
        raise ValidationError(marked("Nothing cannot be settled."), details={"field": "amount"})
    return cents


def _moment(text: str) -> datetime:
    """Read what a browser sends of a day and time in Nairobi. Raises ValidationError."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=NAIROBI)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationError(
            marked("Write when it was paid as 2026-11-21T16:05."), details={"field": "when"}
        ) from error
