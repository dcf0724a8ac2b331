"""Logging: one line an event, without secrets and without whole phone numbers."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime

from app.core.request_ids import current_request_id
from app.monitoring.redaction import MASK, redact, redact_value

OWN_LOGGERS = ("app", "lipa", "payments")
_CHATTY = ("urllib3", "socketio", "engineio", "huey", "alembic")
#: What some program takes for the end of a line, moves a cursor by, or turns text round with.
_BREAKS = {
    code: repr(chr(code))[1:-1]
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F))
}
#: What every record has; whatever else it has, somebody handed over with the event.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Names of payments, refunds and payouts, by which one looks for all that befell them.
_REFERENCES = {
    "payment": re.compile(r"\bTXN[A-Z0-9]{17}\b"),
    "refund": re.compile(r"\bRFD[A-Z0-9]{17}\b"),
    "payout": re.compile(r"\bPAY[A-Z0-9]{17}\b"),
}


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


class JsonLines(logging.Formatter):
    """One JSON object a line, tracebacks and all, for programs that gather logs.

    ``at`` is UTC with microseconds. What was handed over with the event stands beside the
    message under its own name, redacted like it.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if request_id := current_request_id():
            said["request_id"] = request_id
        for name, pattern in _REFERENCES.items():
            if found := pattern.search(message):
                said[name] = found[0]
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in said:
                said[name] = redact_value(name, value)
        if record.exc_info:
            said["trace"] = redact(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=True, default=lambda _: MASK)


def configure_logging(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Send everything to standard error in one shape. Safe to call again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else OneLine())
    root = logging.getLogger()
    for old in [kept for kept in root.handlers if isinstance(kept.formatter, OneLine | JsonLines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def adopt(*names: str) -> None:
    """Have loggers that brought handlers of their own speak through ours."""
    for name in names:
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True


def tell_more() -> None:
    """Let our own loggers speak of every detail (DEBUG); those of libraries may tell secrets."""
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
