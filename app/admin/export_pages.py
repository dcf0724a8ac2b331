"""Taking the books out as files. Whoever does is written down, with what was taken."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue

from app.accounts.guard import require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.audit.service import record
from app.core.clock import nairobi, now
from app.core.errors import Forbidden, ValidationError
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.exports.tables import TABLES, What, Wish
from app.exports.writing import MOST_ROWS, as_csv, as_workbook
from app.limits import initiate_limit
from app.monitoring import redact
from app.payments.search import Filters, read_days, read_filters
from app.payments.states import Status

export_pages = Blueprint("export_pages", __name__, url_prefix="/admin/exports")

_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Whoever pays or serves has to know whom; nobody else gets whole numbers.
_WHOLE_PHONES = (May.SERVE, May.PAY_OUT)


@export_pages.get("")
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    return _page(request.args)


@export_pages.get("/file")
@staff_page(May.SEE)
@initiate_limit
def take() -> ResponseReturnValue:
    """Send a table as a file."""
    person = require_person()
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        # It changes nothing, but it is written down under a name: no other page starts it.
        raise Forbidden(
            marked("This request did not come from our own page. Open the export page.")
        )
    try:
        what, wish, kind = _asked(person)
    except ValidationError as refusal:
        return _page(request.args, refusal), refusal.status
    _write_down(person, what, wish, kind)
    name = f"{what}-{nairobi(now()):%Y-%m-%d}.{kind}"
    write, mimetype = (as_workbook, _EXCEL) if kind == "xlsx" else (as_csv, "text/csv")
    return Response(
        stream_with_context(write(TABLES[what], wish)),
        mimetype=mimetype,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _asked(person: Person) -> tuple[What, Wish, str]:
    form = request.args
    what, kind = form.get("what", ""), form.get("format", "")
    if what not in set(What):
        raise ValidationError(marked("Choose what to export."), details={"field": "what"})
    if kind not in ("csv", "xlsx"):
        raise ValidationError(marked("Choose CSV or Excel."), details={"field": "format"})
    whole = form.get("whole_phones") == "yes"
    if whole and not _may_see_phones(person):
        raise Forbidden(marked("Your role gets phone numbers in part only. Leave that box empty."))
    first, last = read_days(form)
    filters = read_filters(form) if what == What.PAYMENTS else Filters()
    return What(what), Wish(first, last, whole, filters), kind


def _may_see_phones(person: Person) -> bool:
    return any(person.may(what) for what in _WHOLE_PHONES)


def _write_down(person: Person, what: What, wish: Wish, kind: str) -> None:
    filters = wish.filters
    detail: dict[str, str | bool] = {
        "format": kind,
        "from": str(wish.first or ""),
        "to": str(wish.last or ""),
        "search": redact(filters.text),
        "state": str(filters.status or ""),
        "needs_person": filters.needs_person,
        "whole_phones": wish.whole_phones,
    }
    with transaction() as session:
        record(session, person, "export.taken", f"export {what}", **detail)


def _page(values: object, refusal: ValidationError | None = None) -> str:
    return render_template(
        "admin/exports.html",
        tables={str(what): table.title for what, table in TABLES.items()},
        values=values,
        states=list(Status),
        most_rows=MOST_ROWS,
        may_see_phones=_may_see_phones(require_person()),
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )
