"""Where shops want to hear of payments by hand, and the ways in which Daraja's C2B varies."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

ResponseType = Literal["Completed", "Cancelled"]
RESPONSE_TYPES: Final[tuple[ResponseType, ...]] = ("Completed", "Cancelled")

MOST_REGISTERED: Final = 1_000

#: What can be switched, and what is so while it is on. All are off at first.
SWITCHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "register_once": "URLs can be registered once only, as in production.",
        "no_validation": "ValidationURL is never asked, as before Safaricom enables it.",
        "all_names": "MiddleName and LastName are there too, as in the sandbox.",
        "stk_confirmations": "A payment by prompt is confirmed to ConfirmationURL as well.",
    }
)


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
    """The switches, and the URLs of shops. Beyond the limit the oldest registration goes."""

    def __init__(self, switched_on: Collection[str]) -> None:
        """`switched_on` holds names of `SWITCHES` that are on from the start."""
        self._at_first = frozenset(switched_on)
        self._lock = threading.Lock()
        self._on = self._at_first
        self._registered: OrderedDict[str, Registration] = OrderedDict()
        self._pulling: OrderedDict[str, None] = OrderedDict()

    def is_on(self, switch: str) -> bool:
        with self._lock:
            return switch in self._on

    def switch(self, changes: Mapping[str, bool]) -> None:
        """Switch what is named, and leave the others."""
        with self._lock:
            kept = self._on - {name for name, on in changes.items() if not on}
            self._on = kept | {name for name, on in changes.items() if on}

    def register(self, registration: Registration) -> None:
        """Keep a shop's URLs; raises AlreadyRegistered."""
        with self._lock:
            if "register_once" in self._on and registration.shortcode in self._registered:
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
        """Forget all who registered, and put the switches back as they were at first."""
        with self._lock:
            self._registered.clear()
            self._pulling.clear()
            self._on = self._at_first

    def as_json(self) -> dict[str, Any]:
        """The addresses are left out: a path may hold the shop's secret."""
        with self._lock:
            registered = [
                {
                    "shortcode": one.shortcode,
                    "response_type": one.response_type,
                    "version": "v1" if one.hashes else "v2",
                }
                for one in self._registered.values()
            ]
            return {"switches": {s: s in self._on for s in SWITCHES}, "registered": registered}
