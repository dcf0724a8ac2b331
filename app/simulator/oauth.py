"""Tokens: how one is asked for, and how a call that carries one is let in."""

import base64
import binascii
import hmac

from flask import Blueprint, Response, g, jsonify, request

from app.simulator.faults import DarajaFault
from app.simulator.simulator import current_simulator

oauth = Blueprint("oauth", __name__)


@oauth.get("/oauth/v1/generate")
def generate() -> Response:
    pair = _basic_credentials()
    if pair is None:
        raise DarajaFault(400, "400.008.01", "Invalid Authentication passed")
    if request.args.get("grant_type") != "client_credentials":
        raise DarajaFault(400, "400.008.02", "Invalid grant type passed")
    key, secret = pair
    simulator = current_simulator()
    known = simulator.settings.applications().get(key)
    if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
        # Seen in recorded traffic: no body at all, so that a client must not parse blindly.
        g.why = "The consumer key or secret is wrong."
        return Response(status=400)
    # `expires_in` is a string in every recording.
    return jsonify(access_token=simulator.tokens.issue(key), expires_in="3599")


def require_token() -> None:
    """Let a call of the STK family in, or raise its fault: 404, not 401 (recorded)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise DarajaFault(404, "404.001.04", "Invalid Authentication Header")
    simulator = current_simulator()
    if not simulator.tokens.is_valid(token.strip()):
        raise DarajaFault(
            404, "404.001.03", "Invalid Access Token", "The token is unknown or has expired."
        )
    if simulator.plan_for("call").refuse_token:
        raise DarajaFault(404, "404.001.03", "Invalid Access Token", "A scenario said so.")


def _basic_credentials() -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (key, secret) if colon else None
