"""What can be made to go wrong: the registry of scenarios, and those that wait for their request.

A scenario changes fields of a `Plan`; what acts on a plan lives with the endpoint concerned.
Several may meet on one request.
"""

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.simulator.numbers import to_msisdn
from app.simulator.plans import MOMENTS, Count, Moment, Plan, Scenario, ScenarioRefused
from app.simulator.scenario_rows import C2B_ROWS, ROWS, TOKEN_ROWS
from app.simulator.scenario_rows_out import ASK_ROWS, OUT_ROWS

MOST_ARMED: Final = 1_000
MOST_TIMES: Final = 1_000

#: On these occasions nobody's phone and no amount is known.
PHONELESS: Final = ("token", "call", "register")

SCENARIOS: Final[Mapping[str, Scenario]] = {
    row.name: row for row in TOKEN_ROWS + ROWS + C2B_ROWS + OUT_ROWS + ASK_ROWS
}


@dataclass(slots=True)
class Armed:
    """A scenario that waits. `api` narrows it to one kind of request of its occasion."""

    number: int
    scenario: Scenario
    msisdn: str | None
    amount: int | None
    api: Moment | None
    changes: Mapping[str, Any]
    times_left: int

    def fits(self, moment: Moment, msisdn: str | None, amount: int | None) -> bool:
        return (
            self.scenario.acts_on(moment)
            and (self.api is None or self.api == moment)
            and (self.msisdn is None or self.msisdn == msisdn)
            and (self.amount is None or self.amount == amount)
        )

    def as_json(self) -> dict[str, Any]:
        if self.msisdn is not None:
            on: dict[str, Any] = {"msisdn": self.msisdn}
        else:
            on = {"amount": self.amount} if self.amount is not None else {"next": True}
        narrowed = {"api": self.api} if self.api else {}
        return {
            "id": self.number,
            "scenario": self.scenario.name,
            "on": on,
            **narrowed,
            "times": self.times_left,
            "changes": dict(self.changes),
        }


@dataclass(slots=True)
class ArmedScenarios:
    """Scenarios waiting for their request, in the order in which they were armed."""

    _waiting: list[Armed] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, body: Any) -> Armed:
        """Read `{"on": …, "scenario": NAME, "times": n, "api": …}`; raises ScenarioRefused."""
        armed = _read(body, next(self._numbers))
        with self._lock:
            if len(self._waiting) >= MOST_ARMED:
                raise ScenarioRefused(f"at most {MOST_ARMED} scenarios can wait at once")
            self._waiting.append(armed)
        return armed

    def disarm(self, number: int) -> bool:
        """Let one of them wait no longer; False when it does not wait."""
        with self._lock:
            left = [armed for armed in self._waiting if armed.number != number]
            was_waiting = len(left) < len(self._waiting)
            self._waiting = left
        return was_waiting

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


def _read(body: Any, number: int) -> Armed:
    if not isinstance(body, dict):
        raise ScenarioRefused("a scenario is a JSON object")
    scenario = scenario_named(body.get("scenario"))
    msisdn, amount = _read_on(body.get("on"))
    if scenario.moment in PHONELESS and (msisdn or amount is not None):
        raise ScenarioRefused(f'{scenario.name} can only be armed on {{"next": true}}')
    api = _read_api(scenario, body.get("api"))
    times = Count("times", 1, 1, MOST_TIMES).read(body)
    return Armed(number, scenario, msisdn, amount, api, scenario.read_changes(body), times)


def _read_on(on: Any) -> tuple[str | None, int | None]:
    match on:
        case {"msisdn": str() | int() as number} if to_msisdn(str(number)):
            return to_msisdn(str(number)), None
        case {"amount": int(amount)} if not isinstance(amount, bool) and amount > 0:
            return None, amount
        case {"next": True}:
            return None, None
    raise ScenarioRefused('on must be {"msisdn": …}, {"amount": …} or {"next": true}')


def _read_api(scenario: Scenario, value: Any) -> Moment | None:
    if value is None:
        return None
    own = MOMENTS[scenario.moment]
    for moment in own:
        if moment == value:
            return moment
    raise ScenarioRefused(f"the api of {scenario.name} must be one of: {', '.join(own)}")


def described(rows: Iterable[Scenario]) -> list[dict[str, str]]:
    return [{"name": r.name, "moment": r.moment, "summary": r.summary} for r in rows]
