"""The connections to Daraja, kept open: what may be asked again by itself, and what never is."""

from __future__ import annotations

import ssl
import time
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import SSLError as TlsError
from urllib3.util import Retry

#: As many connections are kept open as prompts were ever under way at once: with fewer, each
#: further one in a crowd would begin with a handshake. Without a crowd there are few.
POOL_SIZE = 1024
MOST_REPEATS = 2
#: What has taken longer is not asked again: somebody may be waiting for the answer.
REPEAT_WITHIN_SECONDS = 1.0
#: The most that repeating adds to one question, its last pause included.
REPEATS_COST_SECONDS = 2.0

_asked_at: ContextVar[float] = ContextVar("asked_at")


class Wires:
    """Two pools: ``pushes`` sends everything once, ``questions`` repeats what moves nothing."""

    def __init__(self) -> None:
        self.pushes = _session(HTTPAdapter(pool_maxsize=POOL_SIZE, max_retries=0))
        self.questions = _session(_Questions(pool_maxsize=POOL_SIZE, max_retries=_repeats()))

    def close(self) -> None:
        self.pushes.close()
        self.questions.close()


def never_connected(error: requests.ConnectionError) -> bool:
    """Tell a request that certainly was not sent from one whose connection broke afterwards.

    A TLS error may come after the request as well as before it; only a certificate that was not
    accepted is sure to come before.
    """
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, TlsError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError)


class _Repeats(Retry):
    """Asks again only while the question is young."""

    def is_exhausted(self) -> bool:
        is_old = time.monotonic() - _asked_at.get() > REPEAT_WITHIN_SECONDS
        return is_old or super().is_exhausted()


class _Questions(HTTPAdapter):
    """Remembers when a question was asked first."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        mark = _asked_at.set(time.monotonic())
        try:
            return super().send(*args, **kwargs)
        finally:
            _asked_at.reset(mark)


def _repeats() -> Retry:
    """Connections that were not made, and gateways' errors to whoever wants a token (a GET).

    Never a 429, a redirect or a silence. A query that was answered, however badly, is not sent
    again at once: it counts against a rate limit, and the engine comes back to it by itself.
    """
    return _Repeats(
        total=MOST_REPEATS,
        connect=MOST_REPEATS,
        status=MOST_REPEATS,
        read=False,
        other=0,
        redirect=0,
        status_forcelist=(502, 503, 504),
        allowed_methods=("GET",),
        backoff_factor=0.1,
        backoff_jitter=0.2,
        respect_retry_after_header=False,
        raise_on_status=False,
    )


def _session(adapter: HTTPAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    # A proxy or netrc of the machine must not decide where money goes.
    session.trust_env = False
    return session
