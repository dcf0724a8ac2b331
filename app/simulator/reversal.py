"""Reversals: a shop gives a payment back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from app.simulator.asynchronous import serve
from app.simulator.bank import Bank
from app.simulator.clock import daraja_timestamp
from app.simulator.conversations import Conversation, Item, Order, Outcome, Subject, Terms
from app.simulator.faults import bad_token
from app.simulator.fields import SHORTCODE, cents, matching, one_of, request_body, text, url, words
from app.simulator.identifiers import placeholder_receipt
from app.simulator.numbers import plain
from app.simulator.oauth import require_token
from app.simulator.out_codes import (
    ALREADY_REVERSED,
    INSUFFICIENT_FUNDS,
    INVALID_ORIGINAL,
    INVALID_PARAMETER,
    SUCCESS,
)
from app.simulator.records import LedgerEntry
from app.simulator.results import item
from app.simulator.simulator import current_simulator

RECEIPT: Final = re.compile(r"[0-9A-Z]{10}", re.ASCII)

reversal = Blueprint("reversal", __name__)
reversal.before_request(require_token(bad_token))


@reversal.post("/mpesa/reversal/v1/request")
def request_reversal() -> Response:
    body = request_body("Initiator")
    return serve(_read(body), body)


@dataclass(frozen=True, slots=True)
class Reversal(Order):
    kind = "reversal"

    receipt: str
    amount_cents: int
    in_parts: bool

    def subject(self, bank: Bank) -> Subject:
        payment = bank.payment(self.receipt)
        return Subject(payment.msisdn if payment else None, self.amount_cents)

    def settle(self, conversation: Conversation, bank: Bank) -> Outcome:
        payment = bank.payment(self.receipt)
        code = conversation.refusal() or self._refusal(payment, bank)
        if code is not None or payment is None:
            # Documented samples of reversals that failed name no transaction.
            nothing = placeholder_receipt(conversation.accepted_at)
            return Outcome(code or INVALID_ORIGINAL, nothing)
        entry = bank.take_back(conversation, payment, self.amount_cents)
        extra = conversation.plan.callback_extra_shillings
        return Outcome(SUCCESS, entry.receipt, _items(entry, bank, extra), entry)

    def reference(self) -> Item:
        return item(
            "QueueTimeoutURL",
            "https://internalsandbox.safaricom.co.ke/mpesa/reversalresults/v1/submit",
        )

    def _refusal(self, payment: LedgerEntry | None, bank: Bank) -> str | None:
        """Only what a phone paid to this very shop can be reversed, until nothing is left of it.

        A B2C payment cannot (documented). That a part can is neither documented nor recorded, but
        the request has an Amount; `partial_reversals` can be switched off.
        """
        if payment is None or payment.shortcode != self.terms.shortcode:
            return INVALID_ORIGINAL
        left = payment.amount_cents - bank.reversed_cents(payment.receipt)
        if left == 0 or (left < payment.amount_cents and not self.in_parts):
            return ALREADY_REVERSED
        if self.amount_cents > left or (self.amount_cents < left and not self.in_parts):
            return INVALID_PARAMETER
        if bank.world.organisations.seen(payment.shortcode).working_cents < self.amount_cents:
            return INSUFFICIENT_FUNDS
        return None


def _read(body: Mapping[str, Any]) -> Reversal:
    initiator, credential = text(body, "Initiator"), text(body, "SecurityCredential")
    one_of(body, "CommandID", ("TransactionReversal",))
    receipt = matching(body, "TransactionID", RECEIPT)
    amount_cents = cents(body)
    shortcode = matching(body, "ReceiverParty", SHORTCODE)
    # The misspelling is the real key (documented).
    one_of(body, "RecieverIdentifierType", ("11",))
    result_url, time_out_url = url(body, "ResultURL"), url(body, "QueueTimeOutURL")
    words(body, "Remarks", 2, 100)
    words(body, "Occasion", 0, 100)
    terms = Terms(initiator, credential, shortcode, result_url, time_out_url)
    in_parts = current_simulator().switches.partial_reversals
    return Reversal(terms, receipt, amount_cents, in_parts)


def _items(entry: LedgerEntry, bank: Bank, extra_shillings: int) -> tuple[Item, ...]:
    left = plain(bank.world.organisations.seen(entry.shortcode).working_cents)
    return (
        item("DebitAccountBalance", f"Working Account|KES|{left}|{left}|0.00|0.00"),
        item("Amount", entry.amount_cents / 100 + extra_shillings),
        item("TransCompletedTime", int(daraja_timestamp(entry.moved_at))),
        item("OriginalTransactionID", entry.original_receipt),
        item("Charge", 0.0),
        item("CreditPartyPublicName", bank.public_name(entry.msisdn)),
        item("DebitPartyPublicName", bank.shop_name(entry.shortcode)),
    )
