"""Instants are UTC inside; Daraja and the handset speak Nairobi time (UTC+3, no DST)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

NAIROBI: Final = timezone(timedelta(hours=3), "EAT")


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with a trailing Z, whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_milliseconds(instant: datetime) -> str:
    """As `iso`, but to the millisecond, so that what came after what can be told."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def daraja_timestamp(instant: datetime) -> str:
    """`yyyyMMddHHmmss` in Nairobi."""
    return instant.astimezone(NAIROBI).strftime("%Y%m%d%H%M%S")


def result_moment(instant: datetime) -> str:
    """As results of B2C write it, in Nairobi: ``06.07.2024 22:48:52``."""
    return instant.astimezone(NAIROBI).strftime("%d.%m.%Y %H:%M:%S")


def pull_moment(instant: datetime) -> str:
    """As pull transactions write it: Nairobi's time, although a Z stands behind it (documented)."""
    return f"{instant.astimezone(NAIROBI):%Y-%m-%dT%H:%M:%S}Z"


def sms_moment(instant: datetime) -> str:
    """As M-Pesa's messages write it: ``21/11/26 at 4:05 PM``."""
    local = instant.astimezone(NAIROBI)
    hour = local.hour % 12 or 12
    return f"{local.day}/{local.month}/{local:%y} at {hour}:{local:%M %p}"


def clock_face(instant: datetime) -> str:
    """Nairobi hours and minutes, for the pages: ``16:05``."""
    return instant.astimezone(NAIROBI).strftime("%H:%M")
