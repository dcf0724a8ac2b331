"""The books for people: what stands on each account, what moved last, and the float."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.accounts.guard import staff_page
from app.accounts.roles import May
from app.core.errors import ProviderUnavailable, ValidationError
from app.core.reading import MAX_ID
from app.core.texts import marked
from app.disbursements import funds, provider
from app.disbursements.models import FloatReading
from app.disbursements.provider import NotConfigured
from app.extensions import db
from app.languages import in_readers_language
from app.ledger import service as ledger
from app.ledger.models import Account
from app.limits import status_limit

books_pages = Blueprint("books_pages", __name__, url_prefix="/admin/books")

PER_PAGE = 50
NEWEST_READINGS = 10


@dataclass(frozen=True)
class TrialBalance:
    """What stands on each account, in cents, and both sides in sum."""

    accounts: dict[Account, int]

    @property
    def debits(self) -> int:
        return sum(cents for cents in self.accounts.values() if cents > 0)

    @property
    def credits(self) -> int:
        return -sum(cents for cents in self.accounts.values() if cents < 0)

    @property
    def difference(self) -> int:
        return self.debits - self.credits


@books_pages.get("")
@staff_page(May.SEE)
def show() -> ResponseReturnValue:
    before = _before(request.args.get("before"))
    # One more than is shown says whether there are older ones.
    transfers = list(ledger.latest(PER_PAGE + 1, before_id=before))
    older = transfers[PER_PAGE - 1].id if len(transfers) > PER_PAGE else None
    shortcode = provider.shortcode()
    return render_template(
        "admin/books.html",
        balance=TrialBalance(ledger.balances()),
        transfers=transfers[:PER_PAGE],
        older=older,
        is_newest=before is None,
        shortcode=shortcode,
        available_cents=funds.available_cents(db.session(), shortcode),
        readings=_newest_readings(shortcode),
    )


@books_pages.post("/float")
@staff_page(May.SERVE)
@status_limit
def ask_for_float() -> ResponseReturnValue:
    """Have Daraja tell the balance; its answer comes by itself."""
    try:
        answer = funds.ask()
        told = in_readers_language(answer)
        flash(f"{told[0].upper()}{told[1:]}.", "notice" if "asked" in answer else "error")
    except (NotConfigured, ProviderUnavailable) as error:
        flash(in_readers_language(error.args[0]), "error")
    return redirect("/admin/books#float", 303)


def _newest_readings(shortcode: str) -> list[FloatReading]:
    query = select(FloatReading).where(FloatReading.shortcode == shortcode)
    newest = query.order_by(FloatReading.asked_at.desc(), FloatReading.id.desc())
    newest = newest.limit(NEWEST_READINGS)
    return list(db.session.scalars(newest))


def _before(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= MAX_ID):
        raise ValidationError(marked("before must be the number of a line in the books."))
    return int(text)
