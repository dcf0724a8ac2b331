"""gunicorn's greenlet worker, with a limit to how long a request may take to come.

The head of a request has ``keepalive`` seconds, which gunicorn looks after; its body is timed here.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from app.patience import patience

#: For so long after the door is closed a request is still read from a connection that was kept.
LINGER_SECONDS = 2.0


class PatientGreenWorker(GeventWorker):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._idle: set[Any] = set()
        self._lingers_until: float | None = None

    def run(self) -> None:
        patience.start()
        super().run()

    def server_class(self, listener: Any, *, spawn: Pool, **_: Any) -> StreamServer:
        """Return what takes connections in; gunicorn asks for a class, and calls it like this."""
        named = _Named(listener.getsockname())
        return _Door(listener, handle=partial(self.handle, named), spawn=spawn)

    def notify(self) -> None:
        """Called each second, also while a stop waits for the connections that are open."""
        super().notify()
        if not self.alive:
            self._let_idle_go()

    def _let_idle_go(self) -> None:
        moment = time.monotonic()
        if self._lingers_until is None:
            self._lingers_until = moment + LINGER_SECONDS
        elif moment > self._lingers_until:
            for connection in list(self._idle):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        self._idle.discard(sock)
        patience.begin(sock)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            patience.end(sock)
            self._idle.add(sock)


@dataclass(frozen=True)
class _Named:
    """What a request wants of the door that it came by: its name, also when it is closed."""

    name: Any

    def getsockname(self) -> Any:
        return self.name


class _Door(StreamServer):
    """Takes in who has come already before it closes.

    A connection that is closed unserved fails for a proxy that has sent a payment into it and must
    not send it elsewhere.
    """

    def close(self) -> None:
        with suppress(OSError):
            while "socket" in self.__dict__ and not self.full() and (came := self.do_read()):
                self.do_handle(*came)
        super().close()
