"""B2C: a shop pays a phone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from app.simulator.asynchronous import serve
from app.simulator.bank import Bank
from app.simulator.clock import result_moment
from app.simulator.conversations import Conversation, Item, Order, Outcome, Subject, Terms
from app.simulator.faults import bad_token_of_b2c
from app.simulator.fields import (
    SHORTCODE,
    cents,
    matching,
    msisdn,
    one_of,
    request_body,
    text,
    url,
    words,
)
from app.simulator.identifiers import placeholder_receipt
from app.simulator.oauth import require_token
from app.simulator.out_codes import (
    ABOVE_MAXIMUM,
    ABOVE_MAXIMUM_BALANCE,
    BEFORE_ANY_TRANSACTION,
    BELOW_MINIMUM,
    INSUFFICIENT_FUNDS,
    SUCCESS,
)
from app.simulator.records import LedgerEntry
from app.simulator.results import item

COMMANDS: Final = ("SalaryPayment", "BusinessPayment", "PromotionPayment")
#: To the business wallet of a phone, which is its one wallet here.
POCHI: Final = ("BusinessPayToPochi",)
# Documented limits of one payout, and of what one subscriber may hold.
LEAST_CENTS: Final = 10_00
MOST_CENTS: Final = 250_000_00
MOST_BALANCE_CENTS: Final = 500_000_00
# The one fee that a documented sample names; the real one depends on the amount.
CHARGE_CENTS: Final = 22_40
LONGEST_ID: Final = 128

b2c = Blueprint("b2c", __name__)
b2c.before_request(require_token(bad_token_of_b2c))


@b2c.post("/mpesa/b2c/v1/paymentrequest")
def first_version() -> Response:
    body = request_body("InitiatorName")
    return serve(_read(body, None), body)


@b2c.post("/mpesa/b2c/v3/paymentrequest")
def third_version() -> Response:
    body = request_body("OriginatorConversationID")
    return serve(_read(body, _own_id(body)), body)


@b2c.post("/mpesa/b2pochi/v1/paymentrequest")
def pay_pochi() -> Response:
    body = request_body("OriginatorConversationID")
    return serve(_read(body, _own_id(body), POCHI), body)


@dataclass(frozen=True, slots=True)
class Payout(Order):
    kind = "b2c"

    originator_conversation_id: str | None
    msisdn: str
    amount_cents: int

    @property
    def own_id(self) -> str | None:
        return self.originator_conversation_id

    def subject(self, bank: Bank) -> Subject:
        return Subject(self.msisdn, self.amount_cents)

    def settle(self, conversation: Conversation, bank: Bank) -> Outcome:
        code = conversation.refusal() or self._limit(bank)
        if code is not None:
            begun = code not in BEFORE_ANY_TRANSACTION
            nothing = placeholder_receipt(conversation.accepted_at)
            return Outcome(code, bank.new_receipt() if begun else nothing)
        entry = bank.pay_out(conversation, self.msisdn, self.amount_cents, CHARGE_CENTS)
        extra = conversation.plan.callback_extra_shillings
        return Outcome(SUCCESS, entry.receipt, _items(entry, bank, extra), entry)

    def reference(self) -> Item:
        # Not the caller's address but Daraja's own, on the inside (recorded).
        return item(
            "QueueTimeoutURL",
            "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit",
        )

    def _limit(self, bank: Bank) -> str | None:
        if self.amount_cents < LEAST_CENTS:
            return BELOW_MINIMUM
        if self.amount_cents > MOST_CENTS:
            return ABOVE_MAXIMUM
        if bank.world.organisations.seen(self.terms.shortcode).utility_cents < self.amount_cents:
            return INSUFFICIENT_FUNDS
        if bank.world.phone(self.msisdn).balance_cents + self.amount_cents > MOST_BALANCE_CENTS:
            return ABOVE_MAXIMUM_BALANCE
        return None


def _own_id(body: Mapping[str, Any]) -> str:
    return words(body, "OriginatorConversationID", 1, LONGEST_ID)


def _read(
    body: Mapping[str, Any], own_id: str | None, commands: tuple[str, ...] = COMMANDS
) -> Payout:
    initiator, credential = text(body, "InitiatorName"), text(body, "SecurityCredential")
    one_of(body, "CommandID", commands)
    amount_cents = cents(body)
    shortcode, payee = matching(body, "PartyA", SHORTCODE), msisdn(body, "PartyB")
    words(body, "Remarks", 2, 100)
    time_out_url, result_url = url(body, "QueueTimeOutURL"), url(body, "ResultURL")
    # Two s, in this API alone (documented).
    words(body, "Occassion", 0, 100)
    terms = Terms(initiator, credential, shortcode, result_url, time_out_url)
    return Payout(terms, own_id, payee, amount_cents)


def _items(entry: LedgerEntry, bank: Bank, extra_shillings: int) -> tuple[Item, ...]:
    shop = bank.world.organisations.seen(entry.shortcode)
    return (
        item("TransactionAmount", entry.amount_cents // 100 + extra_shillings),
        item("TransactionReceipt", entry.receipt),
        item("ReceiverPartyPublicName", bank.public_name(entry.msisdn)),
        item("TransactionCompletedDateTime", result_moment(entry.moved_at)),
        item("B2CUtilityAccountAvailableFunds", shop.utility_cents / 100),
        item("B2CWorkingAccountAvailableFunds", shop.working_cents / 100),
        item("B2CRecipientIsRegisteredCustomer", "Y"),
        item("B2CChargesPaidAccountAvailableFunds", shop.charges_paid_cents / 100),
    )
