"""Bill Manager: invoices that come as messages, and news of their payments.

Nothing of this API is recorded; its answers are in the form that a client of it reads.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from app.simulator.api import ApiRefused
from app.simulator.bills import Biller, Invoice
from app.simulator.clock import utc_now
from app.simulator.faults import bad_field, bad_token, system_busy
from app.simulator.fields import SHORTCODE, cents, matching, one_of, request_body, text, url, words
from app.simulator.numbers import ksh, shillings, to_msisdn
from app.simulator.oauth import require_token
from app.simulator.records import Message
from app.simulator.simulator import current_simulator
from app.simulator.world import SystemBusy

MOST_AT_ONCE: Final = 1_000
_DONE: Final = {"resmsg": "Success", "rescode": "200"}
_ROOT: Final = "/v1/billmanager-invoice"

bill_manager = Blueprint("bill_manager", __name__)
bill_manager.before_request(require_token(bad_token))
invoices_api = Blueprint("invoices_api", __name__, url_prefix="/simulator/api")


@bill_manager.post(f"{_ROOT}/optin")
def opt_in() -> Response:
    """Opt a shop in; its key goes with every later call, as the header appKey."""
    kept = current_simulator().bills.opt_in(_biller(request_body("shortcode")))
    return jsonify(app_key=kept.app_key, **_DONE)


@bill_manager.post(f"{_ROOT}/change-optin-details")
def change_opt_in() -> Response:
    own, body = _caller(), request_body("shortcode")
    if matching(body, "shortcode", SHORTCODE) != own.shortcode:
        raise bad_field("shortcode", "The appKey is that of another shortcode.")
    if body.get("callbackurl") in (None, ""):
        body["callbackurl"] = own.callback_url
    current_simulator().bills.opt_in(_biller(body))
    return jsonify(_DONE)


@bill_manager.post(f"{_ROOT}/single-invoicing")
def send_invoice() -> Response:
    return _sent([_invoice(_caller(), request_body("externalReference"))])


@bill_manager.post(f"{_ROOT}/bulk-invoicing")
def send_invoices() -> Response:
    own = _caller()
    return _sent([_invoice(own, one) for one in _several(request_body("invoices"))])


@bill_manager.post(f"{_ROOT}/cancel-single-invoice")
def cancel_invoice() -> Response:
    own = _caller()
    return _cancelled(own, [words(request_body("externalReference"), "externalReference", 1, 100)])


@bill_manager.post(f"{_ROOT}/cancel-bulk-invoices")
def cancel_invoices() -> Response:
    own = _caller()
    listed = _several(request_body("invoices"))
    return _cancelled(own, [words(one, "externalReference", 1, 100) for one in listed])


@bill_manager.post(f"{_ROOT}/reconciliation")
def reconcile() -> Response:
    """The shop acknowledges a payment, and its payer gets a receipt."""
    _caller()
    body = request_body("transactionId")
    msisdn, amount_cents = _phone(body, "phoneNumber"), cents(body, "paidAmount")
    receipt, invoice = text(body, "transactionId"), words(body, "invoiceName", 1, 100)
    words(body, "paymentDate", 1, 30)
    words(body, "accountReference", 1, 100)
    words(body, "fullName", 1, 100)
    words(body, "externalReference", 1, 100)
    _tell([(msisdn, f"{receipt} Receipt for {ksh(amount_cents)}, {invoice}. Thank you.")])
    return jsonify(_DONE)


@invoices_api.get("/invoices/<shortcode>")
def invoices(shortcode: str) -> Response:
    """What a shop has invoiced, oldest first."""
    if not SHORTCODE.fullmatch(shortcode):
        raise ApiRefused(404, "NOT_FOUND", "A shortcode has 5 to 7 digits.")
    rows = current_simulator().bills.of(shortcode)
    return jsonify(
        invoices=[
            {
                "reference": row.reference,
                "account": row.account,
                "msisdn": row.msisdn,
                "amount": shillings(row.amount_cents),
                "paid": shillings(row.paid_cents),
                "status": row.status,
            }
            for row in rows
        ]
    )


def _caller() -> Biller:
    """The shop whose key the call carries; raises DarajaFault."""
    own = current_simulator().bills.biller_with(request.headers.get("appKey", ""))
    if own is None:
        raise bad_field("appKey", "The header appKey must be the app_key of an opt-in.")
    return own


def _biller(body: Mapping[str, Any]) -> Biller:
    shortcode = matching(body, "shortcode", SHORTCODE)
    email = words(body, "email", 3, 254)
    _phone(body, "officialContact")
    one_of(body, "sendReminders", ("0", "1"))
    callback_url = url(body, "callbackurl")
    key = current_simulator().identifiers.conversation_id(utc_now())
    return Biller(shortcode, key, email, callback_url)


def _invoice(own: Biller, body: Any) -> Invoice:
    if not isinstance(body, dict):
        raise bad_field("invoices", "Each invoice is an object.")
    return Invoice(
        shortcode=own.shortcode,
        reference=words(body, "externalReference", 1, 100),
        full_name=words(body, "billedFullName", 1, 100),
        msisdn=_phone(body, "billedPhoneNumber"),
        name=words(body, "invoiceName", 1, 100),
        due=words(body, "dueDate", 8, 30),
        account=words(body, "accountReference", 1, 20),
        amount_cents=cents(body, "amount"),
    )


def _several(body: Mapping[str, Any]) -> list[Any]:
    listed = body.get("invoices")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_AT_ONCE:
        raise bad_field("invoices", f"invoices must be an array of 1 to {MOST_AT_ONCE}.")
    if not all(isinstance(one, dict) for one in listed):
        raise bad_field("invoices", "Each invoice is an object.")
    return listed


def _phone(body: Mapping[str, Any], name: str) -> str:
    found = to_msisdn(words(body, name, 9, 20))
    if found is None:
        raise bad_field(name, f"{name} must be a Kenyan mobile number.")
    return found


def _sent(invoices: list[Invoice]) -> Response:
    simulator = current_simulator()
    if taken := simulator.bills.send(invoices):
        return _conflict("Invoice not sent: its externalReference is taken", taken)
    shop = simulator.settings.business_name
    _tell(
        (
            invoice.msisdn,
            f"Dear {invoice.full_name}, {shop} bills you {ksh(invoice.amount_cents)} for "
            f"{invoice.name}, due {invoice.due}. Pay to {invoice.shortcode}, account "
            f"{invoice.account}.",
        )
        for invoice in invoices
    )
    return jsonify(Status_Message="Invoice sent successfully", **_DONE)


def _cancelled(own: Biller, references: list[str]) -> Response:
    fast = current_simulator().bills.cancel(own.shortcode, references)
    if fast:
        return _conflict("Invoice cannot be cancelled: it is unknown or paid", fast)
    return jsonify(Status_Message="Invoice cancelled successfully.", **_DONE, errors=[])


def _conflict(message: str, references: list[str]) -> Response:
    """Status 200 all the same: what went wrong is in `rescode`, as the client has it."""
    errors = [{"externalReference": reference} for reference in references]
    return jsonify(Status_Message=message, resmsg="Conflict", rescode="409", errors=errors)


def _tell(messages: Iterable[tuple[str, str]]) -> None:
    world = current_simulator().world
    with world.lock:
        for msisdn, said in messages:
            try:
                world.kept_phone(msisdn).messages.append(Message(said, utc_now()))
            except SystemBusy:
                raise system_busy() from None
