"""Who may enter. Every door names one of these decorators, or says that it is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import quote

from flask import current_app, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_jwt_extended import verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError

from app.accounts import service
from app.accounts.models import Person
from app.accounts.roles import May
from app.accounts.tokens import sign_in_of_request
from app.core.errors import Forbidden, Unauthorized
from app.core.reading import prefers_json

View = TypeVar("View", bound=Callable[..., Any])


def current_person() -> Person | None:
    """Return who makes this request, or None for a stranger or an ended sign-in."""
    if "person" not in g:
        g.person = _identify()
    found: Person | None = g.person
    return found


def require_person() -> Person:
    """Return who makes this request. Raises Unauthorized for a stranger."""
    person = current_person()
    if person is None:
        raise Unauthorized
    return person


def require_admin() -> Person:
    """Return the admin who makes this request. Raises Unauthorized or Forbidden."""
    person = require_person()
    if not person.is_admin:
        raise Forbidden("This is for the shop's admins.")
    return person


def require(what: May) -> Person:
    """Return who makes this request, if their role allows it. Raises Unauthorized or Forbidden."""
    person = require_person()
    if not person.may(what):
        raise Forbidden("Your role does not allow this. Ask the shop's owner.")
    return person


def _marked(view: Callable[..., Any], who: str) -> Any:
    # The mark lets a test walk every route and ask who may enter.
    view.who_may_enter = who  # type: ignore[attr-defined]
    return view


def open_to_all(view: View) -> View:
    """Say in so many words that anybody may enter here."""
    return _marked(view, "anybody")


def for_provider(view: View) -> View:
    """An address that Daraja posts to: anybody may call, proofs decide what is believed."""
    return _marked(view, "provider")


def signed_in(view: View) -> View:
    """Only people who are signed in; programs get 401."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        require_person()
        return view(*args, **kwargs)

    return _marked(guarded, "person")


def admin_only(view: View) -> View:
    """Only admins; strangers get 401, other people 403."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        require_admin()
        return view(*args, **kwargs)

    return _marked(guarded, "admin")


def signed_in_page(view: View) -> View:
    """Only people who are signed in; a browser is shown the way to sign in and back."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if current_person() else _to_sign_in()

    return _marked(guarded, "person")


def admin_page(view: View) -> View:
    """Only admins; a stranger is shown the way to sign in, other people a 403 page."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if current_person() is None:
            return _to_sign_in()
        require_admin()
        return view(*args, **kwargs)

    return _marked(guarded, "admin")


def staff_page(what: May) -> Callable[[View], View]:
    """Only people whose role allows it; a stranger is shown the way to sign in, others a 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current_person() is None:
                return _to_sign_in()
            require(what)
            return view(*args, **kwargs)

        return cast("View", _marked(guarded, f"staff: {what}"))

    return guard


def staff_only(what: May) -> Callable[[View], View]:
    """Only people whose role allows it; a program of a stranger gets 401, of others 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            require(what)
            return view(*args, **kwargs)

        return cast("View", _marked(guarded, f"staff: {what}"))

    return guard


def _to_sign_in() -> ResponseReturnValue:
    if prefers_json(request):
        raise Unauthorized("You have been signed out. Sign in and try again.")
    return redirect(f"/sign-in?next={quote(_page_to_return_to())}", 303)


def _page_to_return_to() -> str:
    """Return the page that was asked for; for a form, the page that it stands on."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    pages = current_app.url_map.bind("")
    parent = request.path.rpartition("/")[0] or "/"
    return next((path for path in (request.path, parent) if pages.test(path, "GET")), "/")


def _identify() -> Person | None:
    try:
        verify_jwt_in_request(optional=True)
        sign_in = sign_in_of_request()
    except (JWTExtendedException, PyJWTError, UnicodeError):
        return None
    return service.person_of_sign_in(sign_in) if sign_in else None
