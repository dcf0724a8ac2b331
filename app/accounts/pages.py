"""The pages for signing in, making an account, and looking at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.accounts import service
from app.accounts.guard import current_person, open_to_all, require_person, signed_in_page
from app.accounts.models import Person
from app.accounts.tokens import put_in_browser, sign_in_of_request, take_from_browser
from app.core.errors import LipaError
from app.limits import registration_limit, sign_in_limit

account_pages = Blueprint("account_pages", __name__)


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
    return _welcome(person)


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
        service.end_sign_in(sign_in_uuid)
    response = redirect("/", 303)
    take_from_browser(response)
    flash("You are signed out.", "notice")
    return response


@account_pages.get("/account")
@signed_in_page
def account() -> ResponseReturnValue:
    return render_template("accounts/account.html", person=require_person())


def _welcome(person: Person) -> ResponseReturnValue:
    person_uuid = person.uuid
    sign_in = service.start_sign_in(
        person.id, request.remote_addr, request.headers.get("User-Agent")
    )
    response = _onward()
    put_in_browser(response, sign_in.uuid, person_uuid)
    return response


def _onward() -> Response:
    return redirect(own_address(request.values.get("next")), 303)


def own_address(wanted: str | None) -> str:
    """Return where to go next: a path of this shop, or its front page for anything else."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(wanted)
    clean = wanted.isprintable() and "\\" not in wanted and not parts.scheme and not parts.netloc
    return wanted if clean else "/"


def _sign_in_page(email: str = "", problem: str | None = None) -> str:
    return render_template(
        "accounts/sign_in.html",
        next=own_address(request.values.get("next")),
        email=email,
        problem=problem,
    )


def _register_page(values: dict[str, str], problems: dict[str, str]) -> str:
    return render_template(
        "accounts/register.html",
        next=own_address(request.values.get("next")),
        values=values,
        problems=problems,
    )
