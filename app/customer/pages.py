"""One's own pages that need other rooms: M-Pesa numbers, payments, courses, and one's data."""

from __future__ import annotations

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    session,
    stream_with_context,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import require_person, signed_in_page
from app.accounts.tokens import take_from_browser
from app.core.clock import nairobi, now
from app.core.errors import InvalidPhone, LipaError
from app.customer import erasure, export, listing
from app.customer.open_business import still_open
from app.extensions import db
from app.languages import in_readers_language, language
from app.mpesa.phone import msisdn
from app.payments import methods

customer_pages = Blueprint("customer_pages", __name__, url_prefix="/account")

NUMBERS = "/account/numbers"


@customer_pages.get("/numbers")
@signed_in_page
def numbers() -> ResponseReturnValue:
    return _numbers_page()


@customer_pages.post("/numbers")
@signed_in_page
def keep_number() -> ResponseReturnValue:
    try:
        number = msisdn(request.form.get("phone", ""))
        if number is None:
            raise InvalidPhone(details={"field": "phone"})
        is_default = request.form.get("default") == "yes"
        _method, is_new = methods.keep(require_person(), number, is_default=is_default)
    except LipaError as refusal:
        return _numbers_page(refusal), refusal.status
    flash(_("The number is kept.") if is_new else _("You had kept that number already."), "notice")
    return redirect(NUMBERS, 303)


@customer_pages.post("/numbers/<int:method_id>/default")
@signed_in_page
def make_default(method_id: int) -> ResponseReturnValue:
    person = require_person()
    methods.keep(person, listing.kept_number(person, method_id), is_default=True)
    flash(_("That is your usual number now: we offer it first when you pay."), "notice")
    return redirect(NUMBERS, 303)


@customer_pages.post("/numbers/<int:method_id>/remove")
@signed_in_page
def forget_number(method_id: int) -> ResponseReturnValue:
    methods.forget(require_person(), method_id)
    flash(_("The number is removed."), "notice")
    return redirect(NUMBERS, 303)


@customer_pages.get("/payments")
@signed_in_page
def payments() -> ResponseReturnValue:
    before = request.args.get("before", type=int)
    page = listing.payments_before(require_person(), before)
    return render_template(
        "customer/payments.html", page=page, before=before, why_unpaid=listing.why_unpaid
    )


@customer_pages.get("/courses")
@signed_in_page
def courses() -> ResponseReturnValue:
    found = listing.courses_with_orders(require_person())
    return render_template("customer/courses.html", courses=found)


@customer_pages.get("/data")
@signed_in_page
def data() -> ResponseReturnValue:
    return _data_page()


@customer_pages.post("/data")
@signed_in_page
def take_data() -> ResponseReturnValue:
    """Send everything that the shop keeps about whoever asks, as a file."""
    try:
        subject = export.begin(require_person(), request.form.get("present", ""))
    except LipaError as refusal:
        return _data_page(refusal), refusal.status
    about = in_readers_language(export.ABOUT)
    name = f"my-data-{nairobi(now()):%Y-%m-%d}.json"
    return Response(
        stream_with_context(export.written(subject, about)),
        mimetype="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@customer_pages.get("/erase")
@signed_in_page
def erase_form() -> ResponseReturnValue:
    return _erase_page()


@customer_pages.post("/erase")
@signed_in_page
def erase() -> ResponseReturnValue:
    form = request.form
    try:
        erasure.erase_own(require_person(), form.get("present", ""), form.get("word", ""))
    except LipaError as refusal:
        return _erase_page(refusal), refusal.status
    chosen = language()
    session.clear()
    session["language"] = chosen
    flash(_("Your account is erased. Thank you for having been here."), "notice")
    response = redirect("/", 303)
    take_from_browser(response)
    return response


def _numbers_page(refusal: LipaError | None = None) -> str:
    return render_template(
        "customer/numbers.html",
        methods=methods.methods_of(require_person()),
        most=methods.MOST_METHODS,
        values=request.form if refusal else {},
        problems=_problems(refusal),
    )


def _data_page(refusal: LipaError | None = None) -> str:
    return render_template("customer/data.html", problems=_problems(refusal))


def _erase_page(refusal: LipaError | None = None) -> str:
    return render_template(
        "customer/erase.html",
        reasons=still_open(db.session(), require_person()),
        word=in_readers_language("erase"),
        values=request.form if refusal else {},
        problems=_problems(refusal),
    )


def _problems(refusal: LipaError | None) -> dict[str, str]:
    """Return what is wrong by its field; ``form`` is for what is wrong with no field of it."""
    if refusal is None:
        return {}
    return {str(refusal.details.get("field", "form")): refusal.message}
