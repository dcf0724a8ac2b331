"""The Flask application of the simulator."""

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from app.simulator.api import ApiRefused, api
from app.simulator.b2b import b2b
from app.simulator.b2c import b2c
from app.simulator.balance import balance
from app.simulator.bill_manager import bill_manager, invoices_api
from app.simulator.c2b import c2b
from app.simulator.c2b_api import c2b_api
from app.simulator.conditions_api import conditions_api
from app.simulator.conditions_pages import conditions_pages
from app.simulator.faults import DarajaFault, internal_error, not_found, too_large, wrong_verb
from app.simulator.oauth import oauth
from app.simulator.pages import pages
from app.simulator.pull import pull
from app.simulator.qr import qr
from app.simulator.ratiba import ratiba, standing_api
from app.simulator.recording import note_beginning, record_request
from app.simulator.reversal import reversal
from app.simulator.scenario_pages import scenario_pages
from app.simulator.settings import SimulatorSettings
from app.simulator.simulator import EXTENSION, Simulator, current_simulator
from app.simulator.statement import statement
from app.simulator.status import status
from app.simulator.stk import stk
from app.simulator.traffic_api import traffic_api
from app.simulator.traffic_pages import traffic_pages
from app.simulator.ussd_push import ussd_push

LARGEST_BODY_BYTES = 64 * 1024
OWN_PATHS = ("/simulator", "/favicon.ico")

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

log = logging.getLogger(__name__)


def create_simulator(settings: SimulatorSettings) -> Flask:
    """A whole Daraja with its own state. One process only: the state is its memory."""
    app = Flask(__name__, static_folder="static", static_url_path="/simulator/static")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES
    # Daraja answers OPTIONS as any other wrong verb.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = Simulator(settings)
    daraja = (
        *(oauth, stk, c2b, b2c, b2b, reversal, status, balance),
        *(pull, qr, ussd_push, ratiba, bill_manager),
    )
    own = (api, c2b_api, statement, conditions_api, traffic_api, standing_api, invoices_api)
    for blueprint in (*daraja, *own, pages, scenario_pages, traffic_pages, conditions_pages):
        app.register_blueprint(blueprint)
    _handle_errors(app)
    app.before_request(note_beginning)
    app.after_request(_record)
    app.after_request(_secure_own_pages)
    return app


def _handle_errors(app: Flask) -> None:
    @app.errorhandler(DarajaFault)
    def daraja_fault(fault: DarajaFault) -> Response:
        g.why, g.error_code = fault.why, fault.code
        return fault.response()

    @app.errorhandler(ApiRefused)
    def api_refused(refused: ApiRefused) -> Response:
        return refused.response()

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if _is_own_path():
            return _own_error(error.code or 500, error.name)
        return daraja_fault(_as_daraja_fault(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("a request failed")
        if _is_own_path():
            return _own_error(500, "Internal Server Error")
        return daraja_fault(internal_error(f"The simulator failed: {type(error).__name__}."))


def _as_daraja_fault(error: HTTPException) -> DarajaFault:
    match error:
        case NotFound():
            return not_found()
        case MethodNotAllowed():
            return wrong_verb()
        case RequestEntityTooLarge():
            return too_large()
    return DarajaFault(400, "400.002.05", "Invalid Request Payload", error.name)


def _own_error(status: int, text: str) -> Response:
    if request.path.startswith("/simulator/api"):
        return ApiRefused(status, text.upper().replace(" ", "_"), text).response()
    return Response(f"{text}\n", status, mimetype="text/plain")


def _is_own_path() -> bool:
    return request.path.startswith(OWN_PATHS)


def _record(response: Response) -> Response:
    if not _is_own_path():
        record_request(current_simulator().traffic, response)
    return response


def _secure_own_pages(response: Response) -> Response:
    if _is_own_path():
        response.headers.update(_PAGE_HEADERS)
        if not request.path.startswith("/simulator/static/"):
            response.headers["Cache-Control"] = "no-store"
    return response
