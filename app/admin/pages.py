"""What the shop's people see first: is all well, did it come in, and what waits for a person."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.admin.dashboard import duration, plots
from app.alerts.service import open_alerts
from app.core.clock import now
from app.core.errors import LipaError, NotFound
from app.core.reading import MAX_ID
from app.disbursements import questions as out_questions
from app.disbursements.questions import OutQuestion
from app.figures import callbacks
from app.figures import service as figures
from app.figures.periods import CHOICES, days_from
from app.figures.words import ABOUT, NAMES, of_reason
from app.languages import in_readers_language
from app.payments import deciding, queries, questions, suspicion
from app.payments.questions import Question

admin_pages = Blueprint("admin_pages", __name__, url_prefix="/admin")

NEWEST_PAYMENTS = 20
MOST_ALERTS = 20
MOST_UNPROVEN = 20
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
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    told = figures.figures(days_from(request.args.get("days")))
    return render_template(
        "admin/index.html",
        alerts=open_alerts(MOST_ALERTS),
        glance=figures.glance(),
        questions=_questions(),
        set_aside=out_questions.to_send_back(),
        figures=told,
        plots=plots(told),
        choices=CHOICES,
        about=ABOUT,
        names=NAMES,
        of_reason=of_reason,
        duration=duration,
        payments=queries.recent(NEWEST_PAYMENTS),
        patterns=suspicion.patterns(),
        unproven=callbacks.unproven(MOST_UNPROVEN),
        as_of=now(),
    )


def _questions() -> list[Question | OutQuestion]:
    """Return what waits for a person, whichever way the money goes; oldest first."""
    waiting: list[Question | OutQuestion] = []
    waiting += questions.open_questions()
    waiting += out_questions.open_questions()
    return sorted(waiting, key=lambda question: question.since)


@admin_pages.post("/questions/<action>/<int:subject_id>")
@staff_page(May.SERVE)
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
        flash(_("Done, and written down with your name."), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect("/admin", 303)
