"""What was said on the wire, as JSON: a list, one exchange whole, and fixtures to take away."""

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app.simulator.api import ApiRefused, query_number
from app.simulator.curl import detailed, fixture
from app.simulator.numbers import to_msisdn
from app.simulator.simulator import current_simulator
from app.simulator.traffic import MOST_RECORDS, Sieve

MOST_EXPORTED: Final = 200
LONGEST_TEXT: Final = 200

traffic_api = Blueprint("traffic_api", __name__, url_prefix="/simulator/api/requests")


class SieveRefused(ValueError):
    """The exchanges cannot be sifted like this; the message says why."""


@traffic_api.get("")
def listed() -> Response:
    """The newest first, without bodies. See `read_sieve` for what narrows the list."""
    most = query_number("limit", MOST_RECORDS, MOST_RECORDS)
    found = current_simulator().traffic.find(_sieve(), most)
    return jsonify(requests=[kept.as_json() for kept in found])


@traffic_api.get("/<int:number>")
def one(number: int) -> Response:
    kept = current_simulator().traffic.numbered(number)
    if kept is None:
        raise ApiRefused(404, "NOT_FOUND", "No such exchange is kept: it is older than an hour.")
    return jsonify(detailed(kept))


@traffic_api.get("/export")
def export() -> Response:
    """A file with whole exchanges, oldest first: those that the sieve lets through."""
    most = query_number("limit", MOST_EXPORTED, MOST_EXPORTED)
    found = current_simulator().traffic.find(_sieve(), most)
    response = jsonify(fixture(reversed(found)))
    response.headers["Content-Disposition"] = 'attachment; filename="daraja-exchanges.json"'
    return response


def read_sieve(arguments: Mapping[str, str]) -> Sieve:
    """Read `direction`, `path`, `status`, `phone`, `id`, `text`, `after`, `before` and `only`.

    `only` is the number of one exchange. Raises SieveRefused.
    """
    direction = _text(arguments, "direction")
    if direction not in ("", "in", "out"):
        raise SieveRefused("direction must be in or out")
    only = _number(arguments, "only")
    before = _number(arguments, "before") if only is None else only + 1
    after = _number(arguments, "after") if only is None else only - 1
    return Sieve(
        direction=direction,
        path=_text(arguments, "path"),
        status=_status(_text(arguments, "status").lower()),
        phone=_last_nine_digits(_text(arguments, "phone")),
        identifier=_text(arguments, "id"),
        text=_text(arguments, "text"),
        after=after or 0,
        before=before,
    )


def _sieve() -> Sieve:
    try:
        return read_sieve(request.args)
    except SieveRefused as refused:
        raise ApiRefused(400, "VALIDATION_ERROR", str(refused)) from None


def _text(arguments: Mapping[str, str], name: str) -> str:
    return arguments.get(name, "").strip()[:LONGEST_TEXT]


def _status(status: str) -> str:
    is_class = len(status) == 3 and status[0] in "12345" and status[1:] == "xx"
    is_status = len(status) == 3 and status.isascii() and status.isdigit()
    if status in ("", "none", "refused") or is_class or is_status:
        return status
    raise SieveRefused("status must be a status such as 400, 5xx, refused, or none")


def _last_nine_digits(number: str) -> str:
    """What a number has in common in every spelling, CheckoutRequestIDs included."""
    if not number:
        return ""
    msisdn = to_msisdn(number)
    if msisdn is None:
        raise SieveRefused("phone must be a Kenyan mobile number")
    return msisdn[3:]


def _number(arguments: Mapping[str, str], name: str) -> int | None:
    text = _text(arguments, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise SieveRefused(f"{name} must be a whole number")
    return int(text)
