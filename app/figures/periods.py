"""The stretches of time that figures are told of: whole Nairobi days, up to this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.clock import nairobi, now
from app.core.errors import ValidationError
from app.core.texts import marked

#: Of so many days figures are told, today among them.
CHOICES = (1, 7, 30)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """From a Nairobi midnight until ``end``, cut into steps of an hour or a day. UTC."""

    days: int
    start: datetime
    end: datetime

    @property
    def step(self) -> timedelta:
        return HOUR if self.days == 1 else DAY

    @property
    def name(self) -> str:
        return "Today" if self.days == 1 else f"The last {self.days} days"

    @property
    def moments(self) -> list[datetime]:
        """Where each step begins, the one that is not over yet among them."""
        steps = max((self.end - self.start) // self.step + 1, 1)
        return [self.start + number * self.step for number in range(steps)]


def period_of(days: int, end: datetime | None = None) -> Period:
    """Return the last so many Nairobi days up to ``end``, which is this moment unless given."""
    end = end or now()
    return Period(days, midnight(end) - (days - 1) * DAY, end)


def days_from(text: str | None) -> int:
    """Read how many days somebody wants to know of, 1 unless told. Raises ValidationError."""
    choices = {str(days): days for days in CHOICES}
    if text and text not in choices:
        raise ValidationError(marked("days must be 1, 7 or 30."), details={"field": "days"})
    return choices[text] if text else 1


def midnight(moment: datetime) -> datetime:
    """Return when the Nairobi day of a moment began. Nairobi's days have 24 hours all year."""
    return nairobi(moment).replace(hour=0, minute=0, second=0, microsecond=0)
