"""Transaction status: what became of a transaction."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response

from app.simulator.asynchronous import serve
from app.simulator.bank import Bank, Transaction
from app.simulator.clock import daraja_timestamp
from app.simulator.conversations import Conversation, Item, Order, Outcome, Subject, Terms
from app.simulator.faults import bad_token_of_c2b
from app.simulator.fields import SHORTCODE, matching, one_of, request_body, text, url, words
from app.simulator.identifiers import placeholder_receipt
from app.simulator.numbers import plain
from app.simulator.oauth import require_token
from app.simulator.out_codes import INVALID_PARAMETER, SUCCESS, UNKNOWN_RECEIPT
from app.simulator.records import MOVEMENTS_IN
from app.simulator.results import item

RECEIPT: Final = re.compile(r"[0-9A-Z]{10}", re.ASCII)
LONGEST_ID: Final = 128
IDENTIFIER_TYPES: Final = ("1", "2", "4")
# The name on the current page comes first; older pages and several SDKs have the second.
ID_KEYS: Final = ("OriginalConversationID", "OriginatorConversationID")

# The first two and that of B2C are recorded, the last is worded after them.
_REASONS: Final = {
    "stk": "Pay Utility with OD Online",
    "c2b": "Pay Utility",
    "b2c": "Business Payment to Customer via API",
    "b2b": "Business Payment to Business via API",
    "reversal": "Transaction Reversal via API",
}
PENDING: Final = "Authorized"
NOT_FINAL: Final = ("Initiated", PENDING, "Pending Authorized")
_DEBITED: Final = {
    "stk": "MMF Account For Customer",
    "c2b": "MMF Account For Customer",
    "b2c": "Utility Account",
    "b2b": "Working Account",
    "reversal": "Working Account",
}
# Names of organisations were recorded with spaces behind them.
_NAME_WIDTH: Final = 40

status = Blueprint("status", __name__)
status.before_request(require_token(bad_token_of_c2b))


@status.post("/mpesa/transactionstatus/v1/query")
def ask() -> Response:
    body = request_body("Initiator")
    return serve(_read(body), body)


@dataclass(frozen=True, slots=True)
class StatusQuestion(Order):
    kind = "status"

    receipt: str | None
    originator_id: str | None
    occasion: str

    def subject(self, bank: Bank) -> Subject:
        found = self._found(bank)
        return Subject(found.msisdn, found.amount_cents) if found else Subject()

    def settle(self, conversation: Conversation, bank: Bank) -> Outcome:
        nothing = placeholder_receipt(conversation.accepted_at)
        if (code := conversation.refusal()) is not None:
            return Outcome(code, nothing)
        if self.receipt is None and self.originator_id is None:
            return Outcome(INVALID_PARAMETER, nothing)
        found = self._found(bank)
        seen = conversation.plan.status_seen
        if found is None or seen == "unknown":
            return Outcome(UNKNOWN_RECEIPT, nothing)
        word = conversation.plan.status_word or found.stage
        return Outcome(
            SUCCESS, nothing, _items(found, bank, PENDING if seen == "pending" else word)
        )

    def reference(self) -> Item:
        return item("Occasion", self.occasion) if self.occasion else item("Occasion")

    def _found(self, bank: Bank) -> Transaction | None:
        """What is asked about, if it is a transaction of the one who asks."""
        found = bank.find(receipt=self.receipt, originator_id=self.originator_id)
        is_own = found is not None and found.shortcode == self.terms.shortcode
        return found if is_own else None


def _read(body: Mapping[str, Any]) -> StatusQuestion:
    initiator, credential = text(body, "Initiator"), text(body, "SecurityCredential")
    one_of(body, "CommandID", ("TransactionStatusQuery",))
    named = body.get("TransactionID") not in (None, "")
    receipt = matching(body, "TransactionID", RECEIPT) if named else None
    ids = [words(body, key, 0, LONGEST_ID) for key in ID_KEYS]
    shortcode = matching(body, "PartyA", SHORTCODE)
    one_of(body, "IdentifierType", IDENTIFIER_TYPES)
    result_url, time_out_url = url(body, "ResultURL"), url(body, "QueueTimeOutURL")
    words(body, "Remarks", 2, 100)
    occasion = words(body, "Occasion", 0, 100)
    terms = Terms(initiator, credential, shortcode, result_url, time_out_url)
    return StatusQuestion(terms, receipt, next(filter(None, ids), None), occasion)


def _items(found: Transaction, bank: Bank, stage: str) -> tuple[Item, ...]:
    """In the order of the one production recording; parameters without a value have no Value."""
    shop = bank.shop_name(found.shortcode).ljust(_NAME_WIDTH)
    person = bank.public_name(found.msisdn) if found.msisdn else ""
    if found.payee is not None:
        person = bank.shop_name(found.payee).ljust(_NAME_WIDTH)
    payer, payee = (person, shop) if found.kind in MOVEMENTS_IN else (shop, person)
    charges = item("CreditPartyCharges")
    if found.kind == "b2c":
        fee = f"Fee For B2C Payment|KES|{plain(found.charge_cents)}"
        charges = item("DebitPartyCharges", fee)
    finalised_at = None if stage in NOT_FINAL else found.finalised_at
    return (
        item("DebitPartyName", payer),
        item("CreditPartyName", payee),
        item("OriginatorConversationID", found.originator_conversation_id),
        item("InitiatedTime", _moment(found.initiated_at)),
        charges,
        item("DebitAccountType", _DEBITED[found.kind]),
        item("TransactionReason"),
        item("ReasonType", _REASONS[found.kind]),
        item("TransactionStatus", stage),
        item("FinalisedTime", _moment(finalised_at)) if finalised_at else item("FinalisedTime"),
        item("Amount", found.amount_cents / 100),
        item("ConversationID", found.conversation_id),
        item("ReceiptNo", found.receipt) if found.receipt else item("ReceiptNo"),
    )


def _moment(instant: datetime) -> int:
    return int(daraja_timestamp(instant))
