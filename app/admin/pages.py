"""What an admin sees first: what came in, what is stuck, what was not proven."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.accounts.guard import admin_page
from app.payments import queries

admin_pages = Blueprint("admin_pages", __name__, url_prefix="/admin")


@admin_pages.get("")
@admin_page
def index() -> ResponseReturnValue:
    return render_template(
        "admin/index.html",
        payments=queries.recent(),
        needs_person=queries.needing_a_person(),
        unproven=queries.unproven_callbacks(),
        figures=queries.figures(),
    )
