"""Rate limits: per person, or per address for strangers; never one bucket for everybody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from flask import request
from limits import RateLimitItem, parse
from werkzeug.exceptions import HTTPException

from app.accounts.guard import current_person
from app.core.errors import LipaError
from app.core.reading import read_json
from app.extensions import limiter
from app.settings.service import settings

UNPROVEN_CALLBACKS = "60/minute"
#: An account costs a slow hash and a row; nobody needs more of them from one address.
REGISTRATIONS = "100/minute"
#: Whoever has paid has one code to send, and whoever guesses must not get far.
CLAIMS = "5/10 minutes"
#: Nobody reads a page in another language every second.
LANGUAGE_CHOICES = "60/minute"


def caller() -> str:
    """Name who is counted: the person who is signed in, else the address."""
    person = current_person()
    return f"person:{person.id}" if person else f"address:{request.remote_addr}"


def _account() -> str:
    """Name the account that somebody tries to enter, by the e-mail as it would be looked up."""
    try:
        body: Mapping[str, Any] = read_json(request) if request.is_json else request.form
    except (LipaError, HTTPException):
        # The view says what is wrong with the body. An error from here would pass for a store of
        # limits that is away, and open a second, empty one.
        body = {}
    return f"account:{str(body.get('email', '')).strip().lower()[:254]}"


def _address() -> str:
    return f"address:{request.remote_addr}"


def _thrice_sign_in() -> str:
    count, _, period = settings().rate_limit_sign_in.partition("/")
    return f"{int(count) * 3}/{period}"


initiate_limit = limiter.shared_limit(
    lambda: settings().rate_limit_initiate, scope="initiate", key_func=caller
)
status_limit = limiter.shared_limit(
    lambda: settings().rate_limit_status, scope="status", key_func=caller
)
_account_limit = limiter.shared_limit(
    lambda: settings().rate_limit_sign_in,
    scope="sign-in",
    key_func=_account,
    methods=["POST"],
)
_address_limit = limiter.shared_limit(
    _thrice_sign_in, scope="sign-in-address", key_func=_address, methods=["POST"]
)
registration_limit = limiter.shared_limit(
    REGISTRATIONS, scope="registration", key_func=_address, methods=["POST"]
)
claim_limit = limiter.shared_limit(CLAIMS, scope="claim", key_func=caller, methods=["POST"])
language_limit = limiter.shared_limit(LANGUAGE_CHOICES, scope="language", key_func=caller)


def sign_in_limit(view: Callable[..., Any]) -> Callable[..., Any]:
    """Throttle guessing by account and by address."""
    return _account_limit(_address_limit(view))


class Allowance:
    """Counts polls as ``status_limit`` does, for what answers before the view.

    A limit of hundreds is counted by the hundredth, ten at most at a time: where processes share
    the count, each trip to it costs as much as the poll. What a process has counted and not used
    is lost to the person after LASTS_SECONDS.
    """

    LASTS_SECONDS = 10.0
    MOST_AT_ONCE = 10
    MOST_KEPT = 10_000

    def __init__(self) -> None:
        self._left: dict[tuple[str, int], tuple[int, float]] = {}

    def take(self, limit: str, person_id: int) -> bool:
        """Count a poll; False where it is one too many, or cannot be counted.

        Whoever is refused here is refused by the view, in its words.
        """
        left, until = self._left.pop((limit, person_id), (0, 0.0))
        moment = time.monotonic()
        if not left or moment >= until:
            left, until = self._counted(limit, person_id), moment + self.LASTS_SECONDS
        if left > 1:
            if len(self._left) >= self.MOST_KEPT:
                self._left.clear()
            self._left[limit, person_id] = left - 1, until
        return left > 0

    def _counted(self, limit: str, person_id: int) -> int:
        """Count some polls at once; return how many, none where they are too many."""
        item = _parsed(limit)
        count = min(max(1, item.amount // 100), self.MOST_AT_ONCE)
        try:
            is_allowed = limiter.limiter.hit(item, f"person:{person_id}", "status", cost=count)
        except Exception:
            # Whatever a store of limits that is away raises: the view knows what to do without it.
            return 0
        return count if is_allowed else 0


@lru_cache
def _parsed(limit: str) -> RateLimitItem:
    return parse(limit)
