"""Who may enter. Every door names one of these decorators, or says that it is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import quote

from flask import current_app, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError

from app.accounts import sign_ins
from app.accounts.models import Person, SignIn
from app.accounts.roles import MOVES_MONEY, May
from app.accounts.tokens import sign_in_of_request
from app.core.errors import Forbidden, Unauthorized
from app.core.reading import prefers_json
from app.core.texts import marked
from app.settings.service import settings


class SecondFactorNeeded(Forbidden):
    """Whoever moves money shows that it is them, by a code from their own phone."""

    message = marked(
        "Whoever moves money signs in with a second factor. Set it up on your account's page, at "
        "/account/second-factor, or sign in again with its code. Nothing was done."
    )

    def __init__(self) -> None:
        super().__init__(details={"second_factor": True, "set_up": "/account/second-factor"})


View = TypeVar("View", bound=Callable[..., Any])


def current_person() -> Person | None:
    """Return who makes this request, or None for a stranger or an ended sign-in."""
    if "person" not in g:
        g.person = _identify()
    found: Person | None = g.person
    return found


def preferred_language() -> str | None:
    """Return the language that who makes this request had chosen when it began, if any.

    What a request writes takes all it has read of the person; for this it need not read again.
    """
    current_person()
    found: str | None = g.get("preferred_language")
    return found


def require_person() -> Person:
    """Return who makes this request. Raises Unauthorized for a stranger."""
    person = current_person()
    if person is None:
        raise Unauthorized
    return person


def require(*any_of: May) -> Person:
    """Return who makes this request, if their role allows one of these.

    Raises Unauthorized or Forbidden.
    """
    person = require_person()
    allowed = {what for what in any_of if person.may(what)}
    if not allowed:
        raise Forbidden(marked("Your role does not allow this. Ask the shop's owner."))
    if allowed <= MOVES_MONEY:
        _require_second_factor()
    return person


def require_refunder() -> Person:
    """Return who asks for money back. Whoever may do so for others proves it is them.

    Raises Unauthorized, and SecondFactorNeeded for staff without one.
    """
    person = require_person()
    if person.may(May.REFUND):
        _require_second_factor()
    return person


def current_sign_in() -> SignIn | None:
    """Return the open sign-in that this request names, or None."""
    current_person()
    found: SignIn | None = g.get("sign_in")
    return found


def _require_second_factor() -> None:
    sign_in = current_sign_in()
    if settings().wants_second_factor and not (sign_in and sign_in.second_factor):
        raise SecondFactorNeeded


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


def signed_in_page(view: View) -> View:
    """Only people who are signed in; a browser is shown the way to sign in and back."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if current_person() else _to_sign_in()

    return _marked(guarded, "person")


def staff_page(*any_of: May) -> Callable[[View], View]:
    """Only people whose role allows one of these; a stranger is shown the way to sign in."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current_person() is None:
                return _to_sign_in()
            require(*any_of)
            return view(*args, **kwargs)

        return cast("View", _marked(guarded, staff_who(*any_of)))

    return guard


def staff_only(*any_of: May) -> Callable[[View], View]:
    """Only people whose role allows one of these; strangers get 401, others 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            require(*any_of)
            return view(*args, **kwargs)

        return cast("View", _marked(guarded, staff_who(*any_of)))

    return guard


def staff_who(*any_of: May) -> str:
    """Return the mark of a door that is open to whoever may do one of these."""
    return f"staff: {', '.join(any_of)}"


def _to_sign_in() -> ResponseReturnValue:
    if prefers_json(request):
        raise Unauthorized(marked("You have been signed out. Sign in and try again."))
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
        uuid = sign_in_of_request()
    except (JWTExtendedException, PyJWTError, UnicodeError):
        return None
    g.sign_in = sign_ins.open_one(uuid) if uuid else None
    if g.sign_in is None:
        return None
    sign_ins.see(g.sign_in)
    person: Person = g.sign_in.person
    g.preferred_language = person.language
    return person
