"""Tokens: how one is asked for, and how a call that carries one is let in."""

import base64
import binascii
import hmac
import time
from collections.abc import Callable

from flask import Blueprint, Response, g, jsonify, request

from app.simulator.answers import turned_away
from app.simulator.faults import DarajaFault, no_token, published_error
from app.simulator.simulator import current_simulator

TokenRefused = Callable[[str, str], DarajaFault]

oauth = Blueprint("oauth", __name__)


@oauth.get("/oauth/v1/generate")
def generate() -> Response:
    pair = _basic_credentials()
    if pair is None:
        why = "Authorization must be Basic, with base64 of consumer key, a colon, consumer secret."
        raise DarajaFault(400, "400.008.01", "Invalid Authentication passed", why)
    if request.args.get("grant_type") != "client_credentials":
        why = "The address must end in ?grant_type=client_credentials."
        raise DarajaFault(400, "400.008.02", "Invalid grant type passed", why)
    key, secret = pair
    simulator = current_simulator()
    known = simulator.settings.applications().get(key)
    if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
        # Seen in recorded traffic: no body at all, so that a client must not parse blindly.
        g.why = (
            "No application has this consumer key."
            if known is None
            else "The consumer secret is not that of this consumer key."
        )
        return Response(status=400)
    plan = simulator.plan_for("token")
    time.sleep(plan.answer_delay_seconds)
    if (refusal := turned_away(plan)) is not None:
        return refusal
    # `expires_in` is a string in every recording.
    return jsonify(access_token=simulator.tokens.issue(key), expires_in="3599")


def require_token(refused: TokenRefused) -> Callable[[], None]:
    """A check for `before_request` that lets a call in, or raises its API's own fault."""

    def check() -> None:
        token = _bearer()
        simulator = current_simulator()
        if (complaint := simulator.tokens.complaint(token)) is not None:
            raise refused(token, complaint)
        plan = simulator.plan_for("call")
        if plan.kill_token:
            simulator.tokens.end(token)
        if plan.kill_token or plan.refuse_token:
            raise refused(token, "A scenario said so.")
        if plan.published_error is not None:
            raise published_error(plan.published_error)

    return check


def _bearer() -> str:
    """The token of this call, whatever it is worth; raises DarajaFault when there is none."""
    header = request.headers.get("Authorization")
    if header is None:
        raise no_token("There is no Authorization header.")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise no_token("Authorization must be the word Bearer, a space, and an access token.")
    return token


def _basic_credentials() -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (key, secret) if colon else None
