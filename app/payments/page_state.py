"""How an order stands, as the reader of a page hears it: for every door that shows a payment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request

from app.core.clock import now
from app.languages import in_readers_language
from app.payments.models import Payment

#: The parts of an order's state that are sentences.
SENTENCES = ("title", "message", "warning", "usual")
#: How often a page without script looks again while a prompt is live: often while somebody holds
#: the phone, then seldom, and in the end only when its reader asks.
LOOKS_AGAIN_SECONDS, SOON_SECONDS = 5, 120
LOOKS_SELDOM_SECONDS, LATE_SECONDS = 20, 1800


def in_words(state: dict[str, Any]) -> dict[str, Any]:
    """Return an order's state with its sentences in the language of this page."""
    return {name: _told(name, value) for name, value in state.items()}


def _told(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return in_words(value)
    return in_readers_language(value) if name in SENTENCES and value else value


def looks_again_in(state: dict[str, Any], attempts: Sequence[Payment]) -> int | None:
    """Return after how many seconds a page without script loads itself again, or None.

    Its reader may hold it still by ``?still=1``, so that nothing half-written is lost.
    """
    if "still" in request.args or not state["live"] or not attempts:
        return None
    age = (now() - max(attempt.created_at for attempt in attempts)).total_seconds()
    if age < SOON_SECONDS:
        return LOOKS_AGAIN_SECONDS
    return LOOKS_SELDOM_SECONDS if age < LATE_SECONDS else None
