"""When an attempt is asked about: patiently, within Daraja's rate limits."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A callback comes within about 20 seconds as a rule; asking sooner is noise.
FIRST_ASK_SECONDS = 15
#: Pauses after each question. The sandbox allows five questions a minute (recorded traffic).
_BACK_OFF_SECONDS = (15, 15, 20, 30, 60, 120, 300, 600, 1800, 3600)
#: However many people watch, one attempt is asked about at most once in this time.
MINIMUM_PAUSE_SECONDS = 10
#: What is dated further ahead than this was written before the clock was set back; what is dated
#: less far ahead, by somebody who was faster than one who waited for a lock.
CLOCK_SET_BACK_SECONDS = 60
#: No question is due later than this from now, and no prompt lives longer: what says so was written
#: before the clock was set back.
LONGEST_PAUSE_SECONDS = 3660
LONGEST_PROMPT_SECONDS = 600
LONGEST_ASK_AGAIN_SECONDS = 600
#: After so many questions without an end a person has long been looking at it.
MAX_CHECKS = 60
#: After a prompt has ended without money, Daraja is asked again so long after its time: a payer who
#: was slow is told "timed out" first and may have paid all the same (recorded traffic).
_SECOND_THOUGHTS_SECONDS = (120, 1800)
#: An attempt that is still open this long after its prompt ended is shown to a person.
QUIET_SECONDS = 60


def pause_after(checks: int) -> timedelta:
    """Return how long to wait after the n-th question (from 1)."""
    index = min(max(checks, 1), len(_BACK_OFF_SECONDS)) - 1
    return timedelta(seconds=_BACK_OFF_SECONDS[index])


def quiet_after(prompt_expires_at: datetime) -> datetime:
    """Return when silence about a prompt counts as news."""
    return prompt_expires_at + timedelta(seconds=QUIET_SECONDS)


def second_thought_after(prompt_expires_at: datetime, moment: datetime) -> datetime | None:
    """Return when to ask again how an unpaid prompt ended, seen from a moment; None for no more."""
    moments = (prompt_expires_at + timedelta(seconds=s) for s in _SECOND_THOUGHTS_SECONDS)
    return next((later for later in moments if later > moment), None)
