"""The audit trail for people: who did what, to what, when and why."""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app.accounts.guard import staff_page
from app.accounts.roles import May
from app.audit import service
from app.audit.service import Wanted
from app.audit.words import GROUPS, sentence
from app.core.codes import in_words
from app.core.errors import ValidationError
from app.core.reading import MAX_ID
from app.core.texts import marked

audit_pages = Blueprint("audit_pages", __name__, url_prefix="/admin/audit")

PER_PAGE = 50
#: The calendar ends, and begins, within a day of what a clock in Nairobi would make of others.
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_FILTERS = ("actor", "action", "subject", "day")


@audit_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:254] for name in _FILTERS}
    wanted = Wanted(asked["actor"].lower(), asked["action"], asked["subject"], _day(asked["day"]))
    before = _before(request.args.get("before", ""))
    # One more than is shown says whether there are older ones.
    entries = service.newest(before, PER_PAGE + 1, wanted)
    kept = {name: value for name, value in asked.items() if value}
    last = entries[PER_PAGE - 1].id if len(entries) > PER_PAGE else None
    rows, last_hash = service.head()
    return render_template(
        "admin/audit.html",
        entries=entries[:PER_PAGE],
        sentence=sentence,
        in_words=in_words,
        asked=asked,
        groups=GROUPS,
        older=f"/admin/audit?{urlencode(kept | {'before': last})}" if last else None,
        newest=f"/admin/audit?{urlencode(kept)}" if before else None,
        rows=rows,
        last_hash=last_hash,
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise ValidationError(marked("day must be a day, such as 2026-11-21.")) from None


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID):
        raise ValidationError(marked("before must be the number of a row."))
    return int(text)
