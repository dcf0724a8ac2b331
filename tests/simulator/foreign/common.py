"""What both foreign programs need; run by another Python, with the standard library alone.

Each takes the simulator's address and prints what its client made of every answer, as JSON.
"""

import inspect
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import CodeType, FrameType
from typing import Any, Self

KEY, SECRET = "simulator-key", "simulator-secret"
SHORTCODE, B2C_SHORTCODE = "174379", "600000"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
INITIATOR, PASSWORD = "testapi", "Safaricom999!*!"
WAIT_SECONDS = 10.0


class Shop:
    """The address that Daraja posts to, and the hand that holds the phone."""

    def __init__(self, simulator: str) -> None:
        self.simulator = simulator
        received: list[tuple[str, dict[str, Any]]] = []
        self._received = received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.append((self.path, body))
                answer = b'{"ResultCode": "0", "ResultDesc": "Accepted"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def told(self, path: str) -> dict[str, Any]:
        """The first body that came to this path; waits for it."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            for at, body in list(self._received):
                if at == path:
                    return body
            time.sleep(0.03)
        raise AssertionError(f"nothing came to {path}")

    def press(self, path: str, **body: Any) -> Any:
        """Do something at the simulator as a person would."""
        request = urllib.request.Request(
            f"{self.simulator}/simulator/api{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def look(self, path: str) -> Any:
        """What the simulator tells of itself."""
        with urllib.request.urlopen(f"{self.simulator}/simulator/api{path}", timeout=30) as answer:
            return json.load(answer)

    def certificate(self) -> bytes:
        url = f"{self.simulator}/simulator/certificate.pem"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())


def complaint(act: Callable[[], Any]) -> str:
    """What the client says when it must complain."""
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no complaint"


class Watch:
    """Notes which functions run, without touching them."""

    def __init__(self) -> None:
        self._seen: set[CodeType] = set()

    def __enter__(self) -> Self:
        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                self._seen.add(frame.f_code)

        sys.setprofile(note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def driven(self, methods: dict[str, Any]) -> dict[str, bool]:
        """Of every method by name, whether it ran."""
        return {name: inspect.unwrap(m).__code__ in self._seen for name, m in methods.items()}


def public_methods(name: str, thing: type, package: str) -> dict[str, Any]:
    """What the package itself lets others call on a class; what it inherits elsewhere is not."""
    return {
        f"{name}.{attribute}": function
        for attribute, function in inspect.getmembers(thing, inspect.isfunction)
        if not attribute.startswith("_") and function.__module__.split(".")[0] == package
    }


def tell(answers: dict[str, Any]) -> None:
    json.dump(answers, sys.stdout)
