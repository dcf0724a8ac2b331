"""What one can see of a running shop: a log without secrets, and figures for Prometheus."""

from app.core.request_ids import current_request_id
from app.monitoring.http import watch_requests
from app.monitoring.logs import (
    OWN_LOGGERS,
    JsonLines,
    OneLine,
    adopt,
    configure_logging,
    tell_more,
)
from app.monitoring.redaction import redact

__all__ = [
    "OWN_LOGGERS",
    "JsonLines",
    "OneLine",
    "adopt",
    "configure_logging",
    "current_request_id",
    "redact",
    "tell_more",
    "watch_requests",
]
