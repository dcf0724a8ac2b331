"""The id that joins a request's lines in the log, what it wrote down, and its answer."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_present: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered; None in the background."""
    return _present.get()


def begin(told: str | None, *, trusted: bool) -> str:
    """Give this request an id: our own proxy's if it is well formed, else a new one.

    What a stranger tells is not believed, since it could be somebody else's id, or a forged line.
    """
    usable = told is not None and trusted and _WELL_FORMED.fullmatch(told)
    request_id = told if usable and told else uuid4().hex[:16]
    _present.set(request_id)
    return request_id


def end() -> None:
    """Forget the id: the thread goes on to another request."""
    _present.set(None)
