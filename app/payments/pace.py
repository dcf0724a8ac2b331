"""Daraja's rate limit on queries, kept for the whole process group."""

from __future__ import annotations

from app.core.limiting import spend
from app.settings.service import settings


def may_ask() -> bool:
    """Take one of the queries that may be sent now; False when there is none left.

    The sandbox lets one through in twelve seconds (recorded traffic: five a minute, burst one);
    no limit of production is published.
    """
    limit = settings().query_limit
    return limit is None or spend(limit, "daraja-query")
