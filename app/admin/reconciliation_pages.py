"""Statements for people: sending one in, what it says beside our books, and what to do about it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import current_person, require_person, staff_page
from app.accounts.roles import May
from app.core.clock import nairobi
from app.core.errors import LipaError, NotFound, ValidationError
from app.core.reading import MAX_ID
from app.core.texts import marked, said
from app.languages import in_readers_language
from app.limits import initiate_limit
from app.reconciliation import closing, deciding, listing, pulling, uploads
from app.reconciliation.models import DifferenceKind, Statement

reconciliation_pages = Blueprint(
    "reconciliation_pages", __name__, url_prefix="/admin/reconciliation"
)

ROOM = "/admin/reconciliation"
PER_PAGE = 50
STATEMENTS_PER_PAGE = 20
#: A form has a few hundred bytes beside its file.
MOST_READ_BYTES = uploads.MOST_BYTES + 1024 * 1024


@reconciliation_pages.url_value_preprocessor
def _allow_files(endpoint: str | None, _values: object) -> None:
    # Forms are read before any view is entered, so this must come before that; a stranger's are
    # not worth reading.
    if request.method != "POST" or endpoint != "reconciliation_pages.upload":
        return
    person = current_person()
    if person is not None and person.may(May.RECONCILE):
        request.max_content_length = MOST_READ_BYTES


@reconciliation_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    return _list()


@reconciliation_pages.post("")
@staff_page(May.RECONCILE)
@initiate_limit
def upload() -> ResponseReturnValue:
    """Take a statement in; its reading is the background's."""
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise ValidationError(marked("Choose a file first."))
        kept = uploads.keep(file.stream, file.filename, require_person())
    except LipaError as refusal:
        return _list(refusal.message), refusal.status
    if not kept.is_new:
        flash(_("This very file was sent before: here is what came of it."), "notice")
    return redirect(_path(kept.statement), 303)


@reconciliation_pages.post("/pull")
@staff_page(May.RECONCILE)
@initiate_limit
def pull() -> ResponseReturnValue:
    """Have Daraja asked for the last 48 hours."""
    try:
        statement = pulling.ask(require_person(), request.form.get("nominated_number", ""))
    except LipaError as refusal:
        return _list(pull_problem=refusal.message), refusal.status
    return redirect(_path(statement), 303)


@reconciliation_pages.get("/<uuid>")
@staff_page(May.SEE)
def statement(uuid: str) -> ResponseReturnValue:
    found = listing.find(uuid)
    kind, after = _kind(request.args.get("kind")), number_of("after")
    rows = listing.differences(found, kind, after, PER_PAGE + 1)
    tallies = listing.tallies(found)
    open_count = sum(tally.open for tally in tallies if not tally.is_harmless)
    return render_template(
        "admin/reconciliation/statement.html",
        statement=found,
        tallies=tallies,
        open_count=open_count,
        dealt_with=sum(tally.count - tally.open for tally in tallies if not tally.is_harmless),
        is_green=found.is_whole and open_count == 0,
        kind=kind,
        differences=rows[:PER_PAGE],
        payments=listing.payments_of(rows[:PER_PAGE]),
        onward=rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None,
        is_first=after is None,
        nairobi_minute=lambda at: nairobi(at).strftime("%Y-%m-%dT%H:%M"),
        may_reconcile=require_person().may(May.RECONCILE),
        path=_path(found),
    )


@reconciliation_pages.post("/<uuid>/compare")
@staff_page(May.RECONCILE)
def compare(uuid: str) -> ResponseReturnValue:
    found = listing.find(uuid)
    path = _path(found)
    try:
        deciding.compare_again(found.id, require_person())
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


@reconciliation_pages.post("/<uuid>/differences/<int:difference_id>/<action>")
@staff_page(May.RECONCILE)
@initiate_limit
def decide(uuid: str, difference_id: int, action: str) -> ResponseReturnValue:
    """Carry out the next step of a difference."""
    path, person = _path(listing.find(uuid)), require_person()
    why = request.form.get("why", "")
    try:
        if difference_id > MAX_ID:
            raise NotFound
        if action == "assign":
            deciding.assign(difference_id, request.form.get("order", ""), person, why)
            told = marked("Assigned, and written down with your name")
        elif action == "explain":
            deciding.explain(difference_id, person, why)
            told = marked("Written down with your name")
        elif action == "ask":
            told = deciding.ask_daraja(difference_id, person)
        elif action == "receipt":
            told = deciding.take_receipt(difference_id, person)
        else:
            raise NotFound
        told = in_readers_language(told)
        flash(f"{told[0].upper()}{told[1:]}.", "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(path, 303)


def _list(problem: str | None = None, pull_problem: str | None = None) -> str:
    before = number_of("before")
    found = listing.statements(before, STATEMENTS_PER_PAGE + 1)
    shown = found[:STATEMENTS_PER_PAGE]
    return render_template(
        "admin/reconciliation/statements.html",
        statements=shown,
        open_counts=listing.open_counts(shown),
        onward=shown[-1].id if len(found) > STATEMENTS_PER_PAGE else None,
        is_first=before is None,
        problem=problem,
        pull_problem=pull_problem,
        shortcodes=uploads.our_shortcodes(),
        most_megabytes=uploads.MOST_BYTES // 1024 // 1024,
        days=closing.waiting(),
        may_reconcile=require_person().may(May.RECONCILE),
    )


def _kind(text: str | None) -> DifferenceKind | None:
    try:
        return DifferenceKind(text) if text else None
    except ValueError as error:
        raise ValidationError(marked("There is no such kind of difference.")) from error


def number_of(name: str) -> int | None:
    """Read the key of the last row that was seen. Raises ValidationError."""
    text = request.args.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID):
        raise ValidationError(said("{name} must be the number of a row.", name=name))
    return int(text)


def _path(statement: Statement) -> str:
    return f"{ROOM}/{statement.uuid}"
