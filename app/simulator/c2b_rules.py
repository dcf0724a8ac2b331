"""Where shops want to hear of payments by hand, and which of them may ask for a list."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal

ResponseType = Literal["Completed", "Cancelled"]
RESPONSE_TYPES: Final[tuple[ResponseType, ...]] = ("Completed", "Cancelled")

MOST_REGISTERED: Final = 1_000


class AlreadyRegistered(Exception):
    """This shortcode has URLs, and they cannot be registered again."""


@dataclass(frozen=True, slots=True)
class Registration:
    """`hashes` tells how payers' numbers are hidden: v1 hashes them, v2 masks them."""

    shortcode: str
    response_type: ResponseType
    confirmation_url: str
    validation_url: str
    hashes: bool


class C2bRules:
    """The URLs of shops. Beyond the limit the oldest registration goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._registered: OrderedDict[str, Registration] = OrderedDict()
        self._pulling: OrderedDict[str, None] = OrderedDict()

    def register(self, registration: Registration, *, once: bool = False) -> None:
        """Keep a shop's URLs; raises AlreadyRegistered where that can be done `once` only."""
        with self._lock:
            if once and registration.shortcode in self._registered:
                raise AlreadyRegistered
            self._registered[registration.shortcode] = registration
            self._registered.move_to_end(registration.shortcode)
            if len(self._registered) > MOST_REGISTERED:
                self._registered.popitem(last=False)

    def of(self, shortcode: str) -> Registration | None:
        with self._lock:
            return self._registered.get(shortcode)

    def register_pull(self, shortcode: str) -> bool:
        """Let a shop pull its transactions; False when it could already."""
        with self._lock:
            if shortcode in self._pulling:
                return False
            self._pulling[shortcode] = None
            if len(self._pulling) > MOST_REGISTERED:
                self._pulling.popitem(last=False)
            return True

    def pulls(self, shortcode: str) -> bool:
        with self._lock:
            return shortcode in self._pulling

    def clear(self) -> None:
        """Forget all who registered."""
        with self._lock:
            self._registered.clear()
            self._pulling.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """The addresses are left out: a path may hold the shop's secret."""
        with self._lock:
            return [
                {
                    "shortcode": one.shortcode,
                    "response_type": one.response_type,
                    "version": "v1" if one.hashes else "v2",
                }
                for one in self._registered.values()
            ]
