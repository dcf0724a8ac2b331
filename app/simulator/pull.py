"""Pull transactions: a shop asks what was paid to it, where a confirmation stayed away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, g, jsonify

from app.simulator.clock import NAIROBI, pull_moment, utc_now
from app.simulator.faults import bad_field, bad_token_of_c2b
from app.simulator.fields import SHORTCODE, as_text, matching, msisdn, one_of, request_body, url
from app.simulator.numbers import plain
from app.simulator.oauth import require_token
from app.simulator.records import MOVEMENTS_IN, LedgerEntry
from app.simulator.simulator import current_simulator

#: How far back one can ask, and how many rows come at once (documented).
WINDOW: Final = timedelta(hours=48)
PAGE: Final = 100

SUCCESS: Final = "1000"
NOTHING: Final = "1001"

pull = Blueprint("pull", __name__)
pull.before_request(require_token(bad_token_of_c2b))


@pull.post("/pulltransactions/v1/register")
def register() -> Response:
    """Prepare a shortcode for questions. Nothing is ever posted to CallBackURL."""
    body = request_body("ShortCode")
    shortcode = matching(body, "ShortCode", SHORTCODE)
    one_of(body, "RequestType", ("Pull",))
    msisdn(body, "NominatedNumber")
    url(body, "CallBackURL")
    is_new = current_simulator().rules.register_pull(shortcode)
    known = "Shortcode already Registered"
    return jsonify(
        ResponseRefID=_reference(),
        ResponseStatus=SUCCESS if is_new else NOTHING,
        ShortCode=shortcode,
        ResponseDescription="Shortcode Registered Successfully" if is_new else known,
    )


# By the documentation a GET that has a body; in production POST is in use as well.
@pull.route("/pulltransactions/v1/query", methods=["GET", "POST"])
def query() -> Response:
    asked = _read(request_body("ShortCode"))
    simulator = current_simulator()
    if not simulator.rules.pulls(asked.shortcode):
        g.why = "This shortcode is not registered for pull transactions."
        found = []
    else:
        ledger = simulator.world.ledger()
        found = [entry for entry in ledger if asked.fits(entry)]
    page = found[asked.offset : asked.offset + PAGE]
    name = simulator.settings.business_name
    return jsonify(
        ResponseRefID=_reference(),
        ResponseCode=SUCCESS if page else NOTHING,
        ResponseMessage="Success" if page else "No transactions found",
        # One array inside another (documented).
        Response=[[_row(entry, name) for entry in page]],
    )


@dataclass(frozen=True, slots=True)
class Asked:
    shortcode: str
    since: datetime
    until: datetime
    offset: int

    def fits(self, entry: LedgerEntry) -> bool:
        to_this_shop = entry.kind in MOVEMENTS_IN and entry.shortcode == self.shortcode
        # Dates are told in whole seconds, so the last one counts to its end.
        return to_this_shop and self.since <= entry.moved_at < self.until + timedelta(seconds=1)


def _read(body: Mapping[str, Any]) -> Asked:
    shortcode = matching(body, "ShortCode", SHORTCODE)
    since, until = _moment(body, "StartDate"), _moment(body, "EndDate")
    offset = as_text(body.get("OffSetValue"))
    if offset is None or not (offset.isascii() and offset.isdigit() and len(offset) < 10):
        raise bad_field("OffSetValue", "OffSetValue must be the number of rows to leave out.")
    return Asked(shortcode, max(since, utc_now() - WINDOW), until, int(offset))


def _moment(body: Mapping[str, Any], name: str) -> datetime:
    """A time in Nairobi such as ``2020-08-04 08:36:00``, as an instant."""
    try:
        read = datetime.strptime(str(body.get(name)), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        return read.replace(tzinfo=NAIROBI).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_field(name, f"{name} must be yyyy-MM-dd HH:mm:ss, in Nairobi.") from None


def _row(entry: LedgerEntry, business_name: str) -> dict[str, Any]:
    account = entry.account_reference or ""
    return {
        "transactionId": entry.receipt,
        "trxDate": pull_moment(entry.moved_at),
        # Without the country's code, and a number (documented).
        "msisdn": int(entry.msisdn[3:]),
        "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit" if account else "c2b-buy-goods-debit",
        "billreference": account,
        "amount": plain(entry.amount_cents),
        "organizationname": business_name,
    }


def _reference() -> str:
    return current_simulator().identifiers.request_id()
