"""What was said on the wire lately, for a developer who wonders why."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from app.simulator.clock import iso, utc_now
from app.simulator.masking import Masks

MOST_RECORDS: Final = 1_000
#: Of all bodies together, and of one, in characters.
MOST_CHARACTERS: Final = 8_000_000
LONGEST_BODY: Final = 16_000
KEPT_FOR: Final = timedelta(hours=1)
_LONGEST_TEXT: Final = 300
_LONGEST_HEADER: Final = 200

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Said:
    """One side of an exchange, its secrets masked already."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def cut(self) -> "Said":
        headers = {name: value[:_LONGEST_HEADER] for name, value in self.headers.items()}
        return Said(headers, self.body[:LONGEST_BODY])


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, in which nothing secret is left.

    `path` is short and for lists; `url` is where the request went, whole. `status` is None where
    no answer came. `error_code` is that of Daraja's envelope.
    """

    direction: Direction
    method: str
    path: str
    status: int | None
    error_code: str | None
    why: str
    checkout_request_id: str | None = None
    conversation_id: str | None = None
    url: str = ""
    request: Said = field(default_factory=Said)
    answer: Said = field(default_factory=Said)
    milliseconds: int | None = None
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Kept:
    """An exchange and its number; later ones have higher numbers."""

    number: int
    exchange: Exchange
    is_cut: bool

    @property
    def size(self) -> int:
        return len(self.exchange.request.body) + len(self.exchange.answer.body)

    def as_json(self) -> dict[str, Any]:
        """The row of a list: no bodies, and so nobody's whole number."""
        exchange = self.exchange
        return {
            "id": self.number,
            "time": iso(exchange.at),
            "direction": exchange.direction,
            "method": exchange.method,
            "path": exchange.path,
            "status": exchange.status,
            "errorCode": exchange.error_code,
            "why": exchange.why,
            "CheckoutRequestID": exchange.checkout_request_id,
            "ConversationID": exchange.conversation_id,
            "milliseconds": exchange.milliseconds,
        }

    @property
    def searched(self) -> str:
        """Everything in which a text is looked for, in lower case."""
        exchange = self.exchange
        parts = (
            exchange.method,
            exchange.url,
            exchange.path,
            exchange.error_code,
            exchange.why,
            exchange.checkout_request_id,
            exchange.conversation_id,
            exchange.request.body,
            exchange.answer.body,
        )
        return "\n".join(part for part in parts if part).lower()


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which exchanges are wanted; what is left at its default lets everything through.

    `status` is a whole status, one of its classes such as `5xx`, `none` where no answer came, or
    `refused` for all that were not 2xx. `phone` is the last nine digits.
    """

    direction: str = ""
    path: str = ""
    status: str = ""
    phone: str = ""
    identifier: str = ""
    text: str = ""
    after: int = 0
    before: int | None = None

    def lets_through(self, kept: Kept) -> bool:
        exchange = kept.exchange
        if self.before is not None and kept.number >= self.before:
            return False
        if self.direction and exchange.direction != self.direction:
            return False
        if self.path.lower() not in exchange.path.lower():
            return False
        if not self._has_status(exchange.status):
            return False
        searched = kept.searched if self.phone or self.identifier or self.text else ""
        wanted = (self.phone, self.identifier, self.text)
        return all(one.lower() in searched for one in wanted)

    def _has_status(self, status: int | None) -> bool:
        match self.status:
            case "":
                return True
            case "none":
                return status is None
            case "refused":
                return status is None or not 200 <= status < 300
        return status is not None and self.status in (str(status), f"{status // 100}xx")


class Traffic:
    """The last hour, as far as `MOST_RECORDS` and `MOST_CHARACTERS` reach back."""

    def __init__(self, masks: Masks | None = None) -> None:
        """`masks` hide what is secret; whoever records uses them first."""
        self.masks = masks or Masks(())
        self._lock = threading.Lock()
        self._recent: deque[Kept] = deque()
        self._last_number = 0
        self._characters = 0

    def record(self, exchange: Exchange) -> None:
        kept = _shortened(exchange)
        with self._lock:
            self._last_number += 1
            self._recent.append(Kept(self._last_number, kept, _is_cut(exchange)))
            self._characters += self._recent[-1].size
            self._forget()

    def newest_first(self) -> list[dict[str, Any]]:
        return [kept.as_json() for kept in self.find(Sieve(), MOST_RECORDS)]

    def find(self, sieve: Sieve, most: int) -> list[Kept]:
        """What the sieve lets through, newest first."""
        found: list[Kept] = []
        for kept in self._since(sieve.after):
            if len(found) == most:
                break
            if sieve.lets_through(kept):
                found.append(kept)
        return found

    def numbered(self, number: int) -> Kept | None:
        return next((kept for kept in self._since(number - 1) if kept.number == number), None)

    def clear(self) -> None:
        """Forget everything; the numbers go on, so that whoever looks on is not confused."""
        with self._lock:
            self._recent.clear()
            self._characters = 0

    def _since(self, number: int) -> Iterator[Kept]:
        with self._lock:
            self._forget()
            recent = list(self._recent)
        return (kept for kept in reversed(recent) if kept.number > number)

    def _forget(self) -> None:
        oldest_wanted = utc_now() - KEPT_FOR
        while self._recent and (
            len(self._recent) > MOST_RECORDS
            or self._characters > MOST_CHARACTERS
            or self._recent[0].exchange.at < oldest_wanted
        ):
            self._characters -= self._recent.popleft().size


def _shortened(exchange: Exchange) -> Exchange:
    return Exchange(
        direction=exchange.direction,
        method=exchange.method,
        path=exchange.path[:_LONGEST_TEXT],
        status=exchange.status,
        error_code=exchange.error_code,
        why=exchange.why[:_LONGEST_TEXT],
        checkout_request_id=exchange.checkout_request_id and exchange.checkout_request_id[:100],
        conversation_id=exchange.conversation_id,
        url=exchange.url[: _LONGEST_TEXT * 4],
        request=exchange.request.cut(),
        answer=exchange.answer.cut(),
        milliseconds=exchange.milliseconds,
        at=exchange.at,
    )


def _is_cut(exchange: Exchange) -> bool:
    return max(len(exchange.request.body), len(exchange.answer.body)) > LONGEST_BODY
