"""The ways in which Daraja has been different from time to time, and may be again."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final

from app.simulator.plans import (
    CALLBACK_PHONES,
    CALLBACK_SHAPES,
    PENDING_ANSWERS,
    REGISTER_CODES,
    CallbackPhone,
    CallbackShape,
    PendingAnswer,
    Plan,
    RegisterCode,
    ScenarioRefused,
)

Value = bool | str

#: The gateway's limit on queries in the sandbox: 5 a minute, one at a time (recorded).
QUERY_SECONDS: Final = 12.0


@dataclass(frozen=True, slots=True)
class Switches:
    """How everything behaves, unless a scenario says otherwise. The defaults are 2026's."""

    new_token_ends_old: bool = False
    callback_shape: CallbackShape = "2026"
    callback_phone: CallbackPhone = "number"
    pending_answer: PendingAnswer = "4999"
    documented_limits: bool = False
    query_limit: bool = False
    magic_numbers: bool = True
    register_once: bool = False
    register_code: RegisterCode = "0"
    no_validation: bool = False
    all_names: bool = False
    stk_confirmations: bool = False
    partial_reversals: bool = False

    def plan(self) -> Plan:
        """The plan of a request about which nothing else is said."""
        return Plan(
            callback_shape=self.callback_shape,
            callback_phone=self.callback_phone,
            pending_answer=self.pending_answer,
        )

    def as_json(self) -> dict[str, Value]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def changed(self, changes: Mapping[str, Any]) -> "Switches":
        """Switch what is named and leave the others; raises ScenarioRefused."""
        if not changes:
            raise ScenarioRefused(f"name some of: {', '.join(SWITCHES)}")
        for name, value in changes.items():
            row = SWITCHES.get(name)
            if row is None:
                known = ", ".join(SWITCHES)
                raise ScenarioRefused(f"there is no switch {name[:40]!r}, only {known}")
            # 1 equals True, and is no answer to the question whether.
            if not any(type(value) is type(v) and value == v for v in row.values):
                said = ", ".join(str(allowed).lower() for allowed in row.values)
                raise ScenarioRefused(f"{name} must be one of: {said}")
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Switch:
    """What can be switched, in words, and to what; the first of `values` is the default."""

    name: str
    summary: str
    values: Mapping[Value, str]


_OFF_ON: Final[Mapping[Value, str]] = {False: "no", True: "yes"}

_ROWS: Final = (
    Switch(
        "new_token_ends_old",
        "A new access token ends the one before it, as the documentation says and no recording "
        "shows.",
        _OFF_ON,
    ),
    Switch(
        "callback_shape",
        "STK callbacks have the items of this year; in 2024 a Balance without a value is one.",
        CALLBACK_SHAPES,
    ),
    Switch(
        "callback_phone",
        "The payer's number stands like this in STK callbacks: a number in every recording, and "
        "otherwise by hearsay.",
        CALLBACK_PHONES,
    ),
    Switch("pending_answer", "What a query is told while the prompt is open.", PENDING_ANSWERS),
    Switch(
        "documented_limits",
        "The documented limits of payers hold: no second payment of the same amount to the same "
        "shop within two minutes (17), and KES 500,000 a day (4).",
        _OFF_ON,
    ),
    Switch(
        "query_limit",
        "STK queries are limited to 5 a minute, one every 12 seconds, as in the sandbox (429).",
        _OFF_ON,
    ),
    Switch(
        "magic_numbers",
        "The numbers and amounts of the table decide how a request ends.",
        {True: "yes", False: "no"},
    ),
    Switch("register_once", "C2B URLs can be registered once only, as in production.", _OFF_ON),
    Switch(
        "register_code",
        "The ResponseCode of a registration that succeeds; all three are recorded.",
        REGISTER_CODES,
    ),
    Switch(
        "no_validation", "ValidationURL is never asked, as before Safaricom enables it.", _OFF_ON
    ),
    Switch(
        "all_names",
        "MiddleName and LastName are there too in C2B, as in the sandbox.",
        _OFF_ON,
    ),
    Switch(
        "stk_confirmations", "A payment by prompt is confirmed to ConfirmationURL as well.", _OFF_ON
    ),
    Switch(
        "partial_reversals",
        "A part of a payment can be reversed, and then the rest; neither documented nor recorded.",
        _OFF_ON,
    ),
)

SWITCHES: Final[Mapping[str, Switch]] = MappingProxyType({row.name: row for row in _ROWS})


def read_switches(text: str) -> Switches:
    """Read ``callback_shape=2024 query_limit``; raises ValueError."""
    changes: dict[str, Any] = {}
    for word in text.replace(",", " ").split():
        name, sign, value = word.partition("=")
        changes[name] = {"true": True, "false": False}.get(value, value) if sign else True
    return Switches().changed(changes) if changes else Switches()


class SpikeArrest:
    """One call in so many seconds for each shop, and not one more."""

    def __init__(
        self, seconds: float = QUERY_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def admits(self, shortcode: str) -> bool:
        """Whether the shop may call now; if so, the call counts."""
        with self._lock:
            now = self._monotonic()
            self._last = {s: at for s, at in self._last.items() if now - at < self._seconds}
            if shortcode in self._last:
                return False
            self._last[shortcode] = now
            return True

    def clear(self) -> None:
        with self._lock:
            self._last.clear()
