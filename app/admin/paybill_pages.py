"""What Daraja has posted about the paybill, and what a person decides about it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.errors import LipaError
from app.core.reading import MAX_ID
from app.languages import in_readers_language
from app.payments.paybill import deciding

paybill_pages = Blueprint("paybill_pages", __name__, url_prefix="/admin/paybill")


@paybill_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    before = request.args.get("before", type=int)
    if before is not None and not 0 < before <= MAX_ID:
        before = None
    rows = deciding.page(before)
    older = rows[-1].id if len(rows) == deciding.PAGE_ROWS else None
    person = require_person()
    return render_template(
        "admin/paybill.html",
        rows=rows,
        older=older,
        undecided=deciding.undecided(),
        may_believe=person.may(May.APPROVE),
        may_put_aside=person.may(May.SERVE) or person.may(May.APPROVE),
    )


@paybill_pages.post("/<int:notice_id>/believe")
@staff_page(May.APPROVE)
def believe(notice_id: int) -> ResponseReturnValue:
    """Credit what somebody has seen in the statement."""
    try:
        told = deciding.believe(notice_id, require_person(), request.form.get("why", ""))
        said = in_readers_language(told)
        flash(_("Written down with your name: %(told)s.", told=said), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect("/admin/paybill", 303)


@paybill_pages.post("/<int:notice_id>/aside")
@staff_page(May.SERVE, May.APPROVE)
def put_aside(notice_id: int) -> ResponseReturnValue:
    """Take news off the list that brought no money."""
    try:
        deciding.put_aside(notice_id, require_person(), request.form.get("why", ""))
        flash(_("Put aside, and written down with your name."), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect("/admin/paybill", 303)
