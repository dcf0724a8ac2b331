"""Logging: one line an event, without secrets and without whole phone numbers."""

from __future__ import annotations

import logging
import re
import sys
import time
from uuid import uuid4

from flask import Flask, Response, g, request

logger = logging.getLogger("lipa.http")

OWN_LOGGERS = ("app", "lipa", "payments")

# A CheckoutRequestID ends in the payer's number, a MSISDN is one: the middle digits go.
_CHECKOUT_ID = re.compile(r"(ws_CO_\d{14}\d*?)\d{6}(\d{3})\b", re.IGNORECASE)
_PHONE = re.compile(r"(?<!\d)(\+?254|0)([127]\d{2})\d{3}(\d{3})(?!\d)")
_TOKEN = re.compile(r"(token=|Bearer |JWT |Basic )[A-Za-z0-9._~+/=-]+")
_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\x1b": "\\x1b", "\u2028": "\\u2028"})


def redact(text: str) -> str:
    """Mask phone numbers and tokens, and keep one event on one line."""
    text = _TOKEN.sub(r"\1***", text)
    text = _CHECKOUT_ID.sub(r"\1******\2", text)
    return _PHONE.sub(r"\1\2***\3", text)


class OneLine(logging.Formatter):
    """UTC time, level, logger and a redacted message; a traceback keeps its lines."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        message, trace = record.getMessage(), record.exc_info
        line = logging.makeLogRecord(
            record.__dict__ | {"msg": message.translate(_BREAKS), "args": None, "exc_text": None}
        )
        line.exc_info = trace
        return redact(super().format(line))


def configure_logging(level: int = logging.INFO) -> None:
    """Send everything to standard error in one shape. Safe to call again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    root = logging.getLogger()
    for old in [kept for kept in root.handlers if isinstance(kept.formatter, OneLine)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in ("urllib3", "socketio", "engineio", "huey", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def tell_more() -> None:
    """Let our own loggers speak of every detail (DEBUG); those of libraries may tell secrets."""
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)


def watch_requests(app: Flask) -> None:
    """Log every request with its id, status and time; the id is in the answer too."""

    @app.before_request
    def _begin() -> None:
        g.request_id = uuid4().hex[:16]
        g.began_at = time.monotonic()

    @app.after_request
    def _end(response: Response) -> Response:
        took_ms = (time.monotonic() - g.get("began_at", time.monotonic())) * 1000
        response.headers["X-Request-ID"] = g.get("request_id", "")
        quiet = request.path.startswith("/static/") or request.path == "/api/health"
        logger.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %s %.0fms id=%s",
            request.method,
            request.path,
            response.status_code,
            took_ms,
            g.get("request_id"),
        )
        return response
