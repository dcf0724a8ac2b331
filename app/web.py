"""What every answer shares: error bodies, security headers, template helpers."""

from __future__ import annotations

import logging

from flask import (
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    render_template,
    request,
    session,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_limiter import RateLimitExceeded
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from app.accounts.guard import current_person
from app.core.errors import (
    Busy,
    LipaError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    UnsupportedMediaType,
    ValidationError,
)
from app.core.reading import is_clean
from app.core.texts import marked, said
from app.extensions import db
from app.languages import in_readers_language
from app.mpesa.phone import masked
from app.orders.cart import Cart

logger = logging.getLogger(__name__)

API_PREFIXES = ("/api/", "/payments/")
_DRAIN_LIMIT_BYTES = 32 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class MethodNotAllowed(LipaError):
    code = "METHOD_NOT_ALLOWED"
    status = 405
    message = marked("This address does not take that method.")


def install(app: Flask) -> None:
    """Install error handlers, headers and template helpers."""
    app.register_error_handler(LipaError, answer_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(DBAPIError, _answer_database_error)
    app.register_error_handler(PoolTimeoutError, _answer_database_error)
    app.register_error_handler(ParseException, _answer_broken_body)
    app.register_error_handler(Exception, _answer_accident)
    app.before_request(_refuse_unclean_text)
    app.after_request(_add_headers)
    app.context_processor(_for_every_template)
    app.jinja_env.filters.update(shown_phone=masked)


def answer_error(error: LipaError) -> ResponseReturnValue:
    """Answer with the contract's error body, or with a page where a person is looking."""
    if _wants_page():
        body = render_template(
            "error.html",
            status=error.status,
            title=_title(error.status),
            message=in_readers_language(error.message),
            hint=None,
        )
        response = make_response(body, error.status)
    else:
        response = make_response(jsonify(_body_of(error)), error.status)
    if error.retry_after_seconds:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="lipa", JWT realm="lipa"'
    return response


def _body_of(error: LipaError) -> dict[str, object]:
    """Return the error's body; what one of our pages asks for is said as the page would say it."""
    body = error.body()
    if not request.path.startswith(API_PREFIXES):
        body["error"] = body["message"] = in_readers_language(error.message)
    return body


def _answer_http_exception(error: HTTPException) -> ResponseReturnValue:
    response = make_response(answer_error(_translated(error)))
    for name, value in error.get_headers(request.environ):
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _translated(error: HTTPException) -> LipaError:
    """Give the contract's code to what Werkzeug and Flask-Limiter raise."""
    if isinstance(error, RateLimitExceeded):
        seconds = error.limit.limit.get_expiry()
        return RateLimited(retry_after_seconds=max(1, min(seconds, 3600)))
    if error.code == 413:
        _drain()
        most = request.max_content_length or 0
        return PayloadTooLarge(
            said("The request is larger than {most:,} bytes, the most for this address.", most=most)
        )
    known: dict[int, type[LipaError]] = {
        401: Unauthorized,
        404: NotFound,
        405: MethodNotAllowed,
        415: UnsupportedMediaType,
        429: RateLimited,
    }
    if error.code in known:
        return known[error.code]()
    translated = ValidationError(error.description) if (error.code or 500) < 500 else LipaError()
    translated.status = error.code or 500
    return translated


def _drain() -> None:
    """Read on past a body that is too large, so that its sender hears our answer.

    A connection closed with unread data is reset, and the sender would see no status at all.
    """
    stream = request.environ.get("wsgi.input")
    left = min(request.content_length or 0, _DRAIN_LIMIT_BYTES)
    while stream is not None and left > 0:
        chunk = stream.read(min(left, _CHUNK_BYTES))
        if not chunk:
            return
        left -= len(chunk)


def _answer_database_error(error: DBAPIError | PoolTimeoutError) -> ResponseReturnValue:
    db.session.rollback()
    # The page that says so must not ask the database who is looking at it.
    g.person = None
    if isinstance(error, PoolTimeoutError):
        logger.error("no connection to the database became free in time")
        return answer_error(Busy())
    if isinstance(error, OperationalError):
        logger.error("the database cannot be used: %s", type(error.orig).__name__)
        return answer_error(Busy())
    return _answer_accident(error)


def _answer_broken_body(_error: ParseException) -> ResponseReturnValue:
    # The server reads a body as we ask for it, so its complaint about the framing comes here.
    return answer_error(ValidationError(marked("The body is not framed as HTTP asks.")))


def _answer_accident(error: Exception) -> ResponseReturnValue:
    logger.error("unexpected error on %s %s", request.method, request.path, exc_info=error)
    return answer_error(LipaError())


def _refuse_unclean_text() -> None:
    """Refuse what no database can hold, before it is looked up anywhere."""
    # Only our pages have forms. Reading one elsewhere would take the raw body away from
    # whoever keeps it (a callback's inbox) or passes it on (the simulator's front door).
    form = {} if request.path.startswith((*API_PREFIXES, "/simulator/")) else request.form
    if not all(is_clean(text) for text in (request.path, *request.args.values(), *form.values())):
        raise ValidationError(marked("The request has a NUL in a text."))


def _wants_page() -> bool:
    if request.path.startswith(API_PREFIXES):
        return False
    kinds = ["application/json", "text/html"]
    return request.accept_mimetypes.best_match(kinds, "application/json") == "text/html"


def _title(status: int) -> str:
    titles = {
        401: _("Sign in first"),
        403: _("Not allowed"),
        404: _("Not found"),
        413: _("Too large"),
        429: _("A little slower, please"),
        503: _("Busy just now"),
    }
    otherwise = _("That did not work") if status < 500 else _("Something went wrong")
    return titles.get(status, otherwise)


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if not request.path.startswith("/static/"):
        # Carts, orders and receipts are nobody's but the person's: no cache keeps them.
        headers.setdefault("Cache-Control", "no-store")
    return response


def _for_every_template() -> dict[str, object]:
    configured = current_app.extensions["lipa_settings"]
    return {
        "person": current_person(),
        "cart_count": Cart(session).count,
        "environment": str(configured.mpesa_environment),
        "shop_name": configured.shop_name,
    }
