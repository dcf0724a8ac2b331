"""The back office's pages about money out: payouts and refunds, each with what can be done."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require, require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.core.errors import LipaError, NotFound, ValidationError
from app.core.reading import page_of
from app.core.recalling import recalled
from app.core.texts import marked, said
from app.disbursements import approvals, asking, deciding, engine, listing
from app.disbursements.models import Disbursement, Kind
from app.disbursements.references import find
from app.disbursements.states import OutStatus
from app.disbursements.view import view_of
from app.languages import DEFAULT, in_readers_language, language
from app.limits import initiate_limit

out_pages = Blueprint("out_pages", __name__, url_prefix="/admin")

PER_PAGE = 25
_ROOMS = {Kind.PAYOUT: "/admin/payouts", Kind.REFUND: "/admin/refunds"}
Act = Callable[[Disbursement, Person], str]


@out_pages.app_template_filter("recalled")
def in_words(kept: str | None) -> str:
    """Say a sentence that was kept in the database in the language of its reader."""
    if language() == DEFAULT:
        return kept or ""
    return in_readers_language(recalled(kept or ""))


@out_pages.get("/payouts")
@staff_page(May.SEE)
def payouts() -> ResponseReturnValue:
    return _list(Kind.PAYOUT)


@out_pages.get("/payouts/<ref>")
@staff_page(May.SEE)
def payout(ref: str) -> ResponseReturnValue:
    return _show(Kind.PAYOUT, ref)


@out_pages.post("/payouts/<ref>/<action>")
@staff_page(May.SERVE, May.APPROVE, May.PAY_OUT)
@initiate_limit
def act_on_payout(ref: str, action: str) -> ResponseReturnValue:
    return _act(Kind.PAYOUT, ref, action)


@out_pages.get("/refunds")
@staff_page(May.SEE)
def refunds() -> ResponseReturnValue:
    return _list(Kind.REFUND)


@out_pages.get("/refunds/<ref>")
@staff_page(May.SEE)
def refund(ref: str) -> ResponseReturnValue:
    return _show(Kind.REFUND, ref)


@out_pages.post("/refunds/<ref>/<action>")
@staff_page(May.SERVE, May.APPROVE, May.REFUND)
@initiate_limit
def act_on_refund(ref: str, action: str) -> ResponseReturnValue:
    return _act(Kind.REFUND, ref, action)


def _list(kind: Kind) -> ResponseReturnValue:
    page, per_page = page_of(request, PER_PAGE)
    status = _status(request.args.get("status"))
    records, total = listing.page_of(kind, page, per_page, status=status)
    return render_template(
        "disbursements/list.html",
        kind=kind,
        records=records,
        sums=listing.sums(kind),
        status=status,
        page=page,
        pages=max(1, -(-total // per_page)),
        total=total,
        path=_ROOMS[kind],
    )


def _show(kind: Kind, ref: str) -> ResponseReturnValue:
    record = find(ref, kind)
    return render_template(
        "disbursements/record.html",
        view=view_of(record, require_person()),
        record=record,
        path=f"{_ROOMS[kind]}/{record.public_ref}",
    )


def _act(kind: Kind, ref: str, action: str) -> ResponseReturnValue:
    record = find(ref, kind)
    name = record.public_ref
    if action not in _ACTS:
        raise NotFound
    person = require(*_needed(kind, action))
    try:
        flash(_ACTS[action](record, person), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(f"{_ROOMS[kind]}/{name}", 303)


def _needed(kind: Kind, action: str) -> tuple[May, ...]:
    """Return what allows an action. Whoever may ask may say no, and so may the second person."""
    if action == "approve":
        return (May.APPROVE,)
    if action == "call-off":
        return (May.APPROVE, May.PAY_OUT if kind is Kind.PAYOUT else May.REFUND)
    return (May.SERVE,)


def _approve(record: Disbursement, person: Person) -> str:
    record_id = record.id
    approvals.approve(record_id, person)
    engine.send_now(find(record_id))
    return _("Agreed to, with your name beside it.")


def _call_off(record: Disbursement, person: Person) -> str:
    approvals.call_off(record.id, person, request.form.get("why", ""))
    return _("Called off. Nothing was sent.")


def _ask(record: Disbursement, _person: Person) -> str:
    told = asking.ask_soon(record.id)
    if "asked" in told:
        return _("M-Pesa is being asked. Its answer comes by itself.")
    return in_readers_language(told)


def _declare_paid(record: Disbursement, person: Person) -> str:
    evidence = request.form.get("evidence", "")
    deciding.declare_paid(record, person, request.form.get("receipt", ""), evidence)
    return _("Written down as paid, with your name and evidence.")


def _declare_not_paid(record: Disbursement, person: Person) -> str:
    if request.form.get("looked") != "yes":
        raise ValidationError(marked("Look at the M-Pesa statement first, and tick that you have."))
    deciding.declare_not_paid(record, person, request.form.get("evidence", ""))
    return _("Written down as not paid, with your name and evidence.")


def _acknowledge(record: Disbursement, person: Person) -> str:
    deciding.acknowledge(record, person, request.form.get("why", ""))
    return _("Done, and written down with your name.")


_ACTS: dict[str, Act] = {
    "approve": _approve,
    "call-off": _call_off,
    "ask": _ask,
    "declare-paid": _declare_paid,
    "declare-not-paid": _declare_not_paid,
    "acknowledge": _acknowledge,
}


def _status(text: str | None) -> OutStatus | None:
    try:
        return OutStatus(text) if text else None
    except ValueError:
        raise ValidationError(
            said("status must be one of {names}.", names=", ".join(OutStatus))
        ) from None
