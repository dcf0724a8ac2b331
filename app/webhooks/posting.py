"""One POST to one address: nothing is followed, and it is over after a few seconds."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from certifi import where as trusted_authorities

from app.core.texts import marked, said
from app.webhooks.addresses import NotAllowed, Target, resolve

#: From the first byte to the last, however slowly the other side sends.
SECONDS = 5.0
MOST_CHARACTERS = 200
_MOST_BYTES = 4 * MOST_CHARACTERS
_SILENCE = said("no answer within {seconds} seconds", seconds=int(SECONDS))


@dataclass(frozen=True)
class Outcome:
    """What came of a try. Without an answer ``status`` is None, and ``problem`` says why."""

    took_ms: int
    status: int | None = None
    answer: str = ""
    problem: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(target: Target, body: bytes, headers: dict[str, str]) -> Outcome:
    """Post a body, and say what came of it. Raises nothing that the other side can cause."""
    began = time.monotonic()

    def took_ms() -> int:
        return int((time.monotonic() - began) * 1000)

    try:
        status, answer = _exchange(target, resolve(target), body, headers)
    except NotAllowed as error:
        return Outcome(took_ms(), problem=error.message)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        late = time.monotonic() - began >= SECONDS
        told = (
            said("no answer within {seconds} seconds", seconds=int(SECONDS))
            if late
            else _words(error)
        )
        return Outcome(took_ms(), problem=told)
    problem = marked("redirects are not followed") if 300 <= status < 400 else None
    return Outcome(took_ms(), status, answer, problem)


def _exchange(
    target: Target, address: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    began = time.monotonic()
    wire = _Wire(socket.create_connection((address, target.port), SECONDS))
    timer = threading.Timer(SECONDS - (time.monotonic() - began), wire.cut)
    timer.start()
    try:
        if target.scheme == "https":
            wire.encrypt(target.host)
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = wire.socket
        connection.request("POST", target.path, body, {"Host": target.host_header} | headers)
        answer = connection.getresponse()
        text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
        return answer.status, text.replace("\x00", "\ufffd")[:MOST_CHARACTERS]
    finally:
        timer.cancel()
        wire.socket.close()


class _Wire:
    """A connection that can be cut from outside, whatever it is waiting for."""

    def __init__(self, plain: socket.socket) -> None:
        self.socket = plain

    def encrypt(self, host: str) -> None:
        """Speak TLS, to nobody but the host of this name."""
        context = ssl.create_default_context(cafile=trusted_authorities())
        encrypted = context.wrap_socket(
            self.socket, server_hostname=host, do_handshake_on_connect=False
        )
        self.socket = encrypted
        encrypted.do_handshake()

    def cut(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return said("its certificate is not good: {why}", why=error.verify_message[:160])
    if isinstance(error, socket.gaierror):
        return marked("its name is not known")
    return said("it could not be reached ({why})", why=type(error).__name__)
