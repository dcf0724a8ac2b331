"""When an attempt is asked about: patiently, within Daraja's rate limits."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A callback comes within about 20 seconds as a rule; asking sooner is noise.
FIRST_ASK_SECONDS = 15
#: Pauses after each question. The sandbox allows five questions a minute (recorded traffic).
_BACK_OFF_SECONDS = (15, 15, 20, 30, 60, 120, 300, 600, 1800, 3600)
#: However many people watch, one attempt is asked about at most once in this time.
MINIMUM_PAUSE_SECONDS = 10
#: After so many questions without an end a person has long been looking at it.
MAX_CHECKS = 60
#: An attempt that is still open this long after its prompt ended is shown to a person.
QUIET_SECONDS = 60


def pause_after(checks: int) -> timedelta:
    """Return how long to wait after the n-th question (from 1)."""
    index = min(max(checks, 1), len(_BACK_OFF_SECONDS)) - 1
    return timedelta(seconds=_BACK_OFF_SECONDS[index])


def quiet_after(prompt_expires_at: datetime) -> datetime:
    """Return when silence about a prompt counts as news."""
    return prompt_expires_at + timedelta(seconds=QUIET_SECONDS)
