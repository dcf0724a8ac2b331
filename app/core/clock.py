"""Time is kept in UTC and shown in Nairobi, which is three hours ahead all year."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

#: The wall clock may drift from the steady one by so much before it counts as having been set.
_DRIFT_SECONDS = 5.0

NAIROBI = ZoneInfo("Africa/Nairobi")


def now() -> datetime:
    """Return this moment, aware and in UTC."""
    return datetime.now(UTC)


def nairobi(moment: datetime) -> datetime:
    """Return the same moment on a Nairobi clock."""
    return moment.astimezone(NAIROBI)


def iso_seconds(moment: datetime) -> str:
    """Write UTC with seconds and a ``Z``: ``2023-08-15T12:34:56Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def for_people(moment: datetime) -> str:
    """Write a moment as a Nairobi shop would read it: ``21 Nov 2026, 16:05``."""
    local = nairobi(moment)
    return f"{local.day} {local:%b %Y, %H:%M}"


def daraja_timestamp(moment: datetime) -> str:
    """Write the ``yyyyMMddHHmmss`` that Daraja's password carries, in Nairobi time."""
    return nairobi(moment).strftime("%Y%m%d%H%M%S")


class Steadiness:
    """Notices that somebody set the wall clock while this process was running.

    Moments in the books are the wall clock's. After a jump they say nothing about how long ago
    something was, so whoever closes things for their age waits until enough time has passed that
    was seen to pass.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._set_at: float | None = None

    def seconds_since_jump(self) -> float | None:
        """Return how long ago the clock was set, by the steady clock; None for never."""
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > _DRIFT_SECONDS:
            self._set_at = time.monotonic()
        self._offset = offset
        return None if self._set_at is None else time.monotonic() - self._set_at

    def forget(self) -> None:
        """Take the clock as it is now for right."""
        self.__init__()  # type: ignore[misc]


steadiness = Steadiness()
