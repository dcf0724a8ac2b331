"""A shop that really listens, and clients that a server should not have to bear."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import requests

from tests.support.app import CALLBACK_PATH
from tests.support.daraja import FakeDaraja
from tests.support.live_shop import LiveShop

HEAD = f"POST {CALLBACK_PATH} HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n"
#: How slow senders begin, and what each then adds once a second, for ever.
SLOW = {
    "head": (HEAD, "X"),
    "body": (f"{HEAD}Content-Length: 60000\r\n\r\n{{", " "),
    "chunks": (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
}
MEGABYTE = 1024 * 1024


@dataclass
class Served:
    """A server as a shopkeeper runs it, with few threads, and its Daraja."""

    shop: LiveShop
    daraja: FakeDaraja

    @property
    def port(self) -> int:
        return int(self.shop.env["PORT"])

    def seconds_to_answer(self, patience: float = 10) -> float:
        """How long somebody else waits for an answer; raises when it is more than ``patience``."""
        began = time.monotonic()
        answer = requests.get(f"{self.shop.base_url}/api/health", timeout=patience)
        assert answer.status_code == 200, answer.text
        return time.monotonic() - began

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


class SlowSenders:
    """Many connections that send a byte a second each, in every way that a request can be slow."""

    def __init__(self, served: Served, count: int) -> None:
        self._served = served
        kinds = list(SLOW.values())
        self._plans = [kinds[number % len(kinds)] for number in range(count)]
        self._open: dict[socket.socket, bytes] = {}

    def __enter__(self) -> SlowSenders:
        for head, more in self._plans:
            connection = self._served.connect()
            connection.sendall(head.encode())
            connection.setblocking(False)
            self._open[connection] = more.encode()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection in self._open:
            connection.close()

    def still_open(self) -> int:
        """Send a byte on each, and count those that the server has neither answered nor ended."""
        for connection, more in list(self._open.items()):
            if _is_over(connection, more):
                connection.close()
                del self._open[connection]
        return len(self._open)


def _is_over(connection: socket.socket, more: bytes) -> bool:
    try:
        connection.send(more)
        connection.recv(1000)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def status_of_broken_body(served: Served, rest: str) -> int:
    """Send a head and what follows, say that no more will come, and return the status told."""
    with served.connect() as connection:
        connection.sendall(HEAD.encode() + rest.encode())
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(100).split()[1])


def status_of_endless_body(served: Served, head: str, piece: bytes) -> tuple[int, int]:
    """Send up to 100 MB; return the status told, and how many megabytes the server let in."""
    with served.connect() as connection:
        connection.sendall(head.encode())
        sent = 0
        with suppress(OSError):
            while sent < 100 * MEGABYTE:
                connection.sendall(piece)
                sent += len(piece)
        told = connection.recv(100)
    return int(told.split()[1]), sent // MEGABYTE
