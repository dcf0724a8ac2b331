"""B2B: a shop pays another shop, tops up an account for payouts, or remits tax."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response

from app.simulator.asynchronous import serve
from app.simulator.bank import Bank
from app.simulator.clock import daraja_timestamp
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
from app.simulator.numbers import plain
from app.simulator.oauth import require_token
from app.simulator.out_codes import BEFORE_ANY_TRANSACTION, INSUFFICIENT_FUNDS, SUCCESS
from app.simulator.records import LedgerEntry
from app.simulator.results import item

#: What arrives in the payee's Utility account: a float for payouts (documented).
_TO_UTILITY: Final = ("BusinessPayToBulk", "BusinessTransferFromMMFToUtility")
COMMANDS: Final = (
    "BusinessPayBill",
    "BusinessBuyGoods",
    *_TO_UTILITY,
    "DisburseFundsToBusiness",
    "BusinessToBusinessTransfer",
    "MerchantToMerchantTransfer",
)
_WITH_ACCOUNT: Final = ("BusinessPayBill",)
#: The revenue authority's shortcode, the only one that tax goes to (documented).
REVENUE_AUTHORITY: Final = "572572"
LONGEST_ACCOUNT: Final = 13
LONGEST_TAX_NUMBER: Final = 32

b2b = Blueprint("b2b", __name__)
b2b.before_request(require_token(bad_token_of_b2c))


@b2b.post("/mpesa/b2b/v1/paymentrequest")
def pay_business() -> Response:
    body = request_body("Initiator")
    return serve(_read(body), body)


@b2b.post("/mpesa/b2b/v1/remittax")
def remit_tax() -> Response:
    body = request_body("Initiator")
    return serve(_read_tax(body), body)


@dataclass(frozen=True, slots=True)
class BusinessPayment(Order):
    kind = "b2b"

    command: str
    payee: str
    amount_cents: int
    account: str

    def subject(self, bank: Bank) -> Subject:
        return Subject(None, self.amount_cents, self.payee)

    def settle(self, conversation: Conversation, bank: Bank) -> Outcome:
        payer = bank.world.organisations.seen(self.terms.shortcode)
        code = conversation.refusal()
        if code is None and payer.working_cents < self.amount_cents:
            code = INSUFFICIENT_FUNDS
        if code is not None:
            begun = code not in BEFORE_ANY_TRANSACTION
            nothing = placeholder_receipt(conversation.accepted_at)
            return Outcome(code, bank.new_receipt() if begun else nothing)
        entry = bank.pay_shop(
            conversation,
            self.payee,
            self.amount_cents,
            self.account,
            to_utility=self.command in _TO_UTILITY,
        )
        extra = conversation.plan.callback_extra_shillings
        return Outcome(SUCCESS, entry.receipt, _items(entry, bank, extra), entry)

    def reference(self) -> list[Item]:
        inside = "https://internalsandbox.safaricom.co.ke/mpesa/b2bresults/v1/submit"
        return [
            item("BillReferenceNumber", self.account),
            item("QueueTimeoutURL", inside),
        ]


def _read(body: Mapping[str, Any]) -> BusinessPayment:
    initiator, credential = text(body, "Initiator"), text(body, "SecurityCredential")
    command = one_of(body, "CommandID", COMMANDS)
    one_of(body, "SenderIdentifierType", ("4",))
    # The misspelling is the real key (documented); 2 is a till.
    one_of(body, "RecieverIdentifierType", ("4", "2"))
    amount_cents = cents(body)
    payer, payee = matching(body, "PartyA", SHORTCODE), matching(body, "PartyB", SHORTCODE)
    least = 1 if command in _WITH_ACCOUNT else 0
    account = words(body, "AccountReference", least, LONGEST_ACCOUNT)
    if body.get("Requester") not in (None, ""):
        msisdn(body, "Requester")
    words(body, "Remarks", 0, 100)
    time_out_url, result_url = url(body, "QueueTimeOutURL"), url(body, "ResultURL")
    words(body, "Occassion", 0, 100)
    terms = Terms(initiator, credential, payer, result_url, time_out_url)
    return BusinessPayment(terms, command, payee, amount_cents, account)


def _read_tax(body: Mapping[str, Any]) -> BusinessPayment:
    """The account is the payment registration number that the revenue authority gave."""
    initiator, credential = text(body, "Initiator"), text(body, "SecurityCredential")
    command = one_of(body, "CommandID", ("PayTaxToKRA",))
    one_of(body, "SenderIdentifierType", ("4",))
    one_of(body, "RecieverIdentifierType", ("4",))
    amount_cents, payer = cents(body), matching(body, "PartyA", SHORTCODE)
    payee = one_of(body, "PartyB", (REVENUE_AUTHORITY,))
    number = words(body, "AccountReference", 1, LONGEST_TAX_NUMBER)
    words(body, "Remarks", 0, 100)
    time_out_url, result_url = url(body, "QueueTimeOutURL"), url(body, "ResultURL")
    terms = Terms(initiator, credential, payer, result_url, time_out_url)
    return BusinessPayment(terms, command, payee, amount_cents, number)


def _items(entry: LedgerEntry, bank: Bank, extra_shillings: int) -> tuple[Item, ...]:
    """Numbers are texts here, and balances are no JSON (documented)."""
    left = bank.world.organisations.seen(entry.shortcode).working_cents
    balance = f"{{Amount={{CurrencyCode=KES, MinimumAmount={left}, BasicAmount={plain(left)}}}}}"
    account = f"Working Account|KES|{plain(left)}|{plain(left)}|0.00|0.00"
    return (
        item("DebitAccountBalance", balance),
        item("Amount", plain(entry.amount_cents + extra_shillings * 100)),
        item("DebitPartyAffectedAccountBalance", account),
        item("TransCompletedTime", daraja_timestamp(entry.moved_at)),
        item("DebitPartyCharges", ""),
        item("ReceiverPartyPublicName", bank.shop_name(entry.payee or "")),
        item("Currency", "KES"),
        item("InitiatorAccountCurrentBalance", balance),
    )
