"""Every request: its id, its line in the log, and its time among the figures."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from app.core import request_ids
from app.monitoring.meters import count_request

logger = logging.getLogger("lipa.http")

#: Asked for so often that a line for each would hide the others.
_QUIET = ("/api/health", "/api/health/live", "/api/health/ready", "/metrics")


def watch_requests(app: Flask) -> None:
    """Log every request with its id, status and time; the id is in the answer too."""
    trusts_proxy = app.extensions["lipa_settings"].trusted_proxies > 0

    @app.before_request
    def _begin() -> None:
        told = request.headers.get(request_ids.HEADER)
        g.request_id = request_ids.begin(told, trusted=trusts_proxy)
        g.began_at = time.monotonic()

    @app.after_request
    def _end(response: Response) -> Response:
        request_id = g.get("request_id", "")
        response.headers[request_ids.HEADER] = request_id
        rule = request.url_rule.rule if request.url_rule else None
        took = time.monotonic() - g.get("began_at", time.monotonic())
        tell(request.method, request.path, rule, response.status_code, took, request_id)
        return response

    @app.teardown_request
    def _forget(_error: BaseException | None) -> None:
        request_ids.end()


def tell(
    method: str,
    path: str,
    rule: str | None,
    status: int,
    seconds: float,
    request_id: str,
    *,
    is_news: bool = True,
) -> None:
    """Log an answered request, and count it by its route's pattern.

    What is asked for again and again, with nothing new to say, is logged at the level of DEBUG.
    """
    quiet = not is_news or path.startswith("/static/") or path in _QUIET
    level = logging.DEBUG if quiet else logging.INFO
    logger.log(level, "%s %s %s %.0fms id=%s", method, path, status, seconds * 1000, request_id)
    count_request(method, rule, status, seconds)
