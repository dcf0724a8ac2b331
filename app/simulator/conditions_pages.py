"""How fast time passes, how Daraja behaves, what shops hold, and a new world: as a page."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.simulator.fields import SHORTCODE
from app.simulator.pace import LEAST_SPEED, MOST_SPEED
from app.simulator.plans import ScenarioRefused
from app.simulator.settings import MOST_FLOAT_SHILLINGS
from app.simulator.simulator import current_simulator
from app.simulator.switches import SWITCHES
from app.simulator.views import organisation_json
from app.simulator.weather import read_seed

SPEEDS: Final = (1, 5, 10, 60)
_LONGEST_VALUE: Final = 30
_DONE: Final = {
    "clock": "The clock runs at the new speed.",
    "switches": "Daraja behaves so from now on.",
    "accounts": "The account is set.",
    "reset": "A new world has begun.",
}

conditions_pages = Blueprint("conditions_pages", __name__, url_prefix="/simulator/conditions")


@conditions_pages.get("")
def shown() -> str:
    return _page()


@conditions_pages.post("/clock")
def change_clock() -> tuple[str, int] | BaseResponse:
    try:
        current_simulator().change_speed(float(_value("speed")))
    except ValueError:
        return _refused(f"The speed must be a number from {LEAST_SPEED} to {MOST_SPEED:g}.")
    return _done("clock")


@conditions_pages.post("/switches")
def change_switches() -> tuple[str, int] | BaseResponse:
    """All switches come in one form, each as a text."""
    simulator = current_simulator()
    own = {name: _chosen(row.values, _value(name)) for name, row in SWITCHES.items()}
    try:
        simulator.switch(own)
    except ScenarioRefused as refused:
        return _refused(f"Nothing was changed: {refused}.")
    return _done("switches")


@conditions_pages.post("/accounts")
def change_accounts() -> tuple[str, int] | BaseResponse:
    shortcode = _value("shortcode")
    if not SHORTCODE.fullmatch(shortcode):
        return _refused("A shortcode has 5 to 7 digits.")
    try:
        working, utility = (_cents_of(name) for name in ("working", "utility"))
    except ValueError:
        return _refused("The account must hold a whole number of shillings.")
    world = current_simulator().world
    with world.lock:
        shop = world.organisations.kept(shortcode)
        shop.working_cents = shop.working_cents if working is None else working
        shop.utility_cents = shop.utility_cents if utility is None else utility
    return _done("accounts")


def _cents_of(name: str) -> int | None:
    """What an account is to hold; None where it stays as it is. Raises ValueError.

    What was left as the page showed it may have been paid into meanwhile.
    """
    text = _value(name)
    if text in ("", _value(f"{name}_shown")):
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > MOST_FLOAT_SHILLINGS:
        raise ValueError
    return int(text) * 100


@conditions_pages.post("/reset")
def reset() -> tuple[str, int] | BaseResponse:
    text = _value("seed")
    try:
        current_simulator().reset(read_seed(int(text)) if text else None)
    except ValueError:
        return _refused("The seed must be a whole number of at most 63 bits.")
    return _done("reset")


def _page(notice: str | None = None) -> str:
    simulator = current_simulator()
    with simulator.world.lock:
        shops = [
            organisation_json(organisation, simulator.settings.business_name)
            for organisation in simulator.world.organisations.all(
                sorted(simulator.settings.operated_shortcodes())
            )
        ]
    standing = simulator.switches.as_json()
    return render_template(
        "simulator/conditions.html",
        notice=notice,
        done=_DONE.get(request.args.get("done", "")),
        speed=f"{simulator.pace.speed:g}",
        speeds=SPEEDS,
        least_speed=LEAST_SPEED,
        most_speed=MOST_SPEED,
        prompt_seconds=f"{simulator.settings.prompt_seconds:g}",
        switches=[_field(row.name, row.summary, row.values, standing) for row in SWITCHES.values()],
        shops=shops,
        run=simulator.run,
        weather=simulator.weather.as_json(),
    )


def _field(
    name: str, summary: str, values: Mapping[Any, str], standing: Mapping[str, Any]
) -> dict[str, Any]:
    options = [
        (
            str(value).lower(),
            f"{value}: {words}" if isinstance(value, str) else words,
            standing[name] == value,
        )
        for value, words in values.items()
    ]
    return {"name": name, "summary": summary, "options": options}


def _chosen(values: Mapping[Any, str], text: str) -> Any:
    """The value that is written so; the text itself where there is none, to be refused."""
    return next((value for value in values if str(value).lower() == text), text)


def _value(name: str) -> str:
    return request.form.get(name, "").strip()[:_LONGEST_VALUE]


def _refused(notice: str) -> tuple[str, int]:
    return _page(notice), 400


def _done(what: str) -> BaseResponse:
    return redirect(url_for("conditions_pages.shown", done=what), 303)
