"""A Nairobi day that a test walks through, whatever the clock of the machine says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import time_machine

from app.core.clock import NAIROBI, steadiness

#: A Wednesday. People of a test sign in on it, so that their sign-ins have begun and not ended.
DAY = datetime(2027, 3, 10, tzinfo=NAIROBI)


@contextmanager
def clock(words: str, days_ago: int = 0) -> Iterator[None]:
    """Let it be so late on DAY, or so many days before, and let the clock run on from there."""
    parts = [int(part) for part in words.split(":")]
    hours, minutes, seconds = [*parts, 0, 0][:3]
    past_midnight = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    with time_machine.travel(DAY - timedelta(days=days_ago) + past_midnight, tick=True):
        steadiness.forget()
        try:
            yield
        finally:
            steadiness.forget()
