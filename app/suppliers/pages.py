"""The back office's pages about suppliers: whom the shop pays, under which number, and paying."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.errors import Conflict, LipaError
from app.core.money import Kes
from app.core.reading import page_of
from app.core.texts import said
from app.disbursements import engine, listing
from app.disbursements.models import Disbursement, Kind
from app.disbursements.references import find as find_payout
from app.disbursements.states import NOT_PAID
from app.disbursements.view import again_key
from app.languages import in_readers_language
from app.limits import initiate_limit
from app.suppliers import forms, numbers, payouts, service
from app.suppliers.models import Supplier

supplier_pages = Blueprint("supplier_pages", __name__, url_prefix="/admin")

PER_PAGE = 25
#: So many payouts stand on a supplier's own page at once.
PAYOUTS_PER_PAGE = 10
ROOM = "/admin/suppliers"
Values = Mapping[str, str]


@supplier_pages.get("/suppliers")
@staff_page(May.SEE)
def suppliers() -> ResponseReturnValue:
    page, per_page = page_of(request, PER_PAGE)
    search = request.args.get("search", "")[:100]
    found, total = service.page_of_suppliers(page, per_page, search)
    return render_template(
        "suppliers/list.html",
        suppliers=found,
        search=search,
        page=page,
        pages=max(1, -(-total // per_page)),
        total=total,
    )


@supplier_pages.get("/suppliers/new")
@staff_page(May.PAY_OUT)
def new_supplier() -> ResponseReturnValue:
    return _new_page({})


@supplier_pages.post("/suppliers")
@staff_page(May.PAY_OUT)
def add_supplier() -> ResponseReturnValue:
    try:
        details = forms.details_of(request.form)
        supplier = service.create(
            details.name,
            request.form.get("mpesa_number", ""),
            require_person(),
            email=details.email,
            notes=details.notes,
        )
    except LipaError as refusal:
        return _new_page(request.form, refusal), refusal.status
    flash(_("%(name)s is a supplier now.", name=supplier.name), "notice")
    return redirect(_path(supplier), 303)


@supplier_pages.get("/suppliers/<supplier_id>")
@staff_page(May.SEE)
def supplier(supplier_id: str) -> ResponseReturnValue:
    return _page(service.find(supplier_id))


@supplier_pages.post("/suppliers/<supplier_id>")
@staff_page(May.PAY_OUT)
def change_supplier(supplier_id: str) -> ResponseReturnValue:
    def change(found: Supplier) -> str:
        details = forms.details_of(request.form)
        service.change(
            found,
            require_person(),
            name=details.name,
            email=details.email,
            notes=details.notes,
        )
        return _("Stored.")

    return _changed(supplier_id, "details", change)


@supplier_pages.post("/suppliers/<supplier_id>/number")
@staff_page(May.PAY_OUT)
def change_number(supplier_id: str) -> ResponseReturnValue:
    def change(found: Supplier) -> str:
        text, reason = request.form.get("mpesa_number", ""), request.form.get("reason", "")
        if numbers.change_number(found.id, text, reason, require_person()) is None:
            return _("This is the number already. Nothing was changed.")
        return _("The number is changed. The other admins are shown the change.")

    return _changed(supplier_id, "number", change)


@supplier_pages.post("/suppliers/<supplier_id>/prove")
@staff_page(May.PAY_OUT, May.APPROVE)
def prove_number(supplier_id: str) -> ResponseReturnValue:
    def prove(found: Supplier) -> str:
        numbers.prove(found.id, require_person())
        return _("The number counts as sure now, and your name stands beside it.")

    return _changed(supplier_id, "prove", prove)


@supplier_pages.post("/suppliers/<supplier_id>/active")
@staff_page(May.PAY_OUT)
def set_active(supplier_id: str) -> ResponseReturnValue:
    def change(found: Supplier) -> str:
        is_active = request.form.get("active") == "yes"
        service.change(found, require_person(), is_active=is_active)
        return _("Active: it can be paid.") if is_active else _("Retired: it is not paid any more.")

    return _changed(supplier_id, "active", change)


@supplier_pages.post("/suppliers/<supplier_id>/pay")
@staff_page(May.PAY_OUT)
@initiate_limit
def pay(supplier_id: str) -> ResponseReturnValue:
    """Pay a supplier. The same form sent twice pays once, and shows what the first one made."""
    found = service.find(supplier_id)
    uuid, notes = str(found.uuid), request.form.get("notes", "")
    try:
        amount_cents = forms.amount_of(request.form)
        key = forms.form_key_of(request.form)
        payout = payouts.ask(uuid, amount_cents, notes, require_person(), form_key=key)
        _require_same(payout, uuid, amount_cents)
    except LipaError as refusal:
        return _page(service.find(uuid), "pay", refusal), refusal.status
    return _sent(payout)


@supplier_pages.get("/payouts/<ref>/again")
@staff_page(May.PAY_OUT)
def pay_again_form(ref: str) -> ResponseReturnValue:
    failed = _unpaid(ref)
    return render_template("suppliers/again.html", failed=failed)


@supplier_pages.post("/payouts/<ref>/again")
@staff_page(May.PAY_OUT)
@initiate_limit
def pay_again(ref: str) -> ResponseReturnValue:
    """Make a new payout in the place of one that came to nothing; two who press make one."""
    try:
        failed = _unpaid(ref)
        payout = payouts.ask(
            failed.supplier_id,
            failed.amount_cents,
            failed.reason,
            require_person(),
            form_key=again_key(failed),
        )
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
        return redirect(f"/admin/payouts/{find_payout(ref, Kind.PAYOUT).public_ref}", 303)
    return _sent(payout)


def _unpaid(ref: str) -> Disbursement:
    found = find_payout(ref, Kind.PAYOUT)
    if found.status not in NOT_PAID:
        raise Conflict(
            said(
                "{payout} is {status}: it is not paid again.",
                payout=found.public_ref,
                status=said(found.status),
            )
        )
    return found


def _require_same(payout: Disbursement, supplier_uuid: str, amount_cents: int) -> None:
    """Raise Conflict where a form that was used before asks for something else now."""
    is_same = payout.supplier is not None and str(payout.supplier.uuid) == supplier_uuid
    if not is_same or payout.amount_cents != amount_cents:
        raise Conflict(
            said(
                "This form has made {payout} already, {amount}. Nothing more was paid. To pay "
                "more, open the page again.",
                payout=payout.public_ref,
                amount=Kes(payout.amount_cents),
            )
        )


def _sent(payout: Disbursement) -> ResponseReturnValue:
    name = payout.public_ref
    engine.send_now(payout)
    return redirect(f"/admin/payouts/{name}", 303)


def _changed(supplier_id: str, form: str, change: Callable[[Supplier], str]) -> ResponseReturnValue:
    """Carry out a form of a supplier's page; what is wrong is told beside its field."""
    found = service.find(supplier_id)
    uuid = str(found.uuid)
    try:
        flash(change(found), "notice")
    except LipaError as refusal:
        return _page(service.find(uuid), form, refusal), refusal.status
    return redirect(f"{ROOM}/{uuid}", 303)


def _page(found: Supplier, form: str = "", refusal: LipaError | None = None) -> str:
    """Render a supplier's page. ``form`` is the one that was refused, with what was typed."""
    page, per_page = page_of(request, PAYOUTS_PER_PAGE)
    records, total = listing.page_of(Kind.PAYOUT, page, per_page, supplier_id=found.id)
    person = require_person()
    change = numbers.history(found.id, limit=1)
    return render_template(
        "suppliers/supplier.html",
        supplier=found,
        history=numbers.history(found.id),
        cooling_until=numbers.cooling_now(found.id),
        changed_by_me=bool(change) and change[0].changed_by == person.id,
        payouts=records,
        payouts_total=total,
        page=page,
        pages=max(1, -(-total // per_page)),
        form_key=secrets.token_urlsafe(24),
        refused=form,
        values=request.form if form else {},
        **_told(refusal),
    )


def _new_page(values: Values, refusal: LipaError | None = None) -> str:
    return render_template("suppliers/new.html", values=values, **_told(refusal))


def _told(refusal: LipaError | None) -> dict[str, object]:
    """Return what was refused: by field where it belongs to one, else for the whole form."""
    if refusal is None:
        return {"problems": {}, "problem": None}
    field = refusal.details.get("field")
    if field is None:
        return {"problems": {}, "problem": refusal.message}
    return {"problems": {str(field): refusal.message}, "problem": None}


def _path(found: Supplier) -> str:
    return f"{ROOM}/{found.uuid}"
