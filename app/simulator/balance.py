"""Account balance: what stands on a shop's accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from app.simulator.asynchronous import serve
from app.simulator.bank import Bank
from app.simulator.clock import daraja_timestamp, utc_now
from app.simulator.conversations import Conversation, Item, Order, Outcome, Subject, Terms
from app.simulator.faults import bad_token_of_b2c
from app.simulator.fields import SHORTCODE, matching, one_of, request_body, text, url, words
from app.simulator.identifiers import placeholder_receipt
from app.simulator.numbers import plain
from app.simulator.oauth import require_token
from app.simulator.organisations import Organisation
from app.simulator.out_codes import OUT_RESULTS, SUCCESS
from app.simulator.results import item

# An MSISDN, a till, a shortcode (documented).
IDENTIFIER_TYPES: Final = ("1", "2", "4")

balance = Blueprint("balance", __name__)
balance.before_request(require_token(bad_token_of_b2c))


@balance.post("/mpesa/accountbalance/v1/query")
def ask() -> Response:
    body = request_body("Initiator")
    return serve(_read(body), body)


@dataclass(frozen=True, slots=True)
class BalanceQuestion(Order):
    kind = "balance"
    codes_are_strings = True

    def subject(self, bank: Bank) -> Subject:
        return Subject()

    def settle(self, conversation: Conversation, bank: Bank) -> Outcome:
        nothing = placeholder_receipt(conversation.accepted_at)
        now = item("BOCompletedTime", int(daraja_timestamp(utc_now())))
        if (code := conversation.refusal()) is not None:
            # Unlike its sisters, this API tells of its failures in parameters (recorded).
            action = item("ActionType", "AccountBalance")
            return Outcome(code, nothing, (action, item("ErrorMsg", OUT_RESULTS[code]), now))
        shop = bank.world.organisations.seen(self.terms.shortcode)
        return Outcome(SUCCESS, nothing, (item("AccountBalance", account_string(shop)), now))

    def reference(self) -> Item:
        return item(
            "QueueTimeoutURL",
            "https://internalsandbox.safaricom.co.ke/mpesa/abresults/v1/submit",
        )


def account_string(shop: Organisation) -> str:
    """Name, currency, current, available, reserved and uncleared, of one account after another."""
    accounts = {
        "Working Account": shop.working_cents,
        "Float Account": 0,
        "Utility Account": shop.utility_cents,
        "Charges Paid Account": shop.charges_paid_cents,
        "Organization Settlement Account": 0,
    }
    return "&".join(
        f"{name}|KES|{plain(held)}|{plain(held)}|0.00|0.00" for name, held in accounts.items()
    )


def _read(body: Mapping[str, Any]) -> BalanceQuestion:
    initiator, credential = text(body, "Initiator"), text(body, "SecurityCredential")
    one_of(body, "CommandID", ("AccountBalance",))
    shortcode = matching(body, "PartyA", SHORTCODE)
    one_of(body, "IdentifierType", IDENTIFIER_TYPES)
    words(body, "Remarks", 2, 100)
    time_out_url, result_url = url(body, "QueueTimeOutURL"), url(body, "ResultURL")
    return BalanceQuestion(Terms(initiator, credential, shortcode, result_url, time_out_url))
