"""The header Idempotency-Key at the doors that move money."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Request, Response, current_app, make_response, request
from flask.typing import ResponseReturnValue

from app.core import idempotency
from app.core.errors import ProviderUnavailable, ValidationError
from app.core.idempotency import Answer, Run
from app.core.reading import whole_body
from app.core.texts import said
from app.limits import caller

View = TypeVar("View", bound=Callable[..., Any])

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
#: Every other header is made anew for each answer.
_KEPT_HEADERS = ("Content-Type", "Retry-After", "Location")


def idempotent(view: View) -> View:
    """Carry a request that has an Idempotency-Key out once, and repeat its answer.

    Stands below the guard and the rate limit: a caller who is turned away spends no key. Not for
    doors whose answers hold a secret, since answers are kept.
    """

    @wraps(view)
    def keyed(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(KEY_HEADER)
        if key is None:
            return view(*args, **kwargs)
        turn = idempotency.begin(caller(), _checked(key), fingerprint(request))
        if isinstance(turn, Answer):
            return _replayed(turn)
        return _carried_out(turn, lambda: view(*args, **kwargs))

    # The mark lets the API's description say which doors take the header.
    keyed.takes_idempotency_key = True  # type: ignore[attr-defined]
    return keyed  # type: ignore[return-value]


def _checked(key: str) -> str:
    printable = all(" " <= character <= "~" for character in key)
    if not printable or not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise ValidationError(
            said(
                "The header {name} must be 1 to {most} printable ASCII characters.",
                name=KEY_HEADER,
                most=MAX_KEY_LENGTH,
            ),
            details={"field": KEY_HEADER},
        )
    return key


def fingerprint(request: Request) -> str:
    """Hash what is asked for: where, and with which body; SHA-256 in hex.

    JSON of another spacing or order is the same body, and a slash at the end the same place.
    """
    path, query = request.path.rstrip("/"), request.query_string.decode("latin-1")
    parts = [request.method, path, query, request.mimetype, _canonical_body(request)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _canonical_body(request: Request) -> str:
    if request.form:
        # A form that was read before us has left no raw body.
        return json.dumps(list(request.form.items(multi=True)))
    body = whole_body(request)
    if request.is_json:
        try:
            return json.dumps(json.loads(body), sort_keys=True)
        except (ValueError, RecursionError):
            # The view refuses what nobody can read; here it is told apart by its bytes.
            pass
    return body.decode("latin-1")


def _carried_out(run: Run, work: Callable[[], ResponseReturnValue]) -> Response:
    """Answer as the view or the error handlers do, and keep what was answered."""
    nothing_sent = False
    with idempotency.running(run):
        try:
            response = make_response(work())
        except Exception as error:
            nothing_sent = isinstance(error, ProviderUnavailable)
            response = make_response(current_app.handle_user_exception(error))
    idempotency.end(run, _answer(response), nothing_sent=nothing_sent)
    return response


def _answer(response: Response) -> Answer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return Answer(response.status_code, headers, response.get_data())


def _replayed(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, answer.headers)
    response.headers[REPLAYED_HEADER] = "true"
    return response
