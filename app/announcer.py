"""Sends what the outbox holds, in a thread of the process that has the sockets.

A commit in this process wakes it at once; what other processes commit it finds by looking.
"""

from __future__ import annotations

import logging
import time

from flask import Flask

from app import realtime
from app.core.beside import Beside
from app.core.outbox import send_left, send_ours
from app.extensions import db
from app.payments.signals import announcement_staged

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0


class Announcer:
    """One thread that empties the outbox of one application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._beside = Beside("announcer", self._work, LOOK_EVERY_SECONDS)
        self._looked_at = float("-inf")

    def start(self) -> None:
        """Begin to send, beside the server."""
        announcement_staged.connect(self._beside.wake)
        self._beside.start()

    def stop(self) -> None:
        """Stop sending; what is staged stays for the next start."""
        self._beside.stop()

    def _work(self) -> None:
        with self._app.app_context():
            self._send()

    def _send(self) -> None:
        try:
            # Another process may have ended the sign-in behind a socket of this one.
            realtime.let_go()
            while send_ours(realtime.deliver) and not self._beside.is_ending:
                pass
            if time.monotonic() - self._looked_at >= LOOK_EVERY_SECONDS:
                self._looked_at = time.monotonic()
                while send_left(realtime.deliver) and not self._beside.is_ending:
                    pass
        except Exception:
            # The database may be away for a while; what is staged waits in it.
            logger.exception("the outbox could not be read")
        finally:
            db.session.remove()
