"""The back office's pages about products: what is for sale, at which price, and its picture."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import current_person, require_person, staff_page
from app.accounts.models import Person
from app.accounts.roles import May
from app.audit import service as audit
from app.audit.models import AuditEntry
from app.audit.service import Wanted
from app.audit.words import sentence
from app.core.codes import in_words
from app.core.errors import Conflict, LipaError, ValidationError
from app.core.reading import MAX_ID
from app.core.texts import marked
from app.orders import photos, pictures, products
from app.orders.models import Product
from app.orders.product_fields import fields_of, stock_of
from app.orders.products import EditedMeanwhile, Seen, Shelf

catalogue_pages = Blueprint("catalogue_pages", __name__, url_prefix="/admin/products")

ROOM = "/admin/products"
NEWEST_DEEDS = 20
#: A picture of MOST_BYTES with its form. One that is larger still, up to here, hears why beside
#: its field; whatever is beyond is not read at all.
MOST_UPLOAD_BYTES = 16 * 1024 * 1024
_UPLOAD = "catalogue_pages.set_picture"


@catalogue_pages.url_value_preprocessor
def _allow_pictures(endpoint: str | None, _values: object) -> None:
    """Let whoever keeps the shop send more to one address than others may send anywhere."""
    # Forms are read before any view is entered, so this must come before that.
    if endpoint == _UPLOAD:
        person = current_person()
        if person is not None and person.may(May.KEEP_SHOP):
            request.max_content_length = MOST_UPLOAD_BYTES


@catalogue_pages.get("")
@staff_page(May.SEE)
def index() -> ResponseReturnValue:
    search = request.args.get("search", "").strip()[: products.MOST_SEARCH]
    shelf = _shelf(request.args.get("shelf", ""))
    found = products.newest(before_of(request.args), search, shelf)
    older = found[products.PER_PAGE - 1].id if len(found) > products.PER_PAGE else None
    return render_template(
        "admin/products.html",
        products=found[: products.PER_PAGE],
        older=older,
        search=search,
        shelf=shelf,
    )


@catalogue_pages.get("/new")
@staff_page(May.KEEP_SHOP)
def new_product() -> ResponseReturnValue:
    return _new_page({"kind": "goods"})


@catalogue_pages.post("")
@staff_page(May.KEEP_SHOP)
def add_product() -> ResponseReturnValue:
    try:
        key = request.form.get("form_key", "")
        product = products.create(require_person(), form_key=key, **fields_of(request.form))
    except LipaError as refusal:
        return _new_page(request.form, refusal), refusal.status
    told = _("%(name)s is on the shelf. Give it a picture, if there is one.", name=product.name)
    flash(told, "notice")
    return redirect(_path(product.id), 303)


@catalogue_pages.get("/<int:product_id>")
@staff_page(May.SEE)
def product(product_id: int) -> ResponseReturnValue:
    return _page(product_id)


@catalogue_pages.post("/<int:product_id>")
@staff_page(May.KEEP_SHOP)
def change_product(product_id: int) -> ResponseReturnValue:
    def change(person: Person) -> str:
        products.change(product_id, fields_of(request.form), person, _seen(request.form))
        return _("Stored.")

    return _changed(product_id, "details", change)


@catalogue_pages.post("/<int:product_id>/active")
@staff_page(May.KEEP_SHOP)
def set_active(product_id: int) -> ResponseReturnValue:
    def change(person: Person) -> str:
        active = request.form.get("active") == "yes"
        if not products.set_active(product_id, active, person):
            return _("It is so already. Nothing was changed.")
        if active:
            return _("It is back on the shelf.")
        return _("Retired: the shop does not show it any more. Orders that have it keep it.")

    return _changed(product_id, "active", change)


@catalogue_pages.post("/<int:product_id>/picture")
@staff_page(May.KEEP_SHOP)
def set_picture(product_id: int) -> ResponseReturnValue:
    """Take an upload. Its name and the type that it claims say nothing and are not looked at."""

    def change(person: Person) -> str:
        file = request.files.get("picture")
        alt = photos.readable_alt(request.form.get("alt", ""))
        # One more than the most tells a file that is too large from one that just fits.
        sizes = pictures.make(file.read(pictures.MOST_BYTES + 1) if file else b"")
        photos.put(product_id, sizes, alt, person)
        return _("The shop shows the new picture.")

    return _changed(product_id, "picture", change)


@catalogue_pages.post("/<int:product_id>/picture/remove")
@staff_page(May.KEEP_SHOP)
def remove_picture(product_id: int) -> ResponseReturnValue:
    def change(person: Person) -> str:
        gone = photos.remove(product_id, person)
        return _("The picture is gone.") if gone else _("There was no picture.")

    return _changed(product_id, "picture", change)


def before_of(args: Mapping[str, str]) -> int | None:
    """Read ``?before=``, the key of the last row that was seen. Raises ValidationError."""
    text = args.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID):
        raise ValidationError(marked("before must be the number of a row in this list."))
    return int(text)


def _changed(product_id: int, form: str, change: Callable[[Person], str]) -> ResponseReturnValue:
    """Carry out a form of a product's page; what is wrong is told beside its field."""
    products.find(product_id)
    try:
        flash(change(require_person()), "notice")
    except LipaError as refusal:
        return _page(product_id, form, refusal), refusal.status
    return redirect(_path(product_id), 303)


def _seen(form: Mapping[str, str]) -> Seen:
    """Read what stood in the form when it was opened. Raises Conflict where it does not say."""
    version, stock = form.get("version", ""), stock_of(form.get("stock_was", ""))
    is_number = version.isascii() and version.isdigit() and len(version) < 10
    if not is_number or isinstance(stock, str):
        raise Conflict(
            marked("This form is not complete. Open the page again; nothing was stored.")
        )
    return Seen(int(version), stock)


def _shelf(text: str) -> Shelf | None:
    if text and text not in set(Shelf):
        raise ValidationError(marked("There is no such shelf. Choose one of the list."))
    return Shelf(text) if text else None


def _page(product_id: int, form: str = "", refusal: LipaError | None = None) -> str:
    """Render a product's page. ``form`` is the one that was refused, with what was typed."""
    found = products.find(product_id)
    now = _values_of(found)
    is_edit = form == "details"
    return render_template(
        "admin/product.html",
        product=found,
        deeds=_deeds(product_id),
        in_words=in_words,
        refused=form,
        typed=request.form if form else {},
        values=request.form if is_edit else now,
        # Told beside what was typed where the two are not the same any more.
        present=now if isinstance(refusal, EditedMeanwhile) else {},
        seen_stock=now["stock"],
        **_told(refusal),
    )


def _deeds(product_id: int) -> list[tuple[AuditEntry, str]]:
    """Return what people have done to a product, newest first, each with its sentence."""
    wanted = Wanted(subject=products.subject_of(product_id))
    return [(entry, sentence(entry)) for entry in audit.newest(limit=NEWEST_DEEDS, wanted=wanted)]


def _values_of(product: Product) -> dict[str, str]:
    """Return a product as its form shows it."""
    return {
        "name": product.name,
        "kind": product.kind,
        "price": str(product.price_cents // 100),
        "stock": "" if product.stock is None else str(product.stock),
        "description": product.description,
    }


def _new_page(values: Mapping[str, Any], refusal: LipaError | None = None) -> str:
    key = values.get("form_key") or secrets.token_urlsafe(24)
    return render_template(
        "admin/product_new.html", values=values, form_key=key, present={}, **_told(refusal)
    )


def _told(refusal: LipaError | None) -> dict[str, Any]:
    """Return what was refused: by field where it belongs to one, and for the whole form."""
    if refusal is None:
        return {"problems": {}, "problem": None}
    field = refusal.details.get("field")
    if field is not None:
        return {"problems": {str(field): refusal.message}, "problem": None}
    return {"problems": refusal.details.get("fields", {}), "problem": refusal.message}


def _path(product_id: int) -> str:
    return f"{ROOM}/{product_id}"
