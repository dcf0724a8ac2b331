"""The simulator's own JSON: phones, prompts, scenarios, money, and what was said lately."""

from typing import Any, Final, TypeVar

from flask import Blueprint, Response, jsonify, request

from app.simulator.bodies import bounded_body, json_object
from app.simulator.fields import SHORTCODE
from app.simulator.numbers import shillings, to_msisdn
from app.simulator.plans import ScenarioRefused
from app.simulator.records import MOVEMENTS_IN
from app.simulator.scenarios import SCENARIOS, described
from app.simulator.settings import MOST_FLOAT_SHILLINGS
from app.simulator.simulator import current_simulator
from app.simulator.views import (
    conversation_json,
    money_in_json,
    money_out_json,
    organisation_json,
    phone_json,
    phone_row_json,
    prompt_json,
    prompt_record_json,
)
from app.simulator.weather import read_seed
from app.simulator.world import PromptClosed

MOST_ENTRIES_A_PAGE: Final = 10_000
_LONGEST_PIN: Final = 16
_ACCOUNTS: Final = ("utility", "working", "paybill_charge")

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


@api.get("/phones")
def recent_phones() -> Response:
    """The phones that were used last, newest first, without their messages."""
    world = current_simulator().world
    with world.lock:
        return jsonify(phones=[phone_row_json(phone) for phone in world.recent_phones()])


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
        match read_body():
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
        armed = current_simulator().scenarios.arm(read_body())
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return jsonify(armed.as_json()), 201


@api.delete("/scenarios/<int:number>")
@api.post("/scenarios/<int:number>/disarm")
def disarm_scenario(number: int) -> Response:
    if not current_simulator().scenarios.disarm(number):
        raise ApiRefused(404, "NOT_FOUND", "No scenario with this id waits.")
    return jsonify(armed=current_simulator().scenarios.waiting())


@api.get("/weather")
def weather() -> Response:
    return jsonify(current_simulator().weather.as_json())


@api.post("/weather")
def change_weather() -> Response:
    """Replace the weather: `{}` makes it calm. What is armed comes on top of it."""
    simulator = current_simulator()
    try:
        simulator.weather.set(read_body())
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return jsonify(simulator.weather.as_json())


@api.get("/ledger")
def ledger() -> Response:
    """What really moved, oldest first: `entries` from phones to shops, `money_out` back.

    `limit` and `offset` page through both; `total` and `total_out` count all of each.
    """
    world = current_simulator().world
    moved = world.ledger()
    paid = [entry for entry in moved if entry.kind in MOVEMENTS_IN]
    out = [entry for entry in moved if entry.kind not in MOVEMENTS_IN]
    balances = world.organisation_balances()
    return jsonify(
        entries=[money_in_json(entry) for entry in _page(paid)],
        total=len(paid),
        money_out=[money_out_json(entry) for entry in _page(out)],
        total_out=len(out),
        organisations={code: {"received": shillings(c)} for code, c in balances.items()},
    )


@api.get("/conversations")
def list_conversations() -> Response:
    """Every asynchronous request that was accepted, oldest first; paged as the ledger is."""
    simulator = current_simulator()
    with simulator.world.lock:
        conversations = simulator.conversations.all()
        rows = [conversation_json(conversation) for conversation in _page(conversations)]
    return jsonify(conversations=rows, total=len(conversations))


@api.get("/shortcodes/<shortcode>")
def accounts(shortcode: str) -> Response:
    return _accounts_of(_known(shortcode))


@api.post("/shortcodes/<shortcode>")
def change_accounts(shortcode: str) -> Response:
    """Set what stands on an account, in whole shillings: `{"utility": 5000, "working": 0}`.

    `paybill_charge` is what M-Pesa takes of each payment from now on; at first it is nothing.
    """
    code, body, world = _known(shortcode), read_body(), current_simulator().world
    wanted = {name: _shillings(name, body[name]) for name in _ACCOUNTS if name in body}
    if not wanted:
        raise ApiRefused(400, "VALIDATION_ERROR", 'Send {"utility": …} or {"working": …}.')
    with world.lock:
        organisation = world.organisations.kept(code)
        organisation.utility_cents = wanted.get("utility", organisation.utility_cents)
        organisation.working_cents = wanted.get("working", organisation.working_cents)
        charge = wanted.get("paybill_charge", organisation.paybill_charge_cents)
        organisation.paybill_charge_cents = charge
    return _accounts_of(code)


@api.post("/reset")
def reset() -> Response:
    """Begin a new world; `{"seed": 7}` one whose ids come again whenever it begins with a 7."""
    seed = read_body().get("seed") if bounded_body() else None
    simulator = current_simulator()
    try:
        simulator.reset(None if seed is None else read_seed(seed))
    except ScenarioRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None
    return jsonify(status="ok", seed=simulator.run.seed if simulator.run.repeats else None)


def _accounts_of(shortcode: str) -> Response:
    simulator = current_simulator()
    with simulator.world.lock:
        organisation = simulator.world.organisations.seen(shortcode)
        return jsonify(organisation_json(organisation, simulator.settings.business_name))


def _known(shortcode: str) -> str:
    if not SHORTCODE.fullmatch(shortcode):
        raise ApiRefused(404, "NOT_FOUND", "A shortcode has 5 to 7 digits.")
    return shortcode


def _shillings(name: str, value: object) -> int:
    """The cents of a whole number of shillings."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiRefused(400, "VALIDATION_ERROR", f"{name} must be a whole number of shillings.")
    if not 0 <= value <= MOST_FLOAT_SHILLINGS:
        text = f"{name} must be from 0 to {MOST_FLOAT_SHILLINGS} shillings."
        raise ApiRefused(400, "VALIDATION_ERROR", text)
    return value * 100


def read_body() -> dict[str, Any]:
    """The request's JSON object; raises ApiRefused."""
    try:
        return json_object()
    except ValueError as error:
        raise ApiRefused(400, "VALIDATION_ERROR", str(error)) from None


def _page(rows: list[Row]) -> list[Row]:
    offset = query_number("offset", 0, len(rows))
    limit = query_number("limit", MOST_ENTRIES_A_PAGE, MOST_ENTRIES_A_PAGE)
    return rows[offset : offset + limit]


def query_number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ApiRefused(400, "VALIDATION_ERROR", f"{name} must be a whole number.")
    return min(int(text), most)
