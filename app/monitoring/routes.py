"""GET /metrics: the figures, for Prometheus on this machine or for a bearer of METRICS_TOKEN."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from app.accounts.guard import open_to_all
from app.core.errors import Unauthorized
from app.monitoring.gauges import Gauges
from app.monitoring.meters import readable
from app.settings.service import settings

metrics_api = Blueprint("metrics_api", __name__)

#: Whoever sends one of these was passed on, and the address that is seen is not the caller's.
_PASSED_ON = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")


@metrics_api.get("/metrics")
@open_to_all
def metrics() -> Response:
    """Tell the figures. Raises Unauthorized for whoever is neither here nor has the token."""
    if not (_has_token() or _is_here()):
        raise Unauthorized("Send Authorization: Bearer <METRICS_TOKEN>, or ask from this machine.")
    gauges: Gauges = current_app.extensions["lipa_gauges"]
    books = CollectorRegistry()
    books.register(gauges)
    told = generate_latest(readable()) + generate_latest(books)
    return Response(told, content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    expected = settings().metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), expected.encode())


def _is_here() -> bool:
    """Tell whether a program of this machine asks. Behind a proxy everybody would seem to."""
    configured = settings()
    if configured.trusted_proxies or configured.follows_tunnel:
        return False
    if any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
