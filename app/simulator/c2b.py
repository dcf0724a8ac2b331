"""C2B: where a shop wants to hear of payments by hand, and payments that a program makes up."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, Response, g, jsonify

from app.simulator.c2b_rules import RESPONSE_TYPES, AlreadyRegistered, Registration, ResponseType
from app.simulator.faults import DarajaFault, bad_field, bad_token_of_c2b, system_busy
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
from app.simulator.oauth import require_token
from app.simulator.plans import RegisterCode
from app.simulator.records import HandPayment
from app.simulator.simulator import current_simulator
from app.simulator.world import SystemBusy

PAY_BILL: Final = "CustomerPayBillOnline"
COMMANDS: Final = (PAY_BILL, "CustomerBuyGoodsOnline")
LONGEST_ACCOUNT: Final = 20
# Documented as words that an address must not hold, in any letter case. The first is recorded.
_WORDS: Final = re.compile(
    r"mpesa|m-pesa|safaricom|exec|exe|cmd|sql|query|ngrok|mockbin|requestbin", re.IGNORECASE
)

c2b = Blueprint("c2b", __name__)
c2b.before_request(require_token(bad_token_of_c2b))


@c2b.post("/mpesa/c2b/v1/registerurl")
def register_v1() -> Response:
    return _register(hashes=True)


@c2b.post("/mpesa/c2b/v2/registerurl")
def register_v2() -> Response:
    return _register(hashes=False)


@c2b.post("/mpesa/c2b/v1/simulate")
@c2b.post("/mpesa/c2b/v2/simulate")
def simulate() -> Response:
    """Pay as a person would. The version that the URLs were registered by decides what is told."""
    payment = _read_payment(request_body("ShortCode"))
    simulator = current_simulator()
    plan = simulator.plan_for("c2b", payment.msisdn, payment.amount_cents // 100)
    try:
        simulator.paybills.pay_soon(payment, plan)
    except SystemBusy:
        raise system_busy() from None
    return _accepted("Accept the service request successfully.")


def _register(*, hashes: bool) -> Response:
    registration = _read_registration(hashes=hashes)
    simulator = current_simulator()
    if simulator.plan_for("register").answer == "registered_elsewhere":
        # Recorded: the shortcode has URLs on the platform that came before this one.
        text = (
            f"Duplicate notification info, SP ID is 107078, correlator is {registration.shortcode}"
        )
        raise DarajaFault(500, "500.003.1001", text, "A scenario said so.")
    try:
        simulator.rules.register(registration, once=simulator.switches.register_once)
    except AlreadyRegistered:
        why = "register_once is on, and this shortcode has its URLs."
        raise DarajaFault(500, "500.003.1001", "Urls are already registered.", why) from None
    return _accepted("Success", simulator.switches.register_code)


def _accepted(description: str, code: RegisterCode = "0") -> Response:
    g.why = "ok"
    return jsonify(
        # Misspelt on the wire (recorded and documented).
        OriginatorCoversationID=current_simulator().identifiers.request_id(),
        **({} if code == "absent" else {"ResponseCode": code}),
        ResponseDescription=description,
    )


def _read_registration(*, hashes: bool) -> Registration:
    try:
        body = request_body("ShortCode")
        return Registration(
            shortcode=matching(body, "ShortCode", SHORTCODE),
            response_type=_response_type(body),
            confirmation_url=_address(body, "ConfirmationURL"),
            validation_url=_address(body, "ValidationURL"),
            hashes=hashes,
        )
    except DarajaFault as fault:
        # This API has another number than its sisters for a bad field (recorded).
        if fault.code != "400.002.02":
            raise
        raise DarajaFault(fault.status, "400.003.02", fault.message, fault.why) from None


def _response_type(body: Mapping[str, Any]) -> ResponseType:
    """In sentence case and no other (documented)."""
    chosen = one_of(body, "ResponseType", RESPONSE_TYPES)
    return "Completed" if chosen == "Completed" else "Cancelled"


def _address(body: Mapping[str, Any], name: str) -> str:
    address = url(body, name)
    if (found := _WORDS.search(address)) is not None:
        raise bad_field(f"{name} - URL has the word {found[0].upper()}")
    return address


def _read_payment(body: Mapping[str, Any]) -> HandPayment:
    shortcode = matching(body, "ShortCode", SHORTCODE)
    to_paybill = one_of(body, "CommandID", COMMANDS) == PAY_BILL
    amount_cents, payer = cents(body), msisdn(body, "Msisdn")
    # A till has no accounts: whatever is sent for one is dropped.
    account = words(body, "BillRefNumber", 1 if to_paybill else 0, LONGEST_ACCOUNT)
    payment = HandPayment(payer, shortcode, amount_cents, account)
    return payment if to_paybill else replace(payment, account="")
