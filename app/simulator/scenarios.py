"""What can be made to go wrong: a registry with one row for each scenario, and what is armed.

A row says at which moment it acts and which fields of a `Plan` it changes; everything that acts
on a plan lives with the endpoint concerned. Several scenarios may meet on one request.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from app.mpesa.result_codes import STK_RESULTS
from app.simulator.numbers import to_msisdn

Moment = Literal["call", "push", "query"]
Answer = Literal[
    "ordinary",
    # Not processed: no prompt comes of it, and a query tells nothing.
    "server_error",
    "firewall",
    "rate_limited",
    # Processed: the prompt lives, and the caller does not learn its CheckoutRequestID.
    "dropped",
    "empty_500",
    "bad_gateway",
    "cut_short",
]

MOST_ARMED: Final = 1_000
MOST_TIMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request departs from the ordinary. The defaults are ordinary."""

    # What becomes of the callback.
    callback_copies: int = 1
    callback_delay_seconds: float = 0.0
    early_callback: bool = False
    callback_metadata: bool = True
    callback_extra_shillings: int = 0
    # Beside the success of a payment, a time-out that never was is reported.
    false_time_out: Literal["none", "before", "after"] = "none"
    # How the prompt ends, when nobody is asked.
    result_code: str | None = None
    # After a time-out has been reported, the PIN that was on its way arrives.
    late_success_seconds: float | None = None
    # What the caller is told.
    refuse_token: bool = False
    answer: Answer = "ordinary"
    answer_delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Seconds:
    """A parameter of a scenario: so many seconds, up to `most`."""

    default: float
    most: float

    def read(self, body: Mapping[str, Any]) -> float:
        value = body.get("seconds", self.default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioRefused("seconds must be a number")
        if not 0 <= value <= self.most:
            raise ScenarioRefused(f"seconds must be from 0 to {self.most}")
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
class FinalCode:
    """A parameter of a scenario: a result code of the table that ends a payment."""

    name: str

    def read(self, body: Mapping[str, Any]) -> str:
        row = STK_RESULTS.get(str(body.get(self.name, "")).strip())
        if row is None or row.outcome == "not_final":
            raise ScenarioRefused(f"{self.name} must be a final STK result code")
        return row.code


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    moment: Moment
    summary: str
    changes: Mapping[str, Any]


SCENARIOS: Final[Mapping[str, Scenario]] = {
    row.name: row
    for row in (
        Scenario(
            "no_callback",
            "push",
            "The callback never comes.",
            {"callback_copies": 0},
        ),
        Scenario(
            "late_callback",
            "push",
            "The callback comes so many seconds late.",
            {"callback_delay_seconds": Seconds(20, 600)},
        ),
        Scenario(
            "duplicate_callback",
            "push",
            "The callback comes more than once, at about the same time.",
            {"callback_copies": Count("copies", 2, 2, 20)},
        ),
        Scenario(
            "early_callback",
            "push",
            "The payer is instant: the callback is sent before the push is answered.",
            {"early_callback": True},
        ),
        Scenario(
            "result",
            "push",
            "The prompt ends at once with this result code.",
            {"result_code": FinalCode("code")},
        ),
        Scenario(
            "late_success",
            "push",
            "After a time-out is reported, the payment succeeds so many seconds later.",
            {"late_success_seconds": Seconds(2, 600)},
        ),
        Scenario(
            "wrong_amount",
            "push",
            "The callback claims one shilling more than was paid.",
            {"callback_extra_shillings": 1},
        ),
        Scenario(
            "no_metadata",
            "push",
            "The callback says success and nothing else.",
            {"callback_metadata": False},
        ),
        Scenario(
            "failure_then_success",
            "push",
            "A payment is first reported as timed out, and then as the success that it is.",
            {"false_time_out": "before"},
        ),
        Scenario(
            "success_then_failure",
            "push",
            "A payment is reported as the success that it is, and then as timed out.",
            {"false_time_out": "after"},
        ),
        Scenario(
            "push_500",
            "push",
            "The push is answered with an internal error and not processed.",
            {"answer": "server_error"},
        ),
        Scenario(
            "push_html",
            "push",
            "The push is answered by the web firewall: HTML, status 403, not processed.",
            {"answer": "firewall"},
        ),
        Scenario(
            "push_rate_limited",
            "push",
            "The push runs into the gateway's rate limit and is not processed.",
            {"answer": "rate_limited"},
        ),
        Scenario(
            "reset_after_processing",
            "push",
            "The prompt lives, but the connection closes with no answer.",
            {"answer": "dropped"},
        ),
        Scenario(
            "error_after_processing",
            "push",
            "The prompt lives, but the answer is an internal error with no body.",
            {"answer": "empty_500"},
        ),
        Scenario(
            "html_after_processing",
            "push",
            "The prompt lives, but the answer is a gateway's HTML page, status 502.",
            {"answer": "bad_gateway"},
        ),
        Scenario(
            "broken_json_after_processing",
            "push",
            "The prompt lives, but the answer breaks off in the middle of its JSON.",
            {"answer": "cut_short"},
        ),
        Scenario(
            "hang",
            "push",
            "The prompt lives, but the answer takes so many seconds.",
            {"answer_delay_seconds": Seconds(30, 120)},
        ),
        Scenario(
            "token_refused_once",
            "call",
            "The next call that carries a token is told that it is invalid.",
            {"refuse_token": True},
        ),
        Scenario(
            "query_noise",
            "query",
            "The query is answered with 500.001.1001, which says nothing about the payment.",
            {"answer": "server_error"},
        ),
        Scenario(
            "query_rate_limited",
            "query",
            "The query runs into the gateway's rate limit.",
            {"answer": "rate_limited"},
        ),
        Scenario(
            "query_html",
            "query",
            "The query is answered by the web firewall: HTML, status 403.",
            {"answer": "firewall"},
        ),
        Scenario(
            "query_hang",
            "query",
            "The answer to the query takes so many seconds.",
            {"answer_delay_seconds": Seconds(30, 120)},
        ),
    )
}


class ScenarioRefused(ValueError):
    """The scenario cannot be armed as asked; the message says why."""


@dataclass(slots=True)
class Armed:
    scenario: Scenario
    msisdn: str | None
    amount: int | None
    changes: Mapping[str, Any]
    times_left: int

    def fits(self, moment: Moment, msisdn: str | None, amount: int | None) -> bool:
        return (
            self.scenario.moment == moment
            and (self.msisdn is None or self.msisdn == msisdn)
            and (self.amount is None or self.amount == amount)
        )

    def as_json(self) -> dict[str, Any]:
        if self.msisdn is not None:
            on: dict[str, Any] = {"msisdn": self.msisdn}
        else:
            on = {"amount": self.amount} if self.amount is not None else {"next": True}
        return {
            "scenario": self.scenario.name,
            "on": on,
            "times": self.times_left,
            "changes": dict(self.changes),
        }


@dataclass(slots=True)
class ArmedScenarios:
    """Scenarios waiting for their request, in the order in which they were armed."""

    _waiting: list[Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, body: Any) -> Armed:
        """Read `{"on": …, "scenario": NAME, "times": n}`; raises ScenarioRefused."""
        armed = _read(body)
        with self._lock:
            if len(self._waiting) >= MOST_ARMED:
                raise ScenarioRefused(f"at most {MOST_ARMED} scenarios can wait at once")
            self._waiting.append(armed)
        return armed

    def change(self, plan: Plan, moment: Moment, msisdn: str | None, amount: int | None) -> Plan:
        """Change the plan of this request; `amount` is in shillings. Uses up what it applies."""
        with self._lock:
            for armed in self._waiting:
                if armed.fits(moment, msisdn, amount):
                    armed.times_left -= 1
                    plan = replace(plan, **armed.changes)
            self._waiting = [armed for armed in self._waiting if armed.times_left > 0]
        return plan

    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            return [armed.as_json() for armed in self._waiting]

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()


def scenario_named(name: object) -> Scenario:
    """The row of this name; raises ScenarioRefused."""
    scenario = SCENARIOS.get(name) if isinstance(name, str) else None
    if scenario is None:
        raise ScenarioRefused(f"scenario must be one of: {', '.join(SCENARIOS)}")
    return scenario


def changes_of(scenario: Scenario, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the scenario changes in a `Plan`, by these parameters; raises ScenarioRefused."""
    return {
        change: value.read(parameters) if isinstance(value, Seconds | Count | FinalCode) else value
        for change, value in scenario.changes.items()
    }


def _read(body: Any) -> Armed:
    if not isinstance(body, dict):
        raise ScenarioRefused("a scenario is a JSON object")
    scenario = scenario_named(body.get("scenario"))
    msisdn, amount = _read_on(body.get("on"))
    if scenario.moment == "call" and (msisdn or amount is not None):
        raise ScenarioRefused(f'{scenario.name} can only be armed on {{"next": true}}')
    times = Count("times", 1, 1, MOST_TIMES).read(body)
    return Armed(scenario, msisdn, amount, changes_of(scenario, body), times)


def _read_on(on: Any) -> tuple[str | None, int | None]:
    match on:
        case {"msisdn": str() | int() as number} if to_msisdn(str(number)):
            return to_msisdn(str(number)), None
        case {"amount": int(amount)} if not isinstance(amount, bool) and amount > 0:
            return None, amount
        case {"next": True}:
            return None, None
    raise ScenarioRefused('on must be {"msisdn": …}, {"amount": …} or {"next": true}')


def described(rows: Iterable[Scenario]) -> list[dict[str, str]]:
    return [{"name": r.name, "moment": r.moment, "summary": r.summary} for r in rows]
