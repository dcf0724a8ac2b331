"""An end to senders that never come to one.

A threaded server reads a request with one of its threads, and a sender of one byte a second keeps
that thread for as long as it likes. So each request has a time by which it must have been read;
then its connection reads as ended, and the thread is free again.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gunicorn.workers.gthread import TConn, ThreadWorker

#: How long the head and a small body may take, and how slowly a large one may come.
READ_SECONDS = 6.0
SLOWEST_BYTES_PER_SECOND = 16 * 1024
_LOOK_EVERY_SECONDS = 0.5

Read = TypeVar("Read")


@dataclass
class _Reading:
    """One request that is being read. Time counts only while somebody waits for its sender."""

    connection: socket.socket
    ends_at: float
    is_waiting: bool = True


class Patience:
    """Knows which connections are being read, and for how long yet."""

    def __init__(self) -> None:
        self._readings: dict[int, _Reading] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Look after connections in a thread of this process."""
        threading.Thread(target=self._run, name="patience", daemon=True).start()

    def begin(self, connection: socket.socket) -> None:
        """Expect a request on this connection."""
        reading = _Reading(connection, time.monotonic() + READ_SECONDS)
        with self._lock:
            self._readings[id(connection)] = reading

    def end(self, connection: socket.socket) -> None:
        with self._lock:
            self._readings.pop(id(connection), None)

    def allow(self, connection: socket.socket, length: int) -> None:
        """Stop the clock: the head has been read. A body of ``length`` bytes gets its time."""
        reading = self._readings.get(id(connection))
        if reading is not None:
            reading.is_waiting = False
            reading.ends_at += length / SLOWEST_BYTES_PER_SECOND

    def while_reading(self, connection: socket.socket, read: Callable[[], Read]) -> Read:
        """Let the clock run while ``read`` waits for the sender."""
        reading = self._readings.get(id(connection))
        if reading is None:
            return read()
        reading.is_waiting = True
        try:
            return read()
        finally:
            reading.is_waiting = False

    def cut_off(self) -> int:
        """End the reading of whoever took too long; return how many these were."""
        moment = time.monotonic()
        with self._lock:
            late = [r for r in self._readings.values() if r.is_waiting and r.ends_at < moment]
        for reading in late:
            with suppress(OSError):
                # Only our reading ends: the sender can still be told why.
                reading.connection.shutdown(socket.SHUT_RD)
        return len(late)

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_SECONDS)
            self.cut_off()


patience = Patience()


class PatientWorker(ThreadWorker):
    """gunicorn's threaded worker, with a limit to how long a request may take to come."""

    def init_process(self) -> None:
        patience.start()
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take in who has come already and close the door, when it is for good.

        Left open, it would let the kernel take connections in that nobody serves any more, and a
        proxy that has sent a payment into one of them must not send it elsewhere.
        """
        was_open = self._accepting
        super().set_accept_enabled(enabled)
        if was_open and not enabled and not self.alive:
            for listener in self.sockets:
                self._take_in(listener)
                listener.close()

    def _take_in(self, listener: Any) -> None:
        before = -1
        while before < self.nr_conns < self.worker_connections:
            before = self.nr_conns
            self.accept(listener)

    def handle(self, conn: TConn) -> Any:
        connection = conn.sock
        patience.begin(connection)
        try:
            return super().handle(conn)
        finally:
            patience.end(connection)


class TimedBodies:
    """WSGI: the clock stands while the application works, and runs while it waits for a body."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        connection = environ.get("gunicorn.socket")
        if connection is not None:
            length = environ.get("CONTENT_LENGTH") or "0"
            patience.allow(connection, int(length) if length.isdigit() else 0)
            environ["wsgi.input"] = _TimedInput(environ["wsgi.input"], connection)
        return self._app(environ, start_response)


class _TimedInput:
    """A request's body, read under the clock."""

    def __init__(self, body: Any, connection: socket.socket) -> None:
        self._body = body
        self._connection = connection

    def read(self, *size: int) -> bytes:
        return patience.while_reading(self._connection, lambda: bytes(self._body.read(*size)))

    def readline(self, *size: int) -> bytes:
        return patience.while_reading(self._connection, lambda: bytes(self._body.readline(*size)))

    def readlines(self, *hint: int) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Any:
        return iter(self.readline, b"")
