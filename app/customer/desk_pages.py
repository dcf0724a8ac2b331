"""The back office's page for erasing somebody who asks the shop for it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts import people
from app.accounts.guard import require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.core.errors import LipaError
from app.customer import erasure
from app.customer.open_business import still_open
from app.extensions import db

customer_desk = Blueprint("customer_desk", __name__, url_prefix="/admin/people")


@customer_desk.get("/<uuid>/erase")
@staff_page(May.MANAGE_PEOPLE)
def form(uuid: str) -> ResponseReturnValue:
    return _page(people.find(uuid))


@customer_desk.post("/<uuid>/erase")
@staff_page(May.MANAGE_PEOPLE)
def erase(uuid: str) -> ResponseReturnValue:
    found = people.find(uuid)
    try:
        erasure.erase(found.id, require_person(), request.form.get("why", ""))
    except LipaError as refusal:
        return _page(people.find(uuid), refusal), refusal.status
    flash(_("The account is erased. The books keep what they must."), "notice")
    return redirect(f"/admin/people/{uuid}", 303)


def _page(found: Person, refusal: LipaError | None = None) -> str:
    return render_template(
        "customer/erase_person.html",
        found=found,
        reasons=still_open(db.session(), found),
        problem=refusal.message if refusal else None,
        why=request.form.get("why", ""),
    )
