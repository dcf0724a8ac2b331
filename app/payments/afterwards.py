"""Callbacks that are acted on after their acknowledgement, when many come at once.

A callback is acted on before it is answered, as long as few are in hand: then whoever looks next
sees what it said. In a burst that would keep the others waiting at the door, where Daraja gives
them up; so they are kept and acknowledged first, and acted on one after the other by a thread of
the same process. What is in its queue when the process ends is found by the sweep.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from app.core.beside import Beside
from app.extensions import db
from app.payments import inbox

logger = logging.getLogger("payments.mpesa")

#: So many callbacks of a process are acted on before they are answered.
HANDLED_AT_ONCE = 8
#: A burst is over when for so long no more than that were in hand.
BURST_SECONDS = 1.0
#: While a burst lasts, the thread leaves so many times as long as it took for those at the door.
PATIENCE = 12
LONGEST_PAUSE_SECONDS = 0.5
#: What is not taken beyond this many is left to the sweep.
MOST_WAITING = 20_000


class Afterwards:
    """One thread that acts on kept callbacks, in the order in which they were kept."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._in_hand = 0
        self._burst_until = float("-inf")
        self._counting = threading.Lock()
        self._waiting: deque[int] = deque(maxlen=MOST_WAITING)
        self._beside = Beside("afterwards", self._work)

    def start(self) -> None:
        """Begin to act, beside the server. Until then each callback is acted on at once."""
        self._beside.start()

    def stop(self) -> None:
        """Stop after the one in hand; the sweep finds the rest."""
        self._beside.stop()

    @contextmanager
    def one_in_hand(self) -> Iterator[None]:
        """Count a callback from its coming to its answer."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    @property
    def is_wanted(self) -> bool:
        """Whether so many come at present that each is better acted on later."""
        return self._beside.is_running and time.monotonic() < self._burst_until

    def take(self, inbox_id: int) -> None:
        """Act on a kept callback as soon as those before it are done."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(inbox_id)
        self._beside.wake()

    def _count(self, by: int) -> None:
        with self._counting:
            self._in_hand += by
            if self._in_hand > HANDLED_AT_ONCE:
                self._burst_until = time.monotonic() + BURST_SECONDS

    def _work(self) -> None:
        while self._waiting and not self._beside.is_ending:
            began = time.monotonic()
            with self._app.app_context():
                act_on(self._waiting.popleft())
            if self.is_wanted:
                took = time.monotonic() - began
                self._beside.rest(min(took * PATIENCE, LONGEST_PAUSE_SECONDS))


def afterwards() -> Afterwards:
    found: Afterwards = current_app.extensions["lipa_afterwards"]
    return found


def act_on(inbox_id: int) -> None:
    """Act on a kept callback, unless that has been done. What goes wrong is the sweep's."""
    try:
        if inbox.is_unhandled(inbox_id):
            inbox.handle_again(inbox_id)
    except Exception:
        db.session.rollback()
        logger.exception("callback %s is kept and will be handled by the sweep", inbox_id)
    finally:
        db.session.remove()
