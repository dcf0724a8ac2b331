"""One rule against cross-site requests.

A request that changes something and carries a browser's cookie must show that it comes from our
own pages: by the browser's word (Sec-Fetch-Site or Origin) or by the token in the form. A program
without cookies has nothing that a foreign page could borrow and passes. Pages ask for the proof
with or without cookies, so that nobody can be signed in to somebody else's account.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms.validators import ValidationError

from app.core.errors import Forbidden
from app.core.texts import marked

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PROGRAM_PREFIXES = ("/api/", "/payments/", "/pay/")
#: The virtual phone's money is not real, no cookie is passed on to it, and the body of what is
#: posted there must not be read before it.
_UNGUARDED_PREFIX = "/simulator/"


def protect(app: Flask) -> None:
    """Check every request of the application, and give templates ``csrf_token()``."""
    app.before_request(_check)
    app.jinja_env.globals["csrf_token"] = generate_csrf


def _check() -> None:
    if request.method in _SAFE or request.path.startswith(_UNGUARDED_PREFIX) or _is_a_program():
        return
    if _same_origin() or _has_form_token():
        return
    raise Forbidden(
        marked(
            "This form did not come from our own page, or it is too old. "
            "Open the page again and repeat; nothing was changed."
        )
    )


def _is_a_program() -> bool:
    for_programs = request.path.startswith(_PROGRAM_PREFIXES)
    return for_programs and (not request.cookies or "Authorization" in request.headers)


def _same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return bool(origin) and urlsplit(origin).netloc == request.host


def _has_form_token() -> bool:
    token = request.headers.get("X-CSRF-Token")
    if token is None and request.mimetype in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        token = request.form.get("csrf_token")
    try:
        validate_csrf(token)
    except ValidationError:
        return False
    return True
