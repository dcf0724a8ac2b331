"""The figures of a period, computed from the rows and kept for a moment where that is slow."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy.orm import Session

from app.core.clock import nairobi
from app.core.errors import Busy
from app.extensions import db
from app.figures import callbacks
from app.figures.attempts import Ends, ends_by_step
from app.figures.money import Standing, Sum, Takings, standing, takings, takings_by_step
from app.figures.periods import CHOICES, HOUR, Period, period_of

#: Figures that took this long to compute are kept, and told again, for so many times as long: a
#: page that many people watch costs a large database a twentieth of its time at most.
SLOW_SECONDS = 0.25
KEPT_TIMES = 20
#: Figures of so many attempts are kept, too, for so long, on a machine that is quick about them.
MANY_ATTEMPTS = 5_000
MANY_KEPT_SECONDS = 10.0
LONGEST_KEPT_SECONDS = 300.0
#: Whoever asks while somebody else computes the same waits for it this long.
WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Step:
    """What happened in one hour or day, which ``name`` calls by a Nairobi clock."""

    at: datetime
    name: str
    ends: Ends
    taken: Sum


@dataclass(frozen=True)
class Figures:
    """What the rows say of a period. ``ends`` is the sum of what its steps say."""

    period: Period
    steps: tuple[Step, ...]
    ends: Ends
    callback_failures: int


@dataclass(frozen=True)
class Glance:
    """Where the money stands at this moment."""

    takings: Takings
    standing: Standing


class Shelf:
    """Figures that were slow to compute, each until its time is over.

    One thread at a time computes those of so many days, and the others wait for what it finds.
    """

    def __init__(self) -> None:
        self._turns = {days: threading.Lock() for days in CHOICES}
        self._kept: dict[int, tuple[float, Figures]] = {}

    def figures(self, days: int) -> Figures:
        """Return the kept figures, or new ones. Raises Busy when others compute for too long."""
        turn = self._turns[days]
        if not turn.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            until, found = self._kept.get(days, (0.0, None))
            return found if found and time.monotonic() < until else self._fresh(days)
        finally:
            turn.release()

    def _fresh(self, days: int) -> Figures:
        began = time.monotonic()
        found = compute(db.session(), period_of(days))
        ended = time.monotonic()
        pause = (ended - began) * KEPT_TIMES if ended - began > SLOW_SECONDS else 0.0
        if found.ends.initiated > MANY_ATTEMPTS:
            pause = max(pause, MANY_KEPT_SECONDS)
        if pause:
            self._kept[days] = (ended + min(pause, LONGEST_KEPT_SECONDS), found)
        return found


def figures(days: int) -> Figures:
    """Return the figures of the last so many Nairobi days; see periods.CHOICES."""
    # setdefault decides in one step when two requests are the first ones.
    shelf: Shelf = current_app.extensions.setdefault("lipa_figures", Shelf())
    return shelf.figures(days)


def glance() -> Glance:
    """Return where the money stands now. Nothing of it is kept: it is about few rows."""
    moment = period_of(1).end
    return Glance(takings(db.session(), moment), standing(db.session(), moment))


def compute(session: Session, period: Period) -> Figures:
    """Compute the figures of a period from the rows."""
    ends, taken = ends_by_step(session, period), takings_by_step(session, period)
    total = Ends()
    for step in ends:
        total += step
    moments = zip(period.moments, ends, taken, strict=True)
    steps = tuple(Step(at, _name(at, period), end, money) for at, end, money in moments)
    return Figures(period, steps, total, callbacks.failures(session, period))


def _name(at: datetime, period: Period) -> str:
    local = nairobi(at)
    return f"{local:%H:%M}" if period.step == HOUR else f"{local.day} {local:%b}"
