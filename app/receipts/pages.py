"""Receipts to look at, to print, to keep as a PDF, and to show to somebody else by a link."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template
from flask.typing import ResponseReturnValue

from app.accounts.guard import open_to_all, require_person, signed_in_page
from app.limits import initiate_limit, status_limit
from app.payments import links
from app.payments.link_models import Opens
from app.payments.link_view import ShownLink
from app.receipts import pdf
from app.receipts import service as receipts
from app.receipts.service import Receipt

receipt_pages = Blueprint("receipt_pages", __name__)


# For whoever the order belongs to. A name is that of a payment, or the UUID of an order.


@receipt_pages.get("/receipts/<name>")
@signed_in_page
def receipt(name: str) -> ResponseReturnValue:
    found = receipts.find(name, require_person())
    return _page(found, shared=False, link=_link_of(found), pdf_address=f"{found.path}.pdf")


@receipt_pages.get("/receipts/<name>.pdf")
@signed_in_page
@status_limit
def receipt_pdf(name: str) -> ResponseReturnValue:
    found = receipts.find(name, require_person())
    link = _link_of(found)
    return _pdf(found, link=link.url if link else None)


@receipt_pages.post("/receipts/<name>/link")
@signed_in_page
@initiate_limit
def share(name: str) -> ResponseReturnValue:
    found = receipts.find(name, require_person())
    path = found.path
    links.make(found.order.uuid, require_person(), Opens.RECEIPT)
    return redirect(f"{path}#share", 303)


@receipt_pages.post("/receipts/<name>/link/end")
@signed_in_page
def unshare(name: str) -> ResponseReturnValue:
    found = receipts.find(name, require_person())
    path = found.path
    links.end(found.order.uuid, require_person(), Opens.RECEIPT)
    return redirect(f"{path}#share", 303)


def _link_of(found: Receipt) -> ShownLink | None:
    token = links.present(found.order, Opens.RECEIPT)
    return ShownLink(f"/r/{token}") if token else None


# For whoever has the link.


@receipt_pages.get("/r/<token>")
@open_to_all
@status_limit
def shared(token: str) -> ResponseReturnValue:
    found = receipts.shared(token)
    page = _page(found, shared=True, link=None, pdf_address=f"/r/{token}.pdf")
    return _unsearched(Response(page))


@receipt_pages.get("/r/<token>.pdf")
@open_to_all
@status_limit
def shared_pdf(token: str) -> ResponseReturnValue:
    found = receipts.shared(token)
    return _unsearched(_pdf(found, shared=True, link=ShownLink(f"/r/{token}").url))


def _page(found: Receipt, **more: Any) -> str:
    return render_template("receipts/receipt.html", receipt=found, order=found.order, **more)


def _pdf(found: Receipt, *, shared: bool = False, link: str | None = None) -> Response:
    shop_name = current_app.extensions["lipa_settings"].shop_name
    drawn = pdf.draw(found, shop_name, shared=shared, link=link)
    response = Response(drawn, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{found.number}.pdf"'
    return response


def _unsearched(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response
