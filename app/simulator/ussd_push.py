"""B2B express checkout: a vendor asks a till to pay, and the till's operator is asked for a PIN."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from app.simulator.faults import bad_token
from app.simulator.fields import SHORTCODE, cents, matching, request_body, url, words
from app.simulator.oauth import require_token
from app.simulator.pushing import open_prompt
from app.simulator.records import PushRequest, TillRequest

LONGEST_ID: Final = 128

ussd_push = Blueprint("ussd_push", __name__)
ussd_push.before_request(require_token(bad_token))


@ussd_push.post("/v1/ussdpush/get-msisdn")
def ask_a_till() -> Response:
    push = _read(request_body("primaryShortCode"))
    return open_prompt(
        push, lambda _: jsonify(code="0", status="USSD Initiated Successfully"), _why(push)
    )


def operator_of(shortcode: str) -> str:
    """The phone of a till's operator: every till has one here, 0700 600 123 that of 600123.

    Safaricom knows it as the till's nominated number; only the path's name tells that it is
    looked up.
    """
    return f"25470{int(shortcode):07d}"


def _why(push: PushRequest) -> str:
    return f"ok: the phone {push.msisdn} of the till's operator is asked"


def _read(body: Mapping[str, Any]) -> PushRequest:
    """Names in camel case, but for the last (documented)."""
    till = matching(body, "primaryShortCode", SHORTCODE)
    vendor = matching(body, "receiverShortCode", SHORTCODE)
    amount_cents = cents(body, "amount")
    account = words(body, "paymentRef", 1, 100)
    callback_url, name = url(body, "callbackUrl"), words(body, "partnerName", 1, 100)
    own_id = words(body, "RequestRefID", 1, LONGEST_ID)
    return PushRequest(
        shortcode=till,
        transaction_type="",
        amount_cents=amount_cents,
        party_b=vendor,
        msisdn=operator_of(till),
        callback_url=callback_url,
        account_reference=account,
        till=TillRequest(own_id, name),
    )
