"""How long a payment usually takes today, by this shop's own traffic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from flask import current_app
from sqlalchemy import select

from app.core.clock import now
from app.core.texts import said
from app.extensions import db
from app.payments.evidence import Evidence
from app.payments.models import Payment
from app.payments.states import Status

#: So many of the newest completed payments are looked at, by their index: it stays quick.
_SAMPLE = 200
#: Of fewer nobody can say what is usual.
LEAST = 5
TODAY, LATELY = timedelta(hours=24), timedelta(days=30)
_KEPT_SECONDS = 60
_STEP_SECONDS = 5
_MINUTES_FROM_SECONDS = 120


@dataclass(frozen=True)
class Usual:
    """The median from prompt to known result, in seconds, rounded up to five."""

    seconds: int
    is_today: bool


@dataclass(frozen=True)
class _Kept:
    usual: Usual | None
    until: float


def usual_sentence() -> str | None:
    """Say how long it takes, or None where too few have paid to tell."""
    found = usual()
    if found is None:
        return None
    if found.seconds >= _MINUTES_FROM_SECONDS:
        minutes = -(-found.seconds // 60)
        if found.is_today:
            return said("Today it usually takes about {minutes} minutes.", minutes=minutes)
        return said("It usually takes about {minutes} minutes.", minutes=minutes)
    if found.is_today:
        return said("Today it usually takes about {seconds} seconds.", seconds=found.seconds)
    return said("It usually takes about {seconds} seconds.", seconds=found.seconds)


def usual() -> Usual | None:
    """Return the usual time of the last day, else of the last month; None with too few of both.

    Kept for a minute in each process.
    """
    kept: _Kept | None = current_app.extensions.get("lipa_usual")
    if kept is None or time.monotonic() >= kept.until:
        kept = _Kept(_measure(), time.monotonic() + _KEPT_SECONDS)
        current_app.extensions["lipa_usual"] = kept
    return kept.usual


def forget() -> None:
    """Look into the books again the next time."""
    current_app.extensions.pop("lipa_usual", None)


def _measure() -> Usual | None:
    moment = now()
    newest = (
        select(Payment.created_at, Payment.completed_at, Payment.evidence)
        .where(Payment.status == Status.COMPLETED, Payment.created_at > moment - LATELY)
        .order_by(Payment.created_at.desc())
        .limit(_SAMPLE)
    )
    # What people settled from a statement says nothing about how long M-Pesa takes.
    took = [
        (begun, (ended - begun).total_seconds())
        for begun, ended, evidence in db.session.execute(newest)
        if ended is not None and evidence != Evidence.BY_HAND
    ]
    today = [seconds for begun, seconds in took if begun > moment - TODAY]
    if len(today) >= LEAST:
        return Usual(_rounded(today), is_today=True)
    lately = [seconds for _, seconds in took]
    return Usual(_rounded(lately), is_today=False) if len(lately) >= LEAST else None


def _rounded(took: Sequence[float]) -> int:
    steps = -(-max(median(took), 1.0) // _STEP_SECONDS)
    return int(steps) * _STEP_SECONDS
