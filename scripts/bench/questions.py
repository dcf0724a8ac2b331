"""Questions to Daraja while many watch: none as long as a callback may come, few when it is lost.

Prompts are pending, and their pages poll all the time, as fast as they are answered. Twelve
seconds on, the callbacks of half of them come; those of the other half are lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import requests
from sqlalchemy import create_engine, update

from app.core.clock import now
from app.payments.models import Payment
from app.payments.schedule import FIRST_ASK_SECONDS, MINIMUM_PAUSE_SECONDS
from scripts.bench.figures import Figure
from scripts.bench.ground import Ground
from scripts.bench.initiations import sign_in
from scripts.bench.load import Request, rate_of
from scripts.bench.news import callback_of
from scripts.bench.seed import fill
from scripts.bench.several import shop

PENDING = 200
PROMPT_SECONDS = 60
CALLBACK_AFTER_SECONDS = 12
WATCHED_SECONDS = 45
#: A question is on its way for a moment, so two of them may come a little closer than they went.
JITTER_SECONDS = 0.5


def questions(ground: Ground) -> Iterator[Figure]:
    """Count, by attempt, how often Daraja was asked."""
    rows = fill(ground.env["DATABASE_URL"], PENDING, status="pending")
    told, lost = rows[: PENDING // 2], rows[PENDING // 2 :]
    with shop(ground):
        token = sign_in(ground)
        began = _send_prompts(ground)
        polls = _watch(ground, token, rows, began + CALLBACK_AFTER_SECONDS)
        early = len(_asked(ground))
        news = [callback_of(row) for row in told]
        rate_of(ground.folder, ground.base_url, news, once=True, seconds=2)
        polls += _watch(ground, token, lost, began + WATCHED_SECONDS)
        asked = _asked(ground)
    names = {row["checkout"] for row in told}
    needless = early + sum(len(asked.get(name, ())) for name in names)
    gaps = [late - soon for times in asked.values() for soon, late in pairwise(times)]
    is_found = [row["checkout"] in asked for row in lost]

    def figure(what: str, value: float, unit: str = "", **target: float | None) -> Figure:
        return Figure("questions", ground.engine, what, value, unit, **target)

    yield figure("polls meanwhile", polls)
    yield figure("questions before, or in spite of, a callback", needless, most=0)
    yield figure("lost callbacks asked about", sum(is_found), least=len(lost))
    least = MINIMUM_PAUSE_SECONDS - JITTER_SECONDS
    shortest = min(gaps, default=float(WATCHED_SECONDS))
    yield figure("shortest time between two about one attempt", shortest, "s", least=least)


def _send_prompts(ground: Ground) -> float:
    """Let all prompts have been sent at this moment, and return it, by the monotonic clock."""
    engine = create_engine(ground.env["DATABASE_URL"])
    with engine.begin() as connection:
        moment, began = now(), time.monotonic()
        sent = {
            "created_at": moment,
            "prompt_expires_at": moment + timedelta(seconds=PROMPT_SECONDS),
            "next_check_at": moment + timedelta(seconds=FIRST_ASK_SECONDS),
        }
        connection.execute(update(Payment).values(**sent))
    engine.dispose()
    return began


def _watch(ground: Ground, token: str, rows: list[dict[str, Any]], until: float) -> int:
    """Poll these orders till then; return how often that was."""
    headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {token}"))
    path = "/api/payments/mpesa/query"
    asked = [
        Request("POST", path, headers, json.dumps({"order_id": str(row["order_uuid"])}))
        for row in rows
    ]
    seconds = max(1, round(until - time.monotonic()))
    return rate_of(ground.folder, ground.base_url, asked, seconds=seconds).requests


def _asked(ground: Ground) -> dict[str, list[float]]:
    """Return when Daraja was asked about each prompt, in seconds of its own clock."""
    found: dict[str, list[float]] = requests.get(f"{ground.daraja}/asked", timeout=20).json()
    return found
