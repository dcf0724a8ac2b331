"""The simulator's own JSON: phones, prompts, scenarios, the ledger, and what was said lately."""

from typing import Any, Final, TypeVar

from flask import Blueprint, Response, jsonify, request

from app.simulator.bodies import json_object
from app.simulator.numbers import shillings, to_msisdn
from app.simulator.scenarios import SCENARIOS, ScenarioRefused, described
from app.simulator.simulator import current_simulator
from app.simulator.views import (
    ledger_entry_json,
    phone_json,
    prompt_json,
    prompt_record_json,
)
from app.simulator.world import PromptClosed

MOST_ENTRIES_A_PAGE: Final = 10_000
_LONGEST_PIN: Final = 16

Row = TypeVar("Row")

api = Blueprint("api", __name__, url_prefix="/simulator/api")


class ApiRefused(Exception):
    """A request to this API that cannot be carried out; the message says why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def response(self) -> Response:
        text = str(self)
        response = jsonify(
            success=False, status="error", error=text, message=text, code=self.code, details={}
        )
        response.status_code = self.status
        return response


@api.get("/health")
def health() -> Response:
    """`callbacks_to_come` is 0 once nothing more will be posted unless somebody acts."""
    return jsonify(status="ok", callbacks_to_come=current_simulator().callbacks_to_come())


@api.get("/phones/<number>")
def phone(number: str) -> Response:
    msisdn = to_msisdn(number)
    if msisdn is None:
        raise ApiRefused(404, "NOT_FOUND", "That is not a Kenyan mobile number.")
    world = current_simulator().world
    with world.lock:
        return jsonify(phone_json(world.phone(msisdn)))


@api.get("/prompts")
def list_prompts() -> Response:
    """Every prompt that is kept, oldest first; `limit`, `offset` and `total` as in the ledger."""
    world = current_simulator().world
    prompts = world.prompts()
    with world.lock:
        rows = [prompt_record_json(prompt) for prompt in _page(prompts)]
    return jsonify(prompts=rows, total=len(prompts))


@api.post("/prompts/<checkout_request_id>")
def answer_prompt(checkout_request_id: str) -> Response:
    world = current_simulator().world
    prompt = world.prompt(checkout_request_id)
    if prompt is None:
        raise ApiRefused(404, "NOT_FOUND", "No prompt has this CheckoutRequestID.")
    try:
        match _body():
            case {"cancel": True}:
                world.cancel(prompt)
            case {"pin": str(pin)} if 0 < len(pin) <= _LONGEST_PIN:
                world.enter_pin(prompt, pin)
            case _:
                raise ApiRefused(400, "VALIDATION_ERROR", 'Send {"pin": "…"} or {"cancel": true}.')
    except PromptClosed:
        raise ApiRefused(409, "CONFLICT", f"The prompt has ended: {prompt.status}.") from None
    with world.lock:
        return jsonify(prompt_json(prompt))


@api.get("/scenarios")
def list_scenarios() -> Response:
    armed = current_simulator().scenarios.waiting()
    return jsonify(armed=armed, known=described(SCENARIOS.values()))


@api.post("/scenarios")
def arm_scenario() -> tuple[Response, int]:
    try:
        armed = current_simulator().scenarios.arm(_body())
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return jsonify(armed.as_json()), 201


@api.get("/weather")
def weather() -> Response:
    return jsonify(current_simulator().weather.as_json())


@api.post("/weather")
def change_weather() -> Response:
    """Replace the weather: `{}` makes it calm. What is armed comes on top of it."""
    simulator = current_simulator()
    try:
        simulator.weather.set(_body())
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return jsonify(simulator.weather.as_json())


@api.get("/ledger")
def ledger() -> Response:
    """Oldest first. `limit` and `offset` page through it; `total` counts all entries."""
    world = current_simulator().world
    entries = world.ledger()
    balances = world.organisation_balances()
    return jsonify(
        entries=[ledger_entry_json(entry) for entry in _page(entries)],
        total=len(entries),
        organisations={code: {"received": shillings(c)} for code, c in balances.items()},
    )


@api.get("/requests")
def requests() -> Response:
    return jsonify(requests=current_simulator().traffic.newest_first())


@api.post("/reset")
def reset() -> Response:
    current_simulator().reset()
    return jsonify(status="ok")


def _body() -> dict[str, Any]:
    try:
        return json_object()
    except ValueError as error:
        raise ApiRefused(400, "VALIDATION_ERROR", str(error)) from None


def _page(rows: list[Row]) -> list[Row]:
    offset = _query_number("offset", 0, len(rows))
    limit = _query_number("limit", MOST_ENTRIES_A_PAGE, MOST_ENTRIES_A_PAGE)
    return rows[offset : offset + limit]


def _query_number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ApiRefused(400, "VALIDATION_ERROR", f"{name} must be a whole number.")
    return min(int(text), most)
