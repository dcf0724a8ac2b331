"""The daily close for people: which days are closed, what a day came to, and closing it."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import gettext as _

from app.accounts.guard import require_person, staff_page
from app.accounts.roles import May
from app.core.clock import nairobi, now
from app.core.errors import LipaError, NotFound
from app.core.texts import marked
from app.languages import in_readers_language
from app.reconciliation import closing

close_pages = Blueprint("close_pages", __name__, url_prefix="/admin/reconciliation/closes")

ROOM = "/admin/reconciliation/closes"
PER_PAGE = 31


@close_pages.app_template_filter("day")
def day_in_words(day: date, *, with_year: bool = True) -> str:
    """Write a day for the page's reader: ``21 Nov 2026``."""
    return str(format_date(day, "d MMM y" if with_year else "d MMM"))


@close_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    before = request.args.get("before")
    found = closing.closes(_day(before) if before else None, PER_PAGE + 1)
    shown = found[:PER_PAGE]
    return render_template(
        "admin/reconciliation/closes.html",
        closes=shown,
        onward=shown[-1].day if len(found) > PER_PAGE else None,
        is_first=not before,
        waiting=closing.waiting(),
    )


@close_pages.get("/<day>")
@staff_page(May.SEE)
def show_day(day: str) -> ResponseReturnValue:
    wanted = _day(day)
    closed = closing.closed(wanted)
    return render_template(
        "admin/reconciliation/day.html",
        day=wanted,
        closed=closed,
        figures=closed or closing.figures(wanted),
        late=closing.came_after(closed) if closed else [],
        is_over=wanted < nairobi(now()).date(),
        may_reconcile=require_person().may(May.RECONCILE),
        path=f"{ROOM}/{wanted.isoformat()}",
    )


@close_pages.post("/<day>")
@staff_page(May.RECONCILE)
def close(day: str) -> ResponseReturnValue:
    wanted = _day(day)
    try:
        closing.close(wanted, require_person(), request.form.get("note", ""))
        flash(_("The day is closed, with your name beside it."), "notice")
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(f"{ROOM}/{wanted.isoformat()}", 303)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise NotFound(marked("Days are written as 2026-11-21.")) from error
    # Before the first shilling moved by phone, and after everybody's books.
    if not 2007 <= day.year <= 2200:
        raise NotFound(marked("There is no such day in any books."))
    return day
