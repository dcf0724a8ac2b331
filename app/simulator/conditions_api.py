"""How fast time passes and how Daraja behaves, as JSON."""

from typing import Any

from flask import Blueprint, Response, jsonify

from app.simulator.api import ApiRefused, read_body
from app.simulator.clock import iso_milliseconds, utc_now
from app.simulator.plans import ScenarioRefused
from app.simulator.simulator import current_simulator
from app.simulator.switches import SWITCHES

conditions_api = Blueprint("conditions_api", __name__, url_prefix="/simulator/api")


@conditions_api.get("/clock")
def clock() -> Response:
    """`speed` is how many simulated seconds pass in a real one."""
    simulator = current_simulator()
    return jsonify(
        speed=simulator.pace.speed,
        prompt_seconds=simulator.settings.prompt_seconds,
        now=iso_milliseconds(utc_now()),
    )


@conditions_api.post("/clock")
def change_clock() -> Response:
    """Let time pass faster or slower, `{"speed": 10}`, for what waits already too."""
    speed = read_body().get("speed")
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise ApiRefused(400, "VALIDATION_ERROR", 'Send {"speed": 10}, a number.')
    try:
        current_simulator().change_speed(float(speed))
    except (ValueError, OverflowError) as error:
        raise ApiRefused(400, "VALIDATION_ERROR", str(error)) from None
    return clock()


@conditions_api.get("/switches")
def switches() -> Response:
    """How each switch stands, and what there is to choose from."""
    known: dict[str, Any] = {
        row.name: {"summary": row.summary, "values": list(row.values)} for row in SWITCHES.values()
    }
    return jsonify(switches=current_simulator().switches.as_json(), known=known)


@conditions_api.post("/switches")
def change_switches() -> Response:
    """Turn those that are named, such as `{"callback_shape": "2024"}`."""
    try:
        current_simulator().switch(read_body())
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return switches()
