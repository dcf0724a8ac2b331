"""JSON Web Tokens: what they carry, and how both scheme words are understood.

A token names its sign-in, not a role: what a person may do is read from the database at every
request, so that ending a sign-in or taking a role away works at once.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from flask import Flask, Request, current_app, request
from flask import Response as FlaskResponse
from flask_jwt_extended import (
    create_access_token,
    create_refresh_token,
    get_jwt,
    set_access_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)
from werkzeug.wrappers import Response

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=30)
#: A browser has no refresh dance: its cookie lives as long as the sign-in that it names.
BROWSER_LIFETIME = timedelta(days=30)
LEEWAY_SECONDS = 10
_MOST_REMEMBERED = 10_000
_SCHEME = re.compile(r"\s*(?:bearer|jwt)\s+", re.IGNORECASE)


def configure(app: Flask, secret: str, *, secure_cookies: bool) -> None:
    """Set up Flask-JWT-Extended: header and cookie, HS256 only."""
    app.config.update(
        JWT_SECRET_KEY=secret,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_ACCESS_TOKEN_EXPIRES=ACCESS_LIFETIME,
        JWT_REFRESH_TOKEN_EXPIRES=REFRESH_LIFETIME,
        JWT_DECODE_LEEWAY=LEEWAY_SECONDS,
        JWT_COOKIE_SECURE=secure_cookies,
        JWT_COOKIE_SAMESITE="Lax",
        JWT_SESSION_COOKIE=False,
        # Cross-site requests are refused in csrf.py, by one rule for every kind of page.
        JWT_COOKIE_CSRF_PROTECT=False,
    )


def access_token(sign_in_uuid: UUID, person_uuid: UUID) -> str:
    """Return the token that programs send with each request."""
    return create_access_token(str(person_uuid), additional_claims=_claims(sign_in_uuid))


def refresh_token(sign_in_uuid: UUID, person_uuid: UUID) -> str:
    """Return the token that only gets new access tokens."""
    return create_refresh_token(str(person_uuid), additional_claims=_claims(sign_in_uuid))


def put_in_browser(response: Response, sign_in_uuid: UUID, person_uuid: UUID) -> None:
    """Give a browser its HttpOnly cookie."""
    token = create_access_token(
        str(person_uuid),
        additional_claims=_claims(sign_in_uuid),
        expires_delta=BROWSER_LIFETIME,
    )
    set_access_cookies(
        cast(FlaskResponse, response), token, max_age=int(BROWSER_LIFETIME.total_seconds())
    )


def take_from_browser(response: Response) -> None:
    unset_jwt_cookies(cast(FlaskResponse, response))


def sign_in_of_request() -> UUID | None:
    """Return the sign-in named by the token of this request, in header or cookie, if it has one.

    Raises what Flask-JWT-Extended and PyJWT raise for a token that is not ours or has expired. A
    token that was found good once is remembered in this process: its signature stays good.
    """
    key = _key_of(request)
    claims = _remembered().get(key) if key else None
    if claims is None or not _is_in_time(claims):
        verify_jwt_in_request(optional=True)
        claims = get_jwt()
        if key and claims:
            _remember(key, claims)
    return sign_in_id(claims)


def expiry_of_request() -> datetime | None:
    """Return when the token of this request expires, once it was found good; else None."""
    claims = _remembered().get(_key_of(request) or b"")
    return datetime.fromtimestamp(claims["exp"], UTC) if claims else None


def _key_of(request: Request) -> bytes | None:
    """Return what a token is remembered by; None where the library has to look for one."""
    header = request.headers.get("Authorization")
    if header is None:
        token = request.cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"])
    else:
        scheme, _, token = header.partition(" ")
        token = token if scheme == "Bearer" else None
    return hashlib.sha256(token.encode()).digest() if token else None


def _remembered() -> dict[bytes, Mapping[str, Any]]:
    found: dict[bytes, Mapping[str, Any]] = current_app.extensions.setdefault("lipa_tokens", {})
    return found


def _remember(key: bytes, claims: Mapping[str, Any]) -> None:
    remembered = _remembered()
    if len(remembered) >= _MOST_REMEMBERED:
        remembered.clear()
    remembered[key] = claims


def _is_in_time(claims: Mapping[str, Any]) -> bool:
    moment = time.time()
    begun = float(claims.get("nbf", 0)) <= moment + LEEWAY_SECONDS
    return begun and moment < float(claims["exp"]) + LEEWAY_SECONDS


def sign_in_id(claims: Mapping[str, Any]) -> UUID | None:
    """Return the sign-in that a verified access token names; a refresh token opens nothing."""
    return _sign_in_of(claims, "access")


def sign_in_of_refresh_token(claims: Mapping[str, Any]) -> UUID | None:
    """Return the sign-in that a verified refresh token names."""
    return _sign_in_of(claims, "refresh")


def _sign_in_of(claims: Mapping[str, Any], kind: str) -> UUID | None:
    if claims.get("type") != kind:
        return None
    try:
        return UUID(str(claims.get("sid")))
    except ValueError:
        return None


def _claims(sign_in: UUID) -> dict[str, Any]:
    return {"sid": str(sign_in)}


class EitherScheme:
    """WSGI layer that makes ``Authorization: JWT x`` mean ``Bearer x``, in any letter case."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self._wsgi_app = wsgi_app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        header = environ.get("HTTP_AUTHORIZATION")
        if header and (match := _SCHEME.match(header)):
            environ["HTTP_AUTHORIZATION"] = f"Bearer {header[match.end() :].strip()}"
        return self._wsgi_app(environ, start_response)
