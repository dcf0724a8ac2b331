"""Daraja's refusals, in its three families: the envelope, the gateway's fault, and not JSON."""

from typing import Any, Final

from flask import Response, jsonify, request

from app.simulator.published_errors import PUBLISHED_ERRORS
from app.simulator.simulator import current_simulator


class DarajaFault(Exception):
    """A refusal in Daraja's envelope. `why` is for the developer and never leaves on the wire."""

    def __init__(self, status: int, code: str, message: str, why: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.why = why or message

    def response(self) -> Response:
        response = jsonify(
            requestId=current_simulator().identifiers.request_id(),
            errorCode=self.code,
            errorMessage=self.message,
        )
        response.status_code = self.status
        return response


def bad_field(name: str, why: str = "") -> DarajaFault:
    """One field is missing or malformed (seen in recorded traffic, one field at a time)."""
    return DarajaFault(400, "400.002.02", f"Bad Request - Invalid {name}", why)


def bad_payload(why: str) -> DarajaFault:
    return DarajaFault(400, "400.002.05", "Invalid Request Payload", why)


def stk_error(message: str, why: str = "") -> DarajaFault:
    """The STK family's answer to business errors: status 500, whatever it is about (recorded)."""
    return DarajaFault(500, "500.001.1001", message, why)


def internal_error(why: str = "") -> DarajaFault:
    return DarajaFault(500, "500.003.1001", "Internal Server Error", why)


def duplicate(why: str) -> DarajaFault:
    """An OriginatorConversationID came twice (documented, and handled so in production)."""
    return DarajaFault(500, "500.002.1001", "Duplicate OriginatorConversationID.", why)


def maintenance(why: str) -> DarajaFault:
    """The code of duplicates, about something else altogether (documented)."""
    text = "Service is currently under maintenance. Please try again later"
    return DarajaFault(500, "500.002.1001", text, why)


def system_busy() -> DarajaFault:
    return DarajaFault(
        500, "500.003.02", "System is busy. Please try again in few minutes.", "Too much is open."
    )


def no_token(why: str = "") -> DarajaFault:
    return DarajaFault(404, "404.001.04", "Invalid Authentication Header", why)


def bad_token(token: str, why: str) -> DarajaFault:
    """STK and reversals: status 404, as if the path were wrong (recorded)."""
    return DarajaFault(404, "404.001.03", "Invalid Access Token", why)


def bad_token_of_b2c(token: str, why: str) -> DarajaFault:
    """B2C and balances: the token comes back in the text (recorded)."""
    return DarajaFault(401, "401.002.01", f"Error Occurred - Invalid Access Token - {token}", why)


def bad_token_of_c2b(token: str, why: str) -> DarajaFault:
    """C2B and status queries: documented as 400.003.01, and recorded in this form."""
    return DarajaFault(401, "401.003.01", f"Error Occurred - Invalid Access Token - {token}", why)


def too_large() -> DarajaFault:
    """Unrecorded; worded after Daraja's other envelopes."""
    return DarajaFault(413, "413.001", "Request Entity Too Large")


def not_found() -> DarajaFault:
    """The middle number names the family of the path (documented by Safaricom)."""
    family = "001"
    if request.path.startswith(("/mpesa/b2c", "/mpesa/b2b", "/mpesa/b2p", "/mpesa/accountbalance")):
        family = "002"
    elif request.path.startswith("/mpesa/c2b"):
        family = "003"
    return DarajaFault(404, f"404.{family}.01", "Resource not found", "No such path.")


def wrong_verb() -> DarajaFault:
    return DarajaFault(405, "405.001", f"{request.method} Method Not Allowed")


# The gateway's own words for too many STK queries in the sandbox (seen in recorded traffic).
_SPIKE_ARREST: Final[dict[str, Any]] = {
    "fault": {
        "faultstring": (
            "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=5, "
            "periodInMicroseconds=60000000, maxBurstMessageCount=1.0}"
        ),
        "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
    }
}


def rate_limited() -> Response:
    response = jsonify(_SPIKE_ARREST)
    response.status_code = 429
    return response


def bad_gateway_page() -> Response:
    """What a gateway says when the system behind it is gone (reported, wording unrecorded)."""
    page = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
    return Response(page, 502, mimetype="text/html")


def firewall_page() -> Response:
    """What the web firewall says to a burst: HTML, on any path."""
    page = (
        "<html><head><title>403 Forbidden</title></head>"
        "<body><h1>Forbidden</h1><p>The requested URL was rejected.</p></body></html>"
    )
    return Response(page, 403, mimetype="text/html")


class PlainFault(DarajaFault):
    """A refusal without an envelope: its message is the whole body."""

    def response(self) -> Response:
        return Response(self.message, self.status, mimetype="text/plain")


def published_error(name: str) -> DarajaFault:
    """The fault of this name; `name` is a key of `PUBLISHED_ERRORS`."""
    status, code, message = PUBLISHED_ERRORS[name]
    kind = DarajaFault if code else PlainFault
    return kind(status, code, message, "A scenario said so; the request was not processed.")
