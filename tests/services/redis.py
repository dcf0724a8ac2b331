"""A Redis server of one's own: empty, kept in memory, open to loopback only."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.services.launch import ServiceMissingError, free_port, running, throw_away_folder

# Valkey is the fork that some distributions ship in Redis' place.
PROGRAMS = ("redis-server", "valkey-server")
MISSING = "Redis is not installed. Install it: sudo apt-get install redis-server"


@dataclass(frozen=True)
class RedisServer:
    """A running server; `url` is its database 0."""

    port: int

    @property
    def url(self) -> str:
        """The address that redis-py, Huey, Flask-Limiter and Socket.IO take."""
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """The address of one of its sixteen databases, 0 to 15."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        """Whether it answers a PING at this moment."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def find_program() -> str:
    """The server's path. Raises ServiceMissingError when there is none."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise ServiceMissingError(MISSING)


@contextmanager
def serve(port: int | None = None) -> Iterator[RedisServer]:
    """Run a new, empty server while the block runs, on a port of one's own choice or a free one.

    Raises ServiceMissingError, or ServiceFailedError when it is there and does not start.
    """
    program = find_program()
    with throw_away_folder("redis") as folder:
        server = RedisServer(port or free_port())
        options = ["--port", str(server.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        options += ["--save", "", "--appendonly", "no"]
        with running([program, *options], folder / "redis.log", server.answers):
            yield server
