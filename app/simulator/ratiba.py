"""Ratiba: leave to collect from a phone from time to time, which its owner gives by PIN."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from app.simulator.api import ApiRefused
from app.simulator.c2b_api import ended_json
from app.simulator.clock import utc_now
from app.simulator.faults import bad_field, bad_token
from app.simulator.fields import (
    SHORTCODE,
    cents,
    matching,
    msisdn,
    one_of,
    request_body,
    url,
    words,
)
from app.simulator.numbers import shillings
from app.simulator.oauth import require_token
from app.simulator.pushing import open_prompt
from app.simulator.records import HandPayment, Prompt, PushRequest, StandingTerms
from app.simulator.simulator import current_simulator
from app.simulator.standing_orders import StandingOrder
from app.simulator.world import SystemBusy

_PAY_BILL: Final = "Standing Order Customer Pay Bill"
# The first spelling is that of the documentation, the second that of a client.
_TILL: Final = ("Standing Order Customer Pay Marchant", "Standing Order Customer Pay Merchant")
FREQUENCIES: Final[Mapping[str, str]] = {
    "1": "once",
    "2": "every day",
    "3": "every week",
    "4": "every month",
    "5": "every two months",
    "6": "every quarter",
    "7": "every half-year",
    "8": "every year",
}
_DAY: Final = re.compile(r"\d{8}", re.ASCII)
LONGEST_NAME: Final = 60
_ACCEPTED: Final = "Request accepted for processing"

ratiba = Blueprint("ratiba", __name__)
ratiba.before_request(require_token(bad_token))
standing_api = Blueprint("standing_api", __name__, url_prefix="/simulator/api")


@ratiba.post("/standingorder/v1/createStandingOrderExternal")
def create() -> Response:
    return open_prompt(_read(request_body("StandingOrderName")), _accepted)


@standing_api.get("/standing-orders")
def standing_orders() -> Response:
    """Every standing order that a phone agreed to, oldest first."""
    world = current_simulator().world
    with world.lock:
        return jsonify(standing_orders=[_json(one) for one in world.standing_orders.all()])


@standing_api.post("/standing-orders/<reference>/pay")
def fall_due(reference: str) -> Response:
    """Let an instalment fall due: no days pass here. It is paid as any payment to the shop is."""
    simulator = current_simulator()
    with simulator.world.lock:
        order = simulator.world.standing_orders.of(reference)
    if order is None:
        raise ApiRefused(404, "NOT_FOUND", "No standing order has this reference.")
    payment = HandPayment(order.msisdn, order.shortcode, order.amount_cents, order.account)
    plan = simulator.plan_for("c2b", order.msisdn, order.amount_cents // 100)
    try:
        return jsonify(ended_json(simulator.paybills.pay(payment, plan)))
    except SystemBusy:
        text = "Too many payments are under way. Try again in a few seconds."
        raise ApiRefused(503, "PROVIDER_UNAVAILABLE", text) from None


def _accepted(prompt: Prompt) -> Response:
    """The two 200 are texts, and have nothing to do with the status of HTTP (documented)."""
    terms = prompt.push.standing
    header = {
        "responseRefID": terms.reference if terms else "",
        "responseCode": "200",
        "responseDescription": _ACCEPTED,
        "ResultDesc": "The service request is processed successfully.",
    }
    body = {"responseDescription": _ACCEPTED, "responseCode": "200"}
    return jsonify(ResponseHeader=header, ResponseBody=body)


def _read(body: Mapping[str, Any]) -> PushRequest:
    name = words(body, "StandingOrderName", 1, LONGEST_NAME)
    first, last = _day(body, "StartDate"), _day(body, "EndDate")
    if last < first:
        raise bad_field("EndDate", "EndDate must not lie before StartDate.")
    shortcode = matching(body, "BusinessShortCode", SHORTCODE)
    to_paybill = one_of(body, "TransactionType", (_PAY_BILL, *_TILL)) == _PAY_BILL
    one_of(body, "ReceiverPartyIdentifierType", ("4",) if to_paybill else ("2",))
    amount_cents, payer = cents(body), msisdn(body, "PartyA")
    callback_url = url(body, "CallBackURL")
    account = words(body, "AccountReference", 1 if to_paybill else 0, 12)
    words(body, "TransactionDesc", 0, 13)
    often = FREQUENCIES[one_of(body, "Frequency", FREQUENCIES)]
    identifiers = current_simulator().identifiers
    reference, receipt = identifiers.reference(), identifiers.receipt(utc_now())
    return PushRequest(
        shortcode=shortcode,
        transaction_type="",
        amount_cents=amount_cents,
        party_b=shortcode,
        msisdn=payer,
        callback_url=callback_url,
        account_reference=account if to_paybill else "",
        standing=StandingTerms(name, first, last, often, reference, receipt),
    )


def _day(body: Mapping[str, Any], name: str) -> str:
    """A day such as ``20261121``."""
    text = matching(body, name, _DAY)
    try:
        datetime.strptime(f"{text}+0300", "%Y%m%d%z")
    except ValueError:
        raise bad_field(name, f"{name} must be yyyymmdd; there is no such day.") from None
    return text


def _json(order: StandingOrder) -> dict[str, Any]:
    told = asdict(order)
    return told | {"amount": shillings(told.pop("amount_cents"))}
