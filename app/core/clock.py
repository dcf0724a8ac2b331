"""Time is kept in UTC and shown in Nairobi, which is three hours ahead all year."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

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
