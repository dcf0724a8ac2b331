"""The back office's pages about paying many from a file: reading in, looking, asking, agreeing."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.errors import LipaError, ValidationError
from app.core.reading import page_of
from app.core.texts import marked
from app.disbursements import listing
from app.disbursements.models import Kind, PayoutRun
from app.disbursements.states import OutStatus
from app.languages import in_readers_language
from app.limits import initiate_limit
from app.suppliers import run_decisions, run_results, runs
from app.suppliers.run_files import MOST_BYTES, MOST_ROWS
from app.suppliers.run_writing import write

run_pages = Blueprint("run_pages", __name__, url_prefix="/admin/runs")

PER_PAGE = 20
PAYOUTS_PER_PAGE = 50
#: So many rows with problems stand on the page; the file to download has them all.
MOST_SHOWN = 200
#: More than is taken is still read, so that whoever sends it hears why it is too much.
MOST_READ_BYTES = 8 * 1024 * 1024
ROOM = "/admin/runs"


@run_pages.url_value_preprocessor
def _allow_files(_endpoint: str | None, _values: object) -> None:
    # Forms are read before any view is entered, so this must come before that.
    request.max_content_length = MOST_READ_BYTES


@run_pages.get("")
@staff_page(May.SEE)
def list_runs() -> ResponseReturnValue:
    return _list()


@run_pages.post("")
@staff_page(May.PAY_OUT)
@initiate_limit
def upload() -> ResponseReturnValue:
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise ValidationError(marked("Choose a file first."))
        # One byte more than is taken says that there is more.
        run = runs.upload(file.filename, file.stream.read(MOST_READ_BYTES), require_person())
    except LipaError as refusal:
        return _list(refusal.message), refusal.status
    return redirect(_path(run), 303)


@run_pages.get("/<run_id>")
@staff_page(May.SEE)
def show(run_id: str) -> ResponseReturnValue:
    return _page(runs.find(run_id))


@run_pages.post("/<run_id>/ask")
@staff_page(May.PAY_OUT)
@initiate_limit
def ask(run_id: str) -> ResponseReturnValue:
    run = runs.find(run_id)
    form, path = request.form, _path(run)
    ticks = runs.Ticks(
        seal=form.get("seal", ""),
        leave_out=form.get("leave_out") == "yes",
        repeated=form.get("repeated") == "yes",
        again=form.get("again") == "yes",
    )
    try:
        runs.ask(run, require_person(), ticks)
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


@run_pages.post("/<run_id>/write")
@staff_page(May.PAY_OUT)
def go_on(run_id: str) -> ResponseReturnValue:
    run = runs.find(run_id)
    path = _path(run)
    try:
        write(run.id)
        flash(_("Every row is written now."), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


@run_pages.post("/<run_id>/approve")
@staff_page(May.APPROVE)
@initiate_limit
def approve(run_id: str) -> ResponseReturnValue:
    run = runs.find(run_id)
    path = _path(run)
    try:
        outcome = run_decisions.approve(run, require_person())
        if outcome.done:
            count = f"{outcome.done:,}"
            told = _("Agreed to %(count)s payouts, with your name beside them.", count=count)
            flash(told, "notice")
        if outcome.kept_back:
            count = f"{outcome.kept_back:,}"
            told = _("%(count)s payouts still wait for a yes.", count=count)
            flash(" ".join((told, *map(in_readers_language, outcome.reasons))), "error")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


@run_pages.post("/<run_id>/call-off")
@staff_page(May.PAY_OUT, May.APPROVE)
def call_off(run_id: str) -> ResponseReturnValue:
    run = runs.find(run_id)
    path = _path(run)
    try:
        done = run_decisions.call_off(run, require_person(), request.form.get("why", ""))
        told = _("%(count)s payouts are called off. Nothing of them was sent.", count=f"{done:,}")
        flash(told, "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


@run_pages.get("/<run_id>/results.csv")
@staff_page(May.SEE)
def results(run_id: str) -> ResponseReturnValue:
    run = runs.find(run_id)
    return Response(
        run_results.as_csv(run),
        mimetype="text/csv",
        headers={
            "Content-Disposition": f'attachment; filename="payouts-{run.created_at:%Y%m%d}.csv"'
        },
    )


def _list(problem: str | None = None) -> str:
    page, per_page = page_of(request, PER_PAGE)
    found, total = runs.page_of_runs(page, per_page)
    return render_template(
        "suppliers/runs.html",
        runs=found,
        problem=problem,
        page=page,
        pages=max(1, -(-total // per_page)),
        most_rows=MOST_ROWS,
        most_megabytes=MOST_BYTES // 1024 // 1024,
    )


def _page(run: PayoutRun) -> str:
    person = require_person()
    if run.asked_at is None:
        return render_template(
            "suppliers/draft.html",
            run=run,
            preview=runs.preview(run),
            is_mine=run.made_by == person.id,
            most_shown=MOST_SHOWN,
            path=_path(run),
        )
    page, per_page = page_of(request, PAYOUTS_PER_PAGE)
    records, total = listing.page_of(Kind.PAYOUT, page, per_page, run_id=run.id)
    tally = run_results.tally(run)
    return render_template(
        "suppliers/run.html",
        run=run,
        tally=tally,
        waits=tally.counts[OutStatus.AWAITING_APPROVAL],
        left_out=[row for row in run.sheet if row["left_out"]],
        most_shown=MOST_SHOWN,
        is_mine=run.made_by == person.id,
        records=records,
        page=page,
        pages=max(1, -(-total // per_page)),
        path=_path(run),
    )


def _path(run: PayoutRun) -> str:
    return f"{ROOM}/{run.uuid}"
