"""The thread that sends: beside the server or the worker, away from the engine of the money.

Each endpoint is served in a thread of its own, so that one that hangs holds up nobody else. Nobody
waits for these threads at a stop: what is cut off has a lease that ends, and is tried again.
"""

from __future__ import annotations

import logging
import threading
import time

from flask import Flask

from app.core.beside import STOP_SECONDS, Beside
from app.extensions import db
from app.webhooks.delivery import Turn, due_endpoints, serve
from app.webhooks.signals import delivery_staged

logger = logging.getLogger("lipa.webhooks")

#: What other processes write is found by looking.
LOOK_EVERY_SECONDS = 2.0
#: However much is due, an endpoint whose try failed is not tried again sooner.
REST_SECONDS = 5.0


class Courier:
    """Sends what is due for one application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._busy: dict[int, float] = {}
        self._beside = Beside("courier", self._work, LOOK_EVERY_SECONDS)

    def start(self) -> None:
        """Begin to send."""
        delivery_staged.connect(self._beside.wake)
        self._beside.start()

    def take_no_more(self) -> None:
        """Begin nothing new. Returns at once."""
        self._beside.take_no_more()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Begin nothing new, and wait so long at most for the thread to end."""
        self._beside.stop(seconds)

    def _work(self) -> None:
        for endpoint_id in self._due():
            if endpoint_id not in self._busy and not self._beside.is_ending:
                self._busy[endpoint_id] = float("inf")
                threading.Thread(target=self._serve, args=(endpoint_id,), daemon=True).start()

    def _due(self) -> list[int]:
        for endpoint_id, until in list(self._busy.items()):
            if until < time.monotonic():
                del self._busy[endpoint_id]
        with self._app.app_context():
            try:
                return due_endpoints()
            except Exception:
                # The database may be away for a while; what is due waits in it.
                logger.exception("due webhooks could not be read")
                return []
            finally:
                db.session.remove()

    def _serve(self, endpoint_id: int) -> None:
        turn: Turn = "failed"
        with self._app.app_context():
            try:
                turn = serve(endpoint_id)
            except Exception:
                logger.exception("endpoint %s was not served", endpoint_id)
            finally:
                db.session.remove()
        self._busy[endpoint_id] = time.monotonic() + (REST_SECONDS if turn == "failed" else 0)
        if turn == "over":
            self._beside.wake()
