"""What an admin sees first: what waits for a person, what came in, what was not proven."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import admin_page, require_person
from app.accounts.models import Person
from app.core.errors import LipaError, NotFound
from app.disbursements import questions as out_questions
from app.disbursements.questions import OutQuestion
from app.payments import deciding, queries, questions, suspicion
from app.payments.questions import Question

admin_pages = Blueprint("admin_pages", __name__, url_prefix="/admin")

MAX_ID = 2**63 - 1
Decide = Callable[[int, Person, str], None]
_DECISIONS: dict[str, Decide] = {
    "accept": deciding.accept,
    "ask_for_rest": deciding.ask_for_rest,
    "set_aside": deciding.set_aside,
    "acknowledge": deciding.acknowledge,
    "delivered": deciding.delivered,
    "more_time": deciding.more_time,
}


@admin_pages.get("")
@admin_page
def index() -> ResponseReturnValue:
    return render_template(
        "admin/index.html",
        payments=queries.recent(),
        questions=_questions(),
        set_aside=out_questions.to_send_back(),
        patterns=suspicion.patterns(),
        unproven=queries.unproven_callbacks(),
        figures=queries.figures(),
    )


def _questions() -> list[Question | OutQuestion]:
    """Return what waits for a person, whichever way the money goes; oldest first."""
    waiting: list[Question | OutQuestion] = []
    waiting += questions.open_questions()
    waiting += out_questions.open_questions()
    return sorted(waiting, key=lambda question: question.since)


@admin_pages.post("/questions/<action>/<int:subject_id>")
@admin_page
def decide(action: str, subject_id: int) -> ResponseReturnValue:
    """Carry out the next step that a question offers. Its form says why."""
    person, why = require_person(), request.form.get("why", "")
    try:
        if subject_id > MAX_ID:
            raise NotFound
        if action == "assign":
            deciding.assign(subject_id, request.form.get("order", ""), person, why)
        elif action in _DECISIONS:
            _DECISIONS[action](subject_id, person, why)
        else:
            raise NotFound
        flash("Done, and written down with your name.", "notice")
    except LipaError as refusal:
        flash(refusal.message, "error")
    return redirect("/admin", 303)
