"""What was said on the wire lately, for a developer who wonders why."""

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from app.simulator.clock import iso, utc_now

MOST_RECORDS: Final = 1_000
_LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. Holds no body, no header and no address with a secret in it."""

    direction: Literal["in", "out"]
    method: str
    path: str
    status: int | None
    error_code: str | None
    why: str
    checkout_request_id: str | None
    at: datetime = field(default_factory=utc_now)

    def as_json(self) -> dict[str, Any]:
        return {
            "time": iso(self.at),
            "direction": self.direction,
            "method": self.method,
            "path": self.path[:_LONGEST_TEXT],
            "status": self.status,
            "errorCode": self.error_code,
            "why": self.why[:_LONGEST_TEXT],
            "CheckoutRequestID": self.checkout_request_id and self.checkout_request_id[:100],
        }


class Traffic:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[dict[str, Any]] = deque(maxlen=MOST_RECORDS)

    def record(self, exchange: Exchange) -> None:
        with self._lock:
            self._recent.append(exchange.as_json())

    def newest_first(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(reversed(self._recent))

    def clear(self) -> None:
        with self._lock:
            self._recent.clear()
