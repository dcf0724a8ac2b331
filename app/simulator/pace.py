"""How fast time passes for phones and callbacks."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.simulator.clock import utc_now

LEAST_SPEED: Final = 0.1
MOST_SPEED: Final = 100.0


class Pace:
    """Simulated seconds, of which `speed` pass in a real one.

    Only waiting is hurried: prompts, callbacks, payers' hands. The time of day that receipts and
    messages show stays the real one, because shops compare it with their own.
    """

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError for a speed that is out of bounds."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since = _Stretch(checked_speed(speed), 0.0, monotonic(), utc_now())

    @property
    def speed(self) -> float:
        return self._since.speed

    def change(self, speed: float) -> None:
        """Go on at another speed; raises ValueError when it is out of bounds."""
        checked_speed(speed)
        with self._lock:
            now = self.now()
            self._since = _Stretch(speed, now, self._monotonic(), utc_now())

    def now(self) -> float:
        """Simulated seconds since the beginning."""
        since = self._since
        return since.simulated + (self._monotonic() - since.real) * since.speed

    def real_seconds(self, simulated: float) -> float:
        return simulated / self._since.speed

    def at(self, instant: float) -> datetime:
        """When a simulated instant comes by the real clock, unless the speed changes."""
        since = self._since
        return since.at + timedelta(seconds=(instant - since.simulated) / since.speed)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Time since the speed was changed last: what the clocks showed then."""

    speed: float
    simulated: float
    real: float
    at: datetime


def checked_speed(speed: float) -> float:
    if not LEAST_SPEED <= speed <= MOST_SPEED:
        raise ValueError(f"speed must be from {LEAST_SPEED} to {MOST_SPEED:g}")
    return speed
