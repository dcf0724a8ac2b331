"""M-Pesa Express: the push and its query."""

import time
from typing import Any

from flask import Blueprint, Response, g, jsonify

from app.mpesa.result_codes import stk_result
from app.simulator.answers import turned_away
from app.simulator.faults import bad_field, bad_token, rate_limited, stk_error
from app.simulator.fields import request_body
from app.simulator.oauth import require_token
from app.simulator.pushing import open_prompt
from app.simulator.records import Prompt
from app.simulator.simulator import current_simulator
from app.simulator.stk_fields import check_password, read_credentials, read_push

# One payment that nobody answered was seen with another text in the query than in the callback.
_QUERY_TEXTS = {"1037": "DS timeout user cannot be reached."}

stk = Blueprint("stk", __name__)
stk.before_request(require_token(bad_token))


@stk.post("/mpesa/stkpush/v1/processrequest")
def push() -> Response:
    body = request_body("BusinessShortCode")
    simulator = current_simulator()
    shortcode, password, timestamp = read_credentials(body)
    order = read_push(body, shortcode)
    check_password(simulator.settings.merchants(), shortcode, password, timestamp)
    return open_prompt(order, _accepted)


@stk.post("/mpesa/stkpushquery/v1/query")
def query() -> Response:
    body = request_body("BusinessShortCode")
    simulator = current_simulator()
    shortcode, password, timestamp = read_credentials(body)
    checkout_request_id = body.get("CheckoutRequestID")
    if not isinstance(checkout_request_id, str) or not checkout_request_id.strip():
        raise bad_field("CheckoutRequestID")
    g.checkout_request_id = checkout_request_id
    check_password(simulator.settings.merchants(), shortcode, password, timestamp)
    if simulator.switches.query_limit and not simulator.spike_arrest.admits(shortcode):
        g.why = "query_limit is on, and less than 12 seconds have passed."
        return rate_limited()
    prompt = simulator.world.prompt(checkout_request_id)
    if prompt is None or prompt.push.shortcode != shortcode:
        raise stk_error("The transaction does not Exist", "No push has this CheckoutRequestID.")
    plan = simulator.plan_for("query", prompt.push.msisdn, prompt.push.amount_cents // 100)
    time.sleep(plan.answer_delay_seconds)
    if plan.answer == "too_early":
        raise bad_field("CheckoutRequestID", "A scenario said so.")
    if plan.answer == "server_error":
        raise stk_error("The transaction is being processed", "A scenario said so.")
    if (refusal := turned_away(plan)) is not None:
        return refusal
    if prompt.result_code is None and plan.pending_answer == "being_processed":
        raise stk_error("The transaction is being processed", "The prompt is still open.")
    return jsonify(_final_or_pending(prompt))


def _accepted(prompt: Prompt) -> Response:
    return jsonify(
        MerchantRequestID=prompt.merchant_request_id,
        CheckoutRequestID=prompt.checkout_request_id,
        ResponseCode="0",
        ResponseDescription="Success. Request accepted for processing",
        CustomerMessage="Success. Request accepted for processing",
    )


def _final_or_pending(prompt: Prompt) -> dict[str, Any]:
    """Status 200 either way: 4999 is how a payment that is not final is told (recorded)."""
    result = stk_result(prompt.result_code or "4999")
    g.why = f"ResultCode {result.code}"
    return {
        "ResponseCode": "0",
        # Three s: the real text on the wire (seen in recorded traffic).
        "ResponseDescription": "The service request has been accepted successsfully",
        "MerchantRequestID": prompt.merchant_request_id,
        "CheckoutRequestID": prompt.checkout_request_id,
        "ResultCode": result.code,
        "ResultDesc": _QUERY_TEXTS.get(result.code, result.description),
    }
