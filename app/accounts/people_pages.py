"""The back office's pages about people: who works here, with which role, signed in from where."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts import people, sign_ins
from app.accounts.guard import require_person, staff_page
from app.accounts.models import Person
from app.accounts.programs import in_words
from app.accounts.roles import NAMES, May, Role
from app.core.errors import LipaError, NotFound
from app.settings.service import settings

people_pages = Blueprint("people_pages", __name__, url_prefix="/admin/people")

ROOM = "/admin/people"
Act = Callable[[int, Person, str], str]


@people_pages.get("")
@staff_page(May.MANAGE_PEOPLE)
def list_people() -> ResponseReturnValue:
    email = request.args.get("email", "").strip()
    if not email:
        return _list()
    try:
        return redirect(_path(people.find_by_email(email)), 303)
    except LipaError as refusal:
        return _list(email[:254], refusal.message), refusal.status


@people_pages.get("/<uuid>")
@staff_page(May.MANAGE_PEOPLE)
def show(uuid: str) -> ResponseReturnValue:
    return _page(people.find(uuid))


@people_pages.post("/<uuid>/<action>")
@staff_page(May.MANAGE_PEOPLE)
def act(uuid: str, action: str) -> ResponseReturnValue:
    """Do to somebody what their page offers. Its form says why."""
    found = people.find(uuid)
    if action not in _ACTS:
        raise NotFound
    path = _path(found)
    try:
        flash(_ACTS[action](found.id, require_person(), request.form.get("why", "")), "notice")
    except LipaError as refusal:
        return _page(people.find(uuid), action, refusal), refusal.status
    return redirect(path, 303)


def _give_role(person_id: int, by: Person, why: str) -> str:
    people.give_role(person_id, request.form.get("role", ""), by, why)
    return _("The role counts from now on, and is written down with your name.")


def _suspend(person_id: int, by: Person, why: str) -> str:
    people.suspend(person_id, by, why)
    return _("Suspended: signed out everywhere, and cannot sign in.")


def _restore(person_id: int, by: Person, why: str) -> str:
    people.restore(person_id, by, why)
    return _("Restored: may sign in again.")


def _end_sign_ins(person_id: int, by: Person, why: str) -> str:
    ended = people.end_sign_ins(person_id, by, why)
    return _("Sign-ins ended: %(count)s.", count=ended)


def _reset_second_factor(person_id: int, by: Person, why: str) -> str:
    people.reset_second_factor(person_id, by, why)
    return _("The second factor is gone. They sign in with their password and set up a new one.")


_ACTS: dict[str, Act] = {
    "role": _give_role,
    "suspend": _suspend,
    "restore": _restore,
    "end-sign-ins": _end_sign_ins,
    "reset-second-factor": _reset_second_factor,
}


def _list(email: str = "", problem: str | None = None) -> str:
    return render_template(
        "admin/people.html",
        staff=people.staff(),
        role_names=NAMES,
        email=email,
        problem=problem,
    )


def _page(found: Person, refused: str = "", refusal: LipaError | None = None) -> str:
    return render_template(
        "admin/people_person.html",
        found=found,
        roles=list(Role),
        role_names=NAMES,
        sign_ins=sign_ins.open_ones(found.id),
        in_words=in_words,
        is_wanted=settings().wants_second_factor,
        path=_path(found),
        refused=refused,
        problem=refusal.message if refusal else None,
        values=request.form if refusal else {},
    )


def _path(found: Person) -> str:
    return f"{ROOM}/{found.uuid}"
