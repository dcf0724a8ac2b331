"""What can be made to go wrong, as a page with forms, and the table of numbers."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.mpesa.result_codes import STK_RESULTS
from app.simulator.magic import MAGIC_CODES, MAGIC_WAYS, OUT_AMOUNT, PUSH_AMOUNT
from app.simulator.out_codes import OUT_RESULTS
from app.simulator.plans import (
    CALLBACK_PHONES,
    CALLBACK_SHAPES,
    MOMENTS,
    Code,
    Count,
    Occasion,
    Parameter,
    Scenario,
    ScenarioRefused,
    Seconds,
)
from app.simulator.scenarios import MOST_TIMES, PHONELESS, SCENARIOS
from app.simulator.simulator import current_simulator

_LONGEST_VALUE: Final = 60

_OCCASIONS: Final[Mapping[Occasion, str]] = {
    "token": "Asking for an access token",
    "call": "Any call that carries a token",
    "push": "The push and its callback",
    "query": "The STK query",
    "c2b": "Payments by hand",
    "register": "Registering C2B addresses",
    "out": "Money out: B2C, B2B and reversals",
    "ask": "Questions: transaction status and account balance",
}
_SHORT: Final[Mapping[str, str]] = {
    "b2c": "B2C only",
    "b2b": "B2B only",
    "reversal": "reversals only",
    "status": "transaction status only",
    "balance": "account balance only",
}

scenario_pages = Blueprint("scenario_pages", __name__, url_prefix="/simulator/scenarios")


@scenario_pages.get("")
def listed() -> str:
    return _page()


@scenario_pages.get("/armed")
def armed() -> str:
    """The part of the page that changes by itself."""
    return render_template("simulator/_armed.html", armed=_armed())


@scenario_pages.post("")
def arm() -> tuple[str, int] | BaseResponse:
    try:
        current_simulator().scenarios.arm(_read(request.form))
    except ScenarioRefused as refused:
        return _page(request.form, f"Not armed: {refused}."), 400
    return redirect(url_for("scenario_pages.listed", _anchor="armed"), 303)


@scenario_pages.post("/disarm")
def disarm() -> BaseResponse:
    """One of them, or all; one that has been used up meanwhile is as good as disarmed."""
    scenarios, number = current_simulator().scenarios, request.form.get("id", "")
    if number == "all":
        scenarios.clear()
    elif number.isascii() and number.isdigit() and len(number) < 12:
        scenarios.disarm(int(number))
    return redirect(url_for("scenario_pages.listed", _anchor="armed"), 303)


def _page(values: Mapping[str, str] | None = None, notice: str | None = None) -> str:
    return render_template(
        "simulator/scenarios.html",
        armed=_armed(),
        groups=[(_OCCASIONS[occasion], occasion, _rows(occasion)) for occasion in _OCCASIONS],
        codes=MAGIC_CODES,
        ways=MAGIC_WAYS,
        push_amount=PUSH_AMOUNT,
        out_amount=OUT_AMOUNT,
        has_magic=current_simulator().switches.magic_numbers,
        most_times=MOST_TIMES,
        values=values or {},
        notice=notice,
    )


def _rows(occasion: Occasion) -> list[dict[str, Any]]:
    apis = MOMENTS[occasion]
    return [
        {
            "name": row.name,
            "summary": row.summary,
            "has_phone": occasion not in PHONELESS,
            "apis": {api: _SHORT[api] for api in apis} if len(apis) > 1 else {},
            "parameters": [_parameter(row, one) for one in _parameters(row)],
        }
        for row in SCENARIOS.values()
        if row.moment == occasion
    ]


def _parameters(row: Scenario) -> list[Parameter]:
    return [value for value in row.changes.values() if isinstance(value, Parameter)]


def _parameter(row: Scenario, parameter: Parameter) -> dict[str, Any]:
    """A field of the form."""
    field: dict[str, Any] = {"name": parameter.name, "label": parameter.name.capitalize()}
    match parameter:
        case Seconds():
            return field | {"default": parameter.default, "least": 0, "most": parameter.most}
        case Count():
            bounds = {"least": parameter.least, "most": parameter.most}
            return field | {"default": parameter.default, **bounds}
        case Code():
            return field | {
                "options": {c: _option(row, c) for c in sorted(parameter.codes, key=_by)}
            }
    return field


def _option(row: Scenario, code: str) -> str:
    """A choice with what it means, where that is known."""
    known: dict[bool | str, str] = {**CALLBACK_SHAPES, **CALLBACK_PHONES}
    if row.moment == "push" and code in STK_RESULTS:
        known[code] = STK_RESULTS[code].description
    elif row.moment in ("out", "ask"):
        known[code] = OUT_RESULTS.get(code, "")
    return f"{code}: {known[code]}" if known.get(code) else code


def _by(code: str) -> tuple[int, str]:
    return (int(code), "") if code.isdigit() else (10**9, code)


def _armed() -> list[dict[str, Any]]:
    """What waits, with its summary."""
    waiting = current_simulator().scenarios.waiting()
    return [{**one, "summary": SCENARIOS[one["scenario"]].summary} for one in waiting]


def _read(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as the API would have it; raises ScenarioRefused."""
    said = {name: value.strip()[:_LONGEST_VALUE] for name, value in form.items()}
    phone, amount = said.get("phone", ""), said.get("amount", "")
    if phone and amount:
        raise ScenarioRefused("give a phone or an amount, not both")
    on: dict[str, Any] = {"next": True}
    if phone:
        on = {"msisdn": phone}
    elif amount:
        on = {"amount": _number("the amount", amount)}
    body: dict[str, Any] = {
        "scenario": said.get("scenario"),
        "on": on,
        "api": said.get("api") or None,
    }
    body["times"] = _number("times", said.get("times") or "1")
    row = SCENARIOS.get(said.get("scenario", ""))
    for parameter in _parameters(row) if row else []:
        if value := said.get(parameter.name):
            body[parameter.name] = _typed(parameter, value)
    return body


def _typed(parameter: Parameter, value: str) -> str | int | float:
    if isinstance(parameter, Code):
        return value
    if isinstance(parameter, Count):
        return _number(parameter.name, value)
    try:
        return float(value)
    except ValueError:
        raise ScenarioRefused(f"{parameter.name} must be a number") from None


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        raise ScenarioRefused(f"{name} must be a whole number")
    return int(value)
