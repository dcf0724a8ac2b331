"""The pay-later link: one order's page for whoever has the link, without an account.

What its reader sees and may do is that order and nothing else: no name, no whole phone number,
no other order. Every form works without scripts; the dialog sends the same ones for JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.guard import open_to_all, require_person, signed_in_page
from app.core.errors import InvalidPhone, LipaError
from app.core.reading import prefers_json
from app.extensions import limiter
from app.languages import in_readers_language
from app.limits import claim_limit, initiate_limit, status_limit
from app.orders import service as orders
from app.payments import links, order_qr
from app.payments import service as payments
from app.payments.claims.pages import take_claim
from app.payments.link_models import Opens, SharedLink
from app.payments.link_view import ShownLink
from app.payments.page_state import in_words, looks_again_in
from app.payments.pages import ENDINGS
from app.payments.view import order_state

if TYPE_CHECKING:
    from app.orders.models import Order
    from app.payments.models import Payment

link_pages = Blueprint("link_pages", __name__)

#: Beside the limits of every prompt. Many phones share one address, so it is not a small number.
PROMPTS_BY_LINK = "20/minute"
_link_limit = limiter.shared_limit(PROMPTS_BY_LINK, scope="link", methods=["POST"])


# For the owner.


@link_pages.post("/orders/<uuid>/link")
@signed_in_page
@initiate_limit
def make(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    try:
        links.make(found.uuid, require_person(), Opens.PAYING)
    except LipaError as refusal:
        flash(in_readers_language(refusal.message), "error")
    return redirect(f"/orders/{found.uuid}#pay-link", 303)


@link_pages.post("/orders/<uuid>/link/end")
@signed_in_page
def end(uuid: str) -> ResponseReturnValue:
    found = orders.find_order(uuid, require_person())
    links.end(found.uuid, require_person(), Opens.PAYING)
    return redirect(f"/orders/{found.uuid}#pay-link", 303)


@link_pages.get("/orders/<uuid>/qr.png")
@signed_in_page
@status_limit
def qr(uuid: str) -> ResponseReturnValue:
    return _picture(orders.find_order(uuid, require_person()))


@link_pages.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"pay_link": _pay_link, "qr_may_come": order_qr.may_come}


def _pay_link(order: Order) -> ShownLink | None:
    """Give a page of the order's owner the link as it stands, or None."""
    token = links.present(order, Opens.PAYING)
    return ShownLink(f"/p/{token}") if token else None


# For whoever has the link.


@link_pages.get("/p/<token>")
@open_to_all
@status_limit
def page(token: str) -> ResponseReturnValue:
    return _page(token, links.opened(token, Opens.PAYING))


@link_pages.post("/p/<token>/pay")
@open_to_all
@initiate_limit
@_link_limit
def pay(token: str) -> ResponseReturnValue:
    link = links.opened(token, Opens.PAYING)
    phone = request.form.get("phone_number", "")
    try:
        if order_state(link.order)["can_pay"]:
            links.pay(link, phone)
    except LipaError as refusal:
        return _refuse(token, link, phone, refusal)
    if prefers_json(request):
        return _state_as_json(token, link)
    return redirect(f"/p/{token}", 303)


@link_pages.post("/p/<token>/check")
@open_to_all
@status_limit
def check(token: str) -> ResponseReturnValue:
    links.check_now(links.opened(token, Opens.PAYING))
    flash(_("We have asked M-Pesa again. The answer can take some seconds."), "notice")
    return redirect(f"/p/{token}", 303)


@link_pages.get("/p/<token>/state")
@open_to_all
@status_limit
def state(token: str) -> ResponseReturnValue:
    """Tell the open page how its order stands now."""
    link = links.opened(token, Opens.PAYING)
    attempt = payments.telling_attempt(payments.attempts_of(link.order))
    if attempt is not None:
        payments.wake(attempt)
    return _state_as_json(token, link)


@link_pages.post("/p/<token>/claim")
@open_to_all
@claim_limit
def claim(token: str) -> ResponseReturnValue:
    return take_claim(links.opened(token, Opens.PAYING).order, f"/p/{token}", "link")


@link_pages.post("/p/<token>/stop-asking")
@open_to_all
@status_limit
def stop_asking(token: str) -> ResponseReturnValue:
    """Send no second prompt by ourselves: it may be the reader's phone that would ring."""
    link = links.opened(token, Opens.PAYING)
    payments.stop_asking_again(link.order, f"link {link.id}")
    if prefers_json(request):
        return _state_as_json(token, link)
    flash(_("We shall not ask again by ourselves."), "notice")
    return redirect(f"/p/{token}", 303)


@link_pages.get("/p/<token>/qr.png")
@open_to_all
@status_limit
def picture(token: str) -> ResponseReturnValue:
    return _picture(links.opened(token, Opens.PAYING).order)


@link_pages.after_request
def _keep_from_search(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response


def _refuse(token: str, link: SharedLink, phone: str, refusal: LipaError) -> ResponseReturnValue:
    if prefers_json(request):
        refusal.details = {**refusal.details, **_addresses(token)}
        raise refusal
    if isinstance(refusal, InvalidPhone):
        return _page(token, link, phone=phone, problem=refusal.message), refusal.status
    flash(in_readers_language(refusal.message), "error")
    return redirect(f"/p/{token}", 303)


def _page(token: str, link: SharedLink, **more: Any) -> str:
    attempts = _shown_attempts(link)
    state = _shown_state(link)
    return render_template(
        "pay/link.html",
        order=link.order,
        state=state,
        address=f"/p/{token}",
        looks_again_in=looks_again_in(state, attempts),
        endings=ENDINGS,
        **more,
    )


def _shown_state(link: SharedLink) -> dict[str, Any]:
    """Describe the order's payment; its receipt is shared by a link of its own."""
    return {**order_state(link.order, _shown_attempts(link)), "receipt_url": None}


def _shown_attempts(link: SharedLink) -> list[Payment]:
    return links.without_the_owners_ends(payments.attempts_of(link.order))


def _state_as_json(token: str, link: SharedLink) -> ResponseReturnValue:
    shown = _shown_state(link)
    # The fate of an unconfirmed push is not known yet, which is what 202 says.
    status = 202 if shown["state"] == "unconfirmed" else 200
    return jsonify(success=True, data={**in_words(shown), **_addresses(token)}), status


def _addresses(token: str) -> dict[str, str]:
    return {"order_url": f"/p/{token}", "success_url": f"/p/{token}"}


def _picture(order: Order) -> ResponseReturnValue:
    return Response(order_qr.png_of(order, order_state(order)), mimetype="image/png")
