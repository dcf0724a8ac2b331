"""The pages of one's own account: who one is, password, second factor, and open sign-ins."""

from __future__ import annotations

from uuid import UUID

import segno
from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from app.accounts import second_factor, service, sign_ins
from app.accounts.guard import current_sign_in, require_person, signed_in_page
from app.accounts.models import SignIn
from app.accounts.programs import in_words
from app.accounts.roles import MOVES_MONEY, NAMES
from app.core.errors import LipaError, NotFound, Unauthorized
from app.core.texts import marked
from app.extensions import db
from app.mpesa.phone import as_typed
from app.settings.service import settings

own_pages = Blueprint("own_pages", __name__, url_prefix="/account")

PAGE = "/account"
SECURITY = "/account/security"
SECOND_FACTOR = "/account/second-factor"


@own_pages.get("")
@signed_in_page
def account() -> ResponseReturnValue:
    return _details_page()


@own_pages.post("/details")
@signed_in_page
def change_details() -> ResponseReturnValue:
    form = request.form
    try:
        service.change_details(require_person(), form.get("name", ""), form.get("phone"))
    except LipaError as refusal:
        return _details_page(refusal), refusal.status
    flash(_("Your details are changed."), "notice")
    return redirect(PAGE, 303)


@own_pages.get("/security")
@signed_in_page
def security() -> ResponseReturnValue:
    return _security_page()


@own_pages.post("/password")
@signed_in_page
def change_password() -> ResponseReturnValue:
    form = request.form
    try:
        keep = _this_sign_in().uuid
        service.change_password(
            require_person(), form.get("present", ""), form.get("password", ""), keep
        )
    except LipaError as refusal:
        return _security_page(refusal), refusal.status
    flash(_("Your password is changed. Everywhere else you are signed out."), "notice")
    return redirect(SECURITY, 303)


@own_pages.post("/sign-ins/end-others")
@signed_in_page
def end_others() -> ResponseReturnValue:
    ended = sign_ins.end_others(require_person().id, _this_sign_in().uuid)
    flash(_("Signed out elsewhere: %(count)s.", count=ended), "notice")
    return redirect(f"{SECURITY}#sign-ins", 303)


@own_pages.post("/sign-ins/<uuid>/end")
@signed_in_page
def end_one(uuid: str) -> ResponseReturnValue:
    try:
        ended = sign_ins.end_own(require_person().id, UUID(uuid))
    except ValueError:
        ended = False
    if not ended:
        raise NotFound(marked("There is no such sign-in of yours, or it has ended."))
    flash(_("That sign-in has ended."), "notice")
    return redirect(f"{SECURITY}#sign-ins", 303)


@own_pages.get("/second-factor")
@signed_in_page
def second_factor_form() -> ResponseReturnValue:
    return _second_factor_page()


@own_pages.post("/second-factor")
@signed_in_page
def begin_second_factor() -> ResponseReturnValue:
    try:
        second_factor.begin(require_person(), request.form.get("password", ""))
    except LipaError as refusal:
        return _second_factor_page(refusal), refusal.status
    return redirect(SECOND_FACTOR, 303)


@own_pages.post("/second-factor/confirm")
@signed_in_page
def confirm_second_factor() -> ResponseReturnValue:
    """Have it count. The recovery codes are in this answer and nowhere else, ever."""
    try:
        codes = second_factor.confirm(
            require_person(), request.form.get("otp", ""), _this_sign_in()
        )
    except LipaError as refusal:
        return _second_factor_page(refusal), refusal.status
    return render_template("accounts/recovery_codes.html", codes=codes)


def _details_page(refusal: LipaError | None = None) -> str:
    person = require_person()
    typed = request.form if refusal else {}
    return render_template(
        "accounts/account.html",
        values={
            "name": typed.get("name", person.name),
            "phone": typed.get("phone", as_typed(person.phone)),
        },
        role=NAMES[person.role],
        moves_money=any(person.may(what) for what in MOVES_MONEY),
        is_wanted=settings().wants_second_factor,
        problems=_problems(refusal),
    )


def _security_page(refusal: LipaError | None = None) -> str:
    return render_template(
        "accounts/security.html",
        sign_ins=sign_ins.open_ones(require_person().id),
        here=_this_sign_in().uuid,
        in_words=in_words,
        least=service.PASSWORD_MINIMUM,
        problems=_problems(refusal),
    )


def _problems(refusal: LipaError | None) -> dict[str, str]:
    """Return what is wrong by its field; ``form`` is for what is wrong with no field of it."""
    if refusal is None:
        return {}
    return {str(refusal.details.get("field", "form")): refusal.message}


def _second_factor_page(refusal: LipaError | None = None) -> str:
    person = require_person()
    told = second_factor.enrolment(person)
    return render_template(
        "accounts/second_factor.html",
        told=told,
        picture=_picture(told.address) if told else None,
        codes_left=second_factor.recovery_codes_left(db.session(), person),
        codes=second_factor.RECOVERY_CODES,
        problem=refusal.message if refusal else None,
    )


def _picture(address: str) -> Markup:
    """Draw a QR code as SVG, with its own light ground so that phones read it on a dark page."""
    drawn = segno.make_qr(address).svg_inline(scale=4, light="#fff", border=4)
    return Markup(drawn)  # noqa: S704  (drawn here, of modules: no text of anybody stands in it)


def _this_sign_in() -> SignIn:
    found = current_sign_in()
    if found is None:
        raise Unauthorized
    return found
