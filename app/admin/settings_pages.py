"""System settings: what the shop knows of its M-Pesa account, forms for it, and its proofs."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app import go_live, proving
from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.config import Environment
from app.core.errors import Conflict, LipaError, NotFound
from app.core.texts import marked, said
from app.languages import in_readers_language
from app.payments.paybill import registration
from app.payments.paybill.models import C2bRegistration
from app.payments.paybill.registration import PaybillAddresses
from app.settings import service
from app.settings.keys import BY_NAME, ENVIRONMENT, Key

settings_pages = Blueprint("settings_pages", __name__, url_prefix="/admin/settings")
PAGE = "/admin/settings"


@settings_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    standings = service.overview()
    proofs = proving.proofs()
    return render_template(
        "admin/settings.html",
        standings=standings,
        missing=service.missing(standings),
        cautions=service.cautions(standings),
        environments=list(Environment),
        proofs=proofs,
        is_pending=any(proof.state == proving.PENDING for proof in proofs),
        may_set_up=require_person().may(May.SET_UP),
        **_paybill(),
    )


@settings_pages.get("/go-live")
@staff_page(May.SEE)
def show_go_live() -> ResponseReturnValue:
    lines = go_live.checklist()
    missing = sum(line.state == go_live.State.MISSING for line in lines)
    return render_template("admin/settings_go_live.html", lines=lines, missing=missing)


@settings_pages.post("/prove/<name>")
@staff_page(May.SET_UP)
def prove(name: str) -> ResponseReturnValue:
    """Try one credential now. Its result stands on the page."""
    if name not in proving.BY_NAME:
        raise NotFound(marked("There is nothing of that name to prove."))
    proof = proving.prove(name, require_person())
    kind = "error" if proof.state == proving.BAD else "notice"
    label, told = map(in_readers_language, (proof.provable.label, proof.told))
    flash(f"{label}: {told}", kind)
    return redirect(f"{PAGE}#proofs-heading", 303)


@settings_pages.post("/paybill/register")
@staff_page(May.SET_UP)
def register_paybill() -> ResponseReturnValue:
    """Have Daraja post payments by hand to fresh addresses."""
    try:
        registered = registration.register(require_person())
        is_good = registered.state == registration.REGISTERED
        told = in_readers_language(registered.told)
        flash(f"Paybill {registered.shortcode}: {told}", "notice" if is_good else "error")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(f"{PAGE}#paybill-heading", 303)


@settings_pages.post("/<name>")
@staff_page(May.SET_UP)
def save(name: str) -> ResponseReturnValue:
    """Store one setting, or take back what is stored where the form's ``clear`` says so."""
    key = _found(name)
    try:
        _refuse_locked(key)
        flash(_clear(key) if "clear" in request.form else _store(key), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(PAGE, 303)


def _paybill() -> dict[str, object]:
    current = registration.current()
    outdated, addresses = None, None
    if current is not None:
        try:
            outdated = registration.outdated(current)
            addresses = _addresses(current)
        except LipaError as error:
            outdated = error.message
    return {
        "registrations": registration.newest(),
        "registered": current,
        "outdated": outdated,
        "addresses": addresses,
    }


def _addresses(registered: C2bRegistration) -> PaybillAddresses | None:
    """Return what has to be typed into the portal, for whoever may do that."""
    by_hand = registered.state == registration.PORTAL
    allowed = require_person().may(May.SET_UP)
    return registration.addresses_of(registered) if by_hand and allowed else None


def _store(key: Key) -> str:
    service.store_all({key.name: request.form.get("value", "")}, by=require_person())
    label = in_readers_language(key.label)
    if key is ENVIRONMENT:
        return _("%(label)s: stored. Start the shop again to make it count.", label=label)
    if service.settings().is_simulator and key.is_required:
        return _(
            "%(label)s: stored. The embedded simulator knows it after the next start.", label=label
        )
    return _("%(label)s: stored, and in use from now on.", label=label)


def _clear(key: Key) -> str:
    service.clear(key.name, by=require_person())
    return _("%(label)s: what was stored is gone.", label=in_readers_language(key.label))


def _refuse_locked(key: Key) -> None:
    if service.set_outside(service.settings(), key):
        raise Conflict(
            said(
                "{variable} is set in the environment or .env; change it there.",
                variable=key.variable,
            )
        )


def _found(name: str) -> Key:
    if name not in BY_NAME:
        raise NotFound(marked("There is no such setting."))
    return BY_NAME[name]
