"""Browsers that hear of payments: so many open sockets, and callbacks at a steady pace.

``python -m scripts.bench.listeners URL FILE CALLBACKS PER_SECOND`` opens one socket for each line
of the file, as a payment's page does, then posts the callbacks of the first lines, and tells how
many milliseconds passed from sending each to its news on the socket. One clock measures both ends.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from http.client import HTTPConnection, HTTPException  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

from gevent import spawn  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from websocket import WebSocket, WebSocketException, create_connection  # noqa: E402

OPENING_AT_ONCE = 50
PATIENCE_SECONDS = 60
#: News that takes longer is missed.
LATEST_SECONDS = 10
SUBSCRIBED = '430[{"ok":true}]'


class Listeners:
    """The sockets of as many payments, and when each was told that its payment is completed."""

    def __init__(self, url: str, lines: list[dict[str, Any]]) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname or "", parts.port or 80)
        self._lines = lines
        self.open = 0
        self.sent: dict[str, float] = {}
        self.heard: dict[str, float] = {}
        self.wrong: list[str] = []

    def sit_down(self) -> None:
        """Open all sockets."""
        pool = Pool(OPENING_AT_ONCE)
        for socket in pool.imap_unordered(self._opened, self._lines):
            if socket is not None:
                self.open += 1
                spawn(self._listen, socket)

    def post(self, count: int, per_second: float) -> None:
        """Post the first callbacks at a steady pace, and wait for the last one's news."""
        began = time.monotonic()
        for number, line in enumerate(self._lines[:count]):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            spawn(self._post, line)
        deadline = time.monotonic() + LATEST_SECONDS
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.05)

    def _opened(self, line: dict[str, Any]) -> WebSocket | None:
        host, port = self._place
        address = f"ws://{host}:{port}/socket.io/?EIO=4&transport=websocket"
        showing = {"token": line["access_token"]}
        try:
            socket = create_connection(address, timeout=PATIENCE_SECONDS)
            socket.recv()
            socket.send("40" + json.dumps(showing))
            socket.recv()
            asked = ["subscribe", {"order_id": line["order_id"], **showing}]
            socket.send("420" + json.dumps(asked))
            told = str(socket.recv())
        except (OSError, WebSocketException) as error:
            told = type(error).__name__
        if told == SUBSCRIBED:
            return socket
        self.wrong.append(f"socket: {told}")
        return None

    def _listen(self, socket: WebSocket) -> None:
        while True:
            try:
                told = socket.recv()
            except (OSError, WebSocketException):
                return
            if told == "2":
                socket.send("3")
            elif isinstance(told, str) and told.startswith('42["payment_update"'):
                update = json.loads(told[2:])[1]
                if update["status"] == "completed":
                    self.heard.setdefault(update["order_id"], time.monotonic())

    def _post(self, line: dict[str, Any]) -> None:
        connection = HTTPConnection(*self._place, timeout=PATIENCE_SECONDS)
        self.sent[line["order_id"]] = time.monotonic()
        headers = {"Content-Type": "application/json"}
        try:
            connection.request("POST", line["path"], line["body"], headers)
            status = connection.getresponse().status
            if status != 200:
                self.wrong.append(f"callback: {status}")
        except (OSError, HTTPException) as error:
            self.wrong.append(f"callback: {type(error).__name__}")
        connection.close()


def main() -> None:
    url, file = sys.argv[1], Path(sys.argv[2])
    listeners = Listeners(url, [json.loads(line) for line in file.read_text().splitlines()])
    listeners.sit_down()
    listeners.post(int(sys.argv[3]), float(sys.argv[4]))
    both = listeners.sent.keys() & listeners.heard.keys()
    took = sorted((listeners.heard[each] - listeners.sent[each]) * 1000 for each in both)
    told = {"open": listeners.open, "took_ms": took, "wrong": listeners.wrong[:5]}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
