"""The pages for signing in, in one step or two, signing out, and making an account."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, flash, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.accounts import people, second_factor, service, sign_ins
from app.accounts.addresses import own_address
from app.accounts.guard import current_person, open_to_all
from app.accounts.models import Person
from app.accounts.tokens import put_in_browser, sign_in_of_request, take_from_browser
from app.core.clock import now
from app.core.errors import LipaError
from app.limits import registration_limit, sign_in_limit

account_pages = Blueprint("account_pages", __name__)

_SECOND_STEP = "second_step"
#: How long whoever has given the right password may look for their phone.
SECOND_STEP_SECONDS = 300


@account_pages.get("/sign-in")
@open_to_all
def sign_in_form() -> ResponseReturnValue:
    return _onward() if current_person() else _sign_in_page()


@account_pages.post("/sign-in")
@open_to_all
@sign_in_limit
def sign_in() -> ResponseReturnValue:
    email = request.form.get("email", "")
    try:
        person = service.authenticate(email, request.form.get("password", ""))
    except LipaError as refusal:
        return _sign_in_page(email, refusal.message), refusal.status
    if person.has_second_factor:
        return _to_second_step(person)
    return _welcome(person)


@account_pages.get("/sign-in/code")
@open_to_all
def code_form() -> ResponseReturnValue:
    return _code_page() if _half_signed_in() else redirect("/sign-in", 303)


@account_pages.post("/sign-in/code")
@open_to_all
def code() -> ResponseReturnValue:
    """Take the second step, the code, of whoever has given the right password just now."""
    person = _half_signed_in()
    if person is None:
        flash(_("That took too long. Sign in again."), "error")
        return redirect("/sign-in", 303)
    try:
        second_factor.check(person, request.form.get("otp", ""))
    except LipaError as refusal:
        return _code_page(refusal.message), refusal.status
    session.pop(_SECOND_STEP)
    return _welcome(person, second_factor=True)


@account_pages.get("/register")
@open_to_all
def register_form() -> ResponseReturnValue:
    return _onward() if current_person() else _register_page({}, {})


@account_pages.post("/register")
@open_to_all
@registration_limit
def register() -> ResponseReturnValue:
    values = {name: request.form.get(name, "") for name in ("name", "email", "phone")}
    try:
        person = service.register(
            values["email"], request.form.get("password", ""), values["name"], values["phone"]
        )
    except LipaError as refusal:
        field = str(refusal.details.get("field", "email"))
        return _register_page(values, {field: refusal.message}), refusal.status
    return _welcome(person)


@account_pages.post("/sign-out")
@open_to_all
def sign_out() -> ResponseReturnValue:
    if current_person() is not None and (sign_in_uuid := sign_in_of_request()):
        sign_ins.end(sign_in_uuid)
    response = redirect("/", 303)
    take_from_browser(response)
    flash(_("You are signed out."), "notice")
    return response


def _to_second_step(person: Person) -> ResponseReturnValue:
    """Remember, in the browser's signed cookie, who has given the right password."""
    session[_SECOND_STEP] = {"person": str(person.uuid), "at": now().timestamp()}
    onward = quote(own_address(request.values.get("next")))
    return redirect(f"/sign-in/code?next={onward}", 303)


def _half_signed_in() -> Person | None:
    kept = session.get(_SECOND_STEP)
    if not kept or now().timestamp() - kept["at"] > SECOND_STEP_SECONDS:
        return None
    person = people.find(kept["person"])
    return None if person.is_suspended or person.is_erased else person


def _welcome(person: Person, *, second_factor: bool = False) -> ResponseReturnValue:
    person_uuid = person.uuid
    program = request.headers.get("User-Agent")
    sign_in = sign_ins.start(person.id, request.remote_addr, program, second_factor=second_factor)
    response = _onward()
    put_in_browser(response, sign_in.uuid, person_uuid)
    return response


def _onward() -> Response:
    return redirect(own_address(request.values.get("next")), 303)


def _sign_in_page(email: str = "", problem: str | None = None) -> str:
    return render_template(
        "accounts/sign_in.html",
        next=own_address(request.values.get("next")),
        email=email,
        problem=problem,
    )


def _code_page(problem: str | None = None) -> str:
    onward = own_address(request.values.get("next"))
    return render_template("accounts/code.html", next=onward, problem=problem)


def _register_page(values: dict[str, str], problems: dict[str, str]) -> str:
    return render_template(
        "accounts/register.html",
        least=service.PASSWORD_MINIMUM,
        next=own_address(request.values.get("next")),
        values=values,
        problems=problems,
    )
