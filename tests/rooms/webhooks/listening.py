"""A program of the owner's that is told news, and answers as a test says."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

#: How long a test waits for what was sent to arrive, in seconds.
PATIENCE = 5.0


@dataclass(frozen=True)
class Heard:
    """One POST as it came."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body

    @property
    def marks(self) -> list[str]:
        """The signatures, newest secret first."""
        parts = self.headers["Lipa-Signature"].split(",")
        return [part.removeprefix("v1=") for part in parts if part.startswith("v1=")]

    def mark_by(self, secret: str) -> str:
        """What whoever knows the secret expects to find among the marks."""
        moment = self.headers["Lipa-Signature"].split(",")[0].removeprefix("t=")
        message = moment.encode() + b"." + self.raw
        return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Listening:
    """A server on 127.0.0.1. ``hold`` keeps every answer back until it is set."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.status, self.answer, self.location = 200, b"thanks", ""
        self.arrived = threading.Semaphore(0)
        self.hold = threading.Event()
        self.hold.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/news"

    def __enter__(self) -> Listening:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> Heard:
        """Return what comes next. Fails when nothing does."""
        assert self.arrived.acquire(timeout=PATIENCE), "nothing came"
        return self.heard[-1]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listening = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                listening.heard.append(Heard(dict(self.headers), raw))
                listening.arrived.release()
                listening.hold.wait(PATIENCE)
                self.send_response(listening.status)
                if listening.location:
                    self.send_header("Location", listening.location)
                self.send_header("Content-Length", str(len(listening.answer)))
                self.end_headers()
                self.wfile.write(listening.answer)

            def log_message(self, *_: object) -> None:
                return None

        return Handler
