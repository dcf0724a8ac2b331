"""Weather: what may go wrong with any request, by chance, and how payers act without a hand.

Each draw depends on the seed, on whose phone it is, and on how often that phone came up before,
and on nothing else: threads may come in any order, and the same phone meets the same fate. Only
what happens before a phone is named, such as a refused token, goes by the order of the calls.
"""

import random
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from app.simulator.plans import Moment, Parameter, Plan, Scenario, ScenarioRefused
from app.simulator.scenarios import SCENARIOS, scenario_named

Act = Literal["pays", "cancels", "enters_wrong_pin"]

MOST_SEED: Final = 2**63
LONGEST_WAIT_SECONDS: Final = 600.0
# Beyond so many phones the one that was quiet longest begins its fate anew.
MOST_TURNS: Final = 50_000


_ORDINARY: Final = Plan()


@dataclass(frozen=True, slots=True)
class Chance:
    """One scenario, how probable it is (0 to 1), and what it changes in a plan."""

    scenario: Scenario
    chance: float
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Payers:
    """How probable each act is; otherwise the prompt rings until somebody or nobody answers it."""

    chances: Mapping[Act, float] = field(default_factory=dict)
    least_seconds: float = 0.2
    most_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected. The default is a calm day: nothing happens by chance."""

    seed: int = 0
    chances: tuple[Chance, ...] = ()
    payers: Payers = field(default_factory=Payers)


class Weather:
    """The forecast in force, and what came of it so far."""

    def __init__(self, seed: int = 0) -> None:
        """`seed` is that of a forecast which names none."""
        self._lock = threading.Lock()
        self.clear(seed)

    def set(self, body: Mapping[str, Any]) -> None:
        """Read `{"seed", "chances", "payers", "payer_seconds"}` and begin anew.

        What is left out is calm. Raises ScenarioRefused, and then nothing has changed.
        """
        self._begin(_read(body, self._seed))

    def clear(self, seed: int = 0) -> None:
        self._seed = seed
        self._begin(Forecast(seed))

    def plan_for(self, moment: Moment, msisdn: str | None = None, plan: Plan = _ORDINARY) -> Plan:
        """What chance makes of the plan of this request."""
        forecast, draw = self._turn(moment, msisdn)
        for row in forecast.chances:
            if row.scenario.acts_on(moment) and draw(row.scenario.name) < row.chance:
                plan = replace(plan, **row.changes)
                self._count(row.scenario.name)
        return plan

    def payer(self, msisdn: str) -> tuple[Act, float] | None:
        """What the owner of this phone does with the prompt, and after how many seconds."""
        forecast, draw = self._turn("payer", msisdn)
        payers, drawn = forecast.payers, draw("act")
        for act, chance in payers.chances.items():
            if drawn < chance:
                self._count(act)
                waited = payers.most_seconds - payers.least_seconds
                return act, payers.least_seconds + waited * draw("seconds")
            drawn -= chance
        return None

    def as_json(self) -> dict[str, Any]:
        """The forecast as it can be sent again, and how often each thing came true."""
        with self._lock:
            forecast, befell = self._forecast, dict(self._befell)
        payers = forecast.payers
        return {
            "seed": forecast.seed,
            "chances": {row.scenario.name: _chance_json(row) for row in forecast.chances},
            "payers": dict(payers.chances),
            "payer_seconds": [payers.least_seconds, payers.most_seconds],
            "befell": befell,
        }

    def _begin(self, forecast: Forecast) -> None:
        with self._lock:
            self._forecast = forecast
            self._turns: OrderedDict[tuple[str, str | None], int] = OrderedDict()
            self._befell: Counter[str] = Counter()

    def _turn(self, what: str, who: str | None) -> tuple[Forecast, Callable[[str], float]]:
        """Begin a draw: the forecast, and a number from 0 to 1 for each thing that is decided."""
        with self._lock:
            forecast, turn = self._forecast, self._turns.pop((what, who), 0) + 1
            self._turns[what, who] = turn
            if len(self._turns) > MOST_TURNS:
                self._turns.popitem(last=False)
        fate = f"{forecast.seed}:{what}:{who}:{turn}"
        # Chance must be repeatable here, and nothing secret depends on it.
        return forecast, lambda name: random.Random(f"{fate}:{name}").random()  # noqa: S311

    def _count(self, name: str) -> None:
        with self._lock:
            self._befell[name] += 1


def read_seed(seed: object) -> int:
    """The number itself; raises ScenarioRefused."""
    if isinstance(seed, bool) or not isinstance(seed, int) or abs(seed) >= MOST_SEED:
        raise ScenarioRefused("seed must be a whole number of at most 63 bits")
    return seed


def _read(body: Mapping[str, Any], own_seed: int) -> Forecast:
    seed = read_seed(body.get("seed", own_seed))
    chances = body.get("chances", {})
    if not isinstance(chances, dict):
        raise ScenarioRefused("chances must be an object of scenario names")
    read = {name: _read_chance(name, value) for name, value in chances.items()}
    # By the registry's order: where two of them meet, it decides which one prevails.
    ordered = tuple(read[name] for name in SCENARIOS if name in read)
    return Forecast(seed, ordered, _read_payers(body))


def _read_chance(name: str, value: Any) -> Chance:
    """A bare number, or `{"chance": …}` beside the scenario's own parameters."""
    scenario = scenario_named(name)
    parameters = value if isinstance(value, dict) else {"chance": value}
    chance = _probability(name, parameters.get("chance"))
    return Chance(scenario, chance, scenario.read_changes(parameters))


def _read_payers(body: Mapping[str, Any]) -> Payers:
    chances = body.get("payers", {})
    if not isinstance(chances, dict) or not set(chances) <= set(get_args(Act)):
        raise ScenarioRefused(f"payers must be an object of {', '.join(get_args(Act))}")
    read = {act: _probability(act, chances[act]) for act in get_args(Act) if act in chances}
    # A sum such as 0.7 + 0.2 + 0.1 may miss 1 by a hair.
    if sum(read.values()) > 1 + 1e-9:
        raise ScenarioRefused("the chances of payers must not add up to more than 1")
    match body.get("payer_seconds", [0.2, 2.0]):
        case [least, most] if _is_number(least) and _is_number(most):
            if 0 <= least <= most <= LONGEST_WAIT_SECONDS:
                return Payers(read, least, most)
    raise ScenarioRefused(f"payer_seconds must be [least, most], up to {LONGEST_WAIT_SECONDS}")


def _probability(name: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ScenarioRefused(f"the chance of {name} must be a number from 0 to 1")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _chance_json(row: Chance) -> dict[str, Any]:
    # The parameters are those fields of the row that are not fixed by the scenario.
    asked = {
        parameter.name: row.changes[change]
        for change, parameter in row.scenario.changes.items()
        if isinstance(parameter, Parameter)
    }
    return {"chance": row.chance, **asked}
