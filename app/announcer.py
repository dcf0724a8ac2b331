"""Sends what the outbox holds, in a thread of the process that has the sockets.

A commit in this process wakes it at once; what other processes commit it finds by looking.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from flask import Flask

from app import realtime
from app.core.outbox import send_left, send_ours
from app.extensions import db
from app.payments.signals import announcement_staged

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
STOP_SECONDS = 2.0


class Announcer:
    """One thread that empties the outbox of one application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_at = float("-inf")

    def start(self) -> None:
        """Begin to send, beside the server."""
        announcement_staged.connect(self._wake)
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; what is staged stays for the next start."""
        self._ending.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _wake(self, _sender: Any) -> None:
        self._wanted.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wanted.wait(LOOK_EVERY_SECONDS)
            self._wanted.clear()
            with self._app.app_context():
                self._send()

    def _send(self) -> None:
        try:
            # Another process may have ended the sign-in behind a socket of this one.
            realtime.let_go()
            while send_ours(realtime.deliver) and not self._ending.is_set():
                pass
            if time.monotonic() - self._looked_at >= LOOK_EVERY_SECONDS:
                self._looked_at = time.monotonic()
                while send_left(realtime.deliver) and not self._ending.is_set():
                    pass
        except Exception:
            # The database may be away for a while; what is staged waits in it.
            logger.exception("the outbox could not be read")
        finally:
            db.session.remove()
