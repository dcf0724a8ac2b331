"""How one request departs from the ordinary, and what a scenario is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, runtime_checkable

#: Each kind of request has its own chances and its own armed scenarios.
Moment = Literal[
    "token",
    "call",
    "push",
    "query",
    "c2b",
    "register",
    "b2c",
    "b2b",
    "reversal",
    "status",
    "balance",
]
#: What a scenario is about. Money out goes by B2C, B2B and reversal; the last two only ask.
Occasion = Literal["token", "call", "push", "query", "c2b", "register", "out", "ask"]
MOMENTS: Final[Mapping[Occasion, tuple[Moment, ...]]] = {
    "token": ("token",),
    "call": ("call",),
    "push": ("push",),
    "query": ("query",),
    "c2b": ("c2b",),
    "register": ("register",),
    "out": ("b2c", "b2b", "reversal"),
    "ask": ("status", "balance"),
}

Answer = Literal[
    "ordinary",
    # Not processed: nothing comes of it, and a query tells nothing.
    "server_error",
    "maintenance",
    "firewall",
    "rate_limited",
    "dropped_unread",
    "too_early",
    "registered_elsewhere",
    "empty_400",
    # Processed: it takes its course, and the caller does not learn Daraja's id.
    "dropped",
    "empty_500",
    "bad_gateway",
    "cut_short",
    "duplicate",
]

CallbackShape = Literal["2026", "2024"]
CALLBACK_SHAPES: Final[Mapping[bool | str, str]] = {
    "2026": "four items, Amount 1",
    "2024": "five items, Amount 1.0",
}
CallbackPhone = Literal["number", "text", "masked", "hashed", "absent"]
CALLBACK_PHONES: Final[Mapping[bool | str, str]] = {
    "number": "254708374149",
    "text": '"254708374149"',
    "masked": '"254708***149"',
    "hashed": "SHA-256 in hex",
    "absent": "no such item",
}
PendingAnswer = Literal["4999", "being_processed"]
PENDING_ANSWERS: Final[Mapping[bool | str, str]] = {
    "4999": "a ResultCode, status 200",
    "being_processed": "status 500, as formerly",
}
RegisterCode = Literal["0", "00000000", "absent"]
REGISTER_CODES: Final[Mapping[bool | str, str]] = {
    "0": "as documented",
    "00000000": "production, July 2026",
    "absent": "no such key: a new sandbox, October 2026",
}


class ScenarioRefused(ValueError):
    """The scenario cannot be armed as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request departs from the ordinary. The defaults are ordinary.

    A callback is the letter about how a request ended: an STK callback, or a result of money out.
    """

    # What becomes of the callback.
    callback_copies: int = 1
    callback_delay_seconds: float = 0.0
    early_callback: bool = False
    callback_metadata: bool = True
    callback_extra_shillings: int = 0
    callback_shape: CallbackShape = "2026"
    callback_phone: CallbackPhone = "number"
    # Beside the success of a payment, a time-out that never was is reported.
    false_time_out: Literal["none", "before", "after"] = "none"
    # How the prompt or the payout ends, when nobody is asked.
    result_code: str | None = None
    # After a time-out has been reported, the PIN that was on its way arrives.
    late_success_seconds: float | None = None
    # Money out: in place of a result, the request itself goes to QueueTimeOutURL.
    queue_time_out: bool = False
    # Money out: accepted, and forgotten in the queue.
    moves_money: bool = True
    # Money out: it waits in the queue for so long, and then all goes on as usual.
    processing_seconds: float = 0.0
    # What a status query makes of a transaction, or the very word it has for it.
    status_seen: Literal["truth", "pending", "unknown"] = "truth"
    status_word: str | None = None
    # What a query is told while the prompt is open.
    pending_answer: PendingAnswer = "4999"
    # What the caller is told.
    refuse_token: bool = False
    kill_token: bool = False
    published_error: str | None = None
    answer: Answer = "ordinary"
    answer_delay_seconds: float = 0.0


@runtime_checkable
class Parameter(Protocol):
    """What a scenario is told when it is armed, by name."""

    @property
    def name(self) -> str: ...

    def read(self, body: Mapping[str, Any]) -> object:
        """The value; raises ScenarioRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Seconds:
    """A parameter of a scenario: so many seconds, up to `most`."""

    default: float
    most: float
    name: str = "seconds"

    def read(self, body: Mapping[str, Any]) -> float:
        value = body.get(self.name, self.default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioRefused(f"{self.name} must be a number")
        if not 0 <= value <= self.most:
            raise ScenarioRefused(f"{self.name} must be from 0 to {self.most}")
        return value


@dataclass(frozen=True, slots=True)
class Count:
    """A parameter of a scenario: a whole number from `least` to `most`."""

    name: str
    default: int
    least: int
    most: int

    def read(self, body: Mapping[str, Any]) -> int:
        value = body.get(self.name, self.default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ScenarioRefused(f"{self.name} must be a whole number")
        if not self.least <= value <= self.most:
            raise ScenarioRefused(f"{self.name} must be from {self.least} to {self.most}")
        return value


@dataclass(frozen=True, slots=True)
class Code:
    """A parameter of a scenario: one of `codes`, which `words` describe."""

    name: str
    codes: Collection[str]
    words: str

    def read(self, body: Mapping[str, Any]) -> str:
        code = str(body.get(self.name, "")).strip()
        if code not in self.codes:
            raise ScenarioRefused(f"{self.name} must be {self.words}")
        return code


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row of the registry: on which occasion it acts, and which fields of a `Plan` it changes.

    A change is a value, or the parameter that it is read from.
    """

    name: str
    moment: Occasion
    summary: str
    changes: Mapping[str, Any]

    def acts_on(self, moment: Moment) -> bool:
        return moment in MOMENTS[self.moment]

    def read_changes(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What it changes, by these parameters; raises ScenarioRefused."""
        return {
            change: value.read(parameters) if isinstance(value, Parameter) else value
            for change, value in self.changes.items()
        }
