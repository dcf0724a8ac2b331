"""The simulator's own JSON about payments by hand."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from app.simulator.api import ApiRefused
from app.simulator.bodies import json_object
from app.simulator.c2b import LONGEST_ACCOUNT
from app.simulator.fields import SHORTCODE, WHOLE_SHILLINGS, as_text
from app.simulator.numbers import shillings, to_msisdn
from app.simulator.paybills import Ended
from app.simulator.records import HandPayment
from app.simulator.simulator import current_simulator
from app.simulator.world import PIN, SystemBusy

_FORM: Final = 'Send {"shortcode": "600000", "account": "INV-7", "amount": 100, "pin": "1234"}'

c2b_api = Blueprint("c2b_api", __name__, url_prefix="/simulator/api")


@c2b_api.post("/phones/<number>/pay")
def pay(number: str) -> Response:
    """A person pays a paybill, or a till where `account` is left out or empty.

    Answers when it is done, which is up to 8 seconds later where the shop is asked first:
    `status` is completed, rejected (by the shop) or failed (by M-Pesa).
    """
    msisdn = to_msisdn(number)
    if msisdn is None:
        raise ApiRefused(404, "NOT_FOUND", "That is not a Kenyan mobile number.")
    return jsonify(ended_json(pay_by_hand(msisdn, _body())))


def pay_by_hand(msisdn: str, fields: Mapping[str, Any]) -> Ended:
    """Pay as these fields say, which may take as long as the shop is asked; raises ApiRefused."""
    simulator = current_simulator()
    payment = _payment(msisdn, fields)
    if as_text(fields.get("pin")) != PIN:
        raise ApiRefused(403, "FORBIDDEN", "Wrong PIN. Nothing was paid.")
    plan = simulator.plan_for("c2b", msisdn, payment.amount_cents // 100)
    try:
        return simulator.paybills.pay(payment, plan)
    except SystemBusy:
        text = "Too many payments are under way. Try again in a few seconds."
        raise ApiRefused(503, "PROVIDER_UNAVAILABLE", text) from None


@c2b_api.get("/c2b")
def registered() -> Response:
    """Who has registered URLs."""
    return jsonify(registered=current_simulator().rules.as_json())


def _payment(msisdn: str, body: Mapping[str, Any]) -> HandPayment:
    shortcode, amount = as_text(body.get("shortcode")), as_text(body.get("amount"))
    account = as_text(body.get("account", ""))
    if shortcode is None or not SHORTCODE.fullmatch(shortcode):
        raise _refused(f"shortcode must have 5 to 7 digits. {_FORM}")
    if amount is None or not WHOLE_SHILLINGS.fullmatch(amount):
        raise _refused(f"amount must be a whole number of shillings. {_FORM}")
    if account is None or len(account) > LONGEST_ACCOUNT:
        raise _refused(f"account must be a text of at most {LONGEST_ACCOUNT} characters. {_FORM}")
    return HandPayment(msisdn, shortcode, int(amount) * 100, account)


def _refused(text: str) -> ApiRefused:
    return ApiRefused(400, "VALIDATION_ERROR", text)


def ended_json(ended: Ended) -> dict[str, Any]:
    """How a payment by hand ended."""
    entry = ended.entry
    return {
        "status": ended.status,
        "code": ended.code,
        "message": ended.text,
        "receipt": entry.receipt if entry else None,
        "amount": shillings(entry.amount_cents) if entry else None,
    }


def _body() -> dict[str, Any]:
    try:
        return json_object()
    except ValueError as error:
        raise _refused(str(error)) from None
