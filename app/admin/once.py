"""A form that sends money back is carried out once, however often it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import flash, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.core import idempotency
from app.core.errors import Conflict, IdempotencyMismatch, LipaError
from app.core.idempotency import Answer
from app.core.texts import marked
from app.idempotency import fingerprint
from app.limits import caller

_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


def once(work: Callable[[], ResponseReturnValue]) -> ResponseReturnValue | None:
    """Carry a form out once, by the key that was made with it; None while that is being done.

    Raises Conflict for a form without a key, or with another's.
    """
    key = request.form.get("form_key", "")
    if not _FORM_KEY.fullmatch(key):
        raise Conflict(
            marked("This form is not complete. Open the page again; nothing was sent back.")
        )
    try:
        turn = idempotency.begin(caller(), key, fingerprint(request))
    except IdempotencyMismatch as error:
        raise Conflict(
            marked(
                "This form was sent before, with something else in it. Look at the refunds below; "
                "to send more back, open the page again."
            )
        ) from error
    except Conflict:
        flash(_("This form is being carried out already: see the refunds below."), "notice")
        return None
    if isinstance(turn, Answer):
        return redirect(turn.headers["Location"], 303)
    with idempotency.running(turn):
        try:
            response = make_response(work())
        except LipaError:
            # Nothing has begun, so the key is given back.
            idempotency.end(turn, Answer(503, {}, b""), nothing_sent=False)
            raise
    answer = Answer(response.status_code, {"Location": response.headers["Location"]}, b"")
    idempotency.end(turn, answer, nothing_sent=False)
    return response
