"""Money that leaves a shop, and the memory of every transaction there was."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from app.simulator import sms
from app.simulator.clock import utc_now
from app.simulator.conversations import Conversation, Conversations, Stage
from app.simulator.identifiers import Identifiers
from app.simulator.out_codes import SUCCESS
from app.simulator.records import MOVEMENTS_IN, LedgerEntry, Message, Movement
from app.simulator.world import World


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that can be asked about, whichever way its money went."""

    kind: Movement
    receipt: str
    msisdn: str | None
    shortcode: str
    amount_cents: int
    originator_conversation_id: str
    conversation_id: str
    stage: Stage
    initiated_at: datetime
    finalised_at: datetime | None
    charge_cents: int = 0
    payee: str | None = None


class Bank:
    """Everything here happens under the world's lock, and without input or output."""

    def __init__(
        self,
        *,
        world: World,
        conversations: Conversations,
        identifiers: Identifiers,
        business_name: str,
    ) -> None:
        self.world = world
        self.conversations = conversations
        self._identifiers = identifiers
        self._business_name = business_name

    def settle(self, conversation: Conversation) -> None:
        """Let a request take its course; nothing when it is of a world before a reset."""
        with self.world.lock:
            if not self.conversations.knows(conversation):
                return
            conversation.finalised_at = utc_now()
            if not conversation.plan.moves_money:
                conversation.stage = "Expired"
                return
            outcome = conversation.order.settle(conversation, self)
            conversation.outcome = outcome
            conversation.stage = "Completed" if outcome.code == SUCCESS else "Declined"

    def new_receipt(self) -> str:
        """A receipt for a transaction that was begun and declined."""
        return self._identifiers.receipt(utc_now())

    def public_name(self, msisdn: str) -> str:
        """As M-Pesa names people: ``254712345678 - JANE DOE``."""
        return f"{msisdn} - {self.world.phone(msisdn).name}"

    def shop_name(self, shortcode: str) -> str:
        return f"{shortcode} - {self._business_name}"

    def pay_out(
        self, conversation: Conversation, msisdn: str, amount_cents: int, charge_cents: int
    ) -> LedgerEntry:
        """Move money from the shop's Utility account to a phone, which gets a message."""
        entry = self._entry("b2c", conversation, msisdn, amount_cents, charge_cents=charge_cents)
        organisation = self.world.organisations.kept(entry.shortcode)
        organisation.utility_cents -= amount_cents
        organisation.charges_paid_cents -= charge_cents
        balance = self._credit(entry)
        self._tell(entry, sms.received(entry, self._business_name, balance))
        return entry

    def take_back(
        self, conversation: Conversation, payment: LedgerEntry, amount_cents: int
    ) -> LedgerEntry:
        """Move a payment or part of it back from where it was collected, and tell its payer."""
        entry = self._entry(
            "reversal",
            conversation,
            payment.msisdn,
            amount_cents,
            original_receipt=payment.receipt,
        )
        organisation = self.world.organisations.kept(entry.shortcode)
        organisation.working_cents -= entry.amount_cents
        balance = self._credit(entry)
        self._tell(entry, sms.reversed_payment(entry, balance))
        return entry

    def pay_shop(
        self,
        conversation: Conversation,
        payee: str,
        amount_cents: int,
        account: str,
        *,
        to_utility: bool,
    ) -> LedgerEntry:
        """Move money from the shop's Working account to another shop."""
        entry = self._entry("b2b", conversation, "", amount_cents)
        return self.world.pay_shop(
            replace(entry, account_reference=account, payee=payee, to_utility=to_utility)
        )

    def payment(self, receipt: str) -> LedgerEntry | None:
        """What a phone paid under this receipt."""
        ledger = self.world.ledger()
        paid = (e for e in ledger if e.kind in MOVEMENTS_IN and e.receipt == receipt)
        return next(paid, None)

    def reversed_cents(self, receipt: str) -> int:
        """How much of a payment has gone back."""
        ledger = self.world.ledger()
        return sum(entry.amount_cents for entry in ledger if entry.original_receipt == receipt)

    def find(self, *, receipt: str | None, originator_id: str | None) -> Transaction | None:
        """The transaction of a receipt, or of an OriginatorConversationID where none is given."""
        with self.world.lock:
            if receipt is not None:
                conversation = self.conversations.by_transaction(receipt)
            else:
                conversation = self.conversations.by_originator(originator_id or "")
            if conversation is not None:
                return _money_out(conversation)
            payment = self.payment(receipt) if receipt is not None else None
            return None if payment is None else _money_in(payment)

    def _entry(
        self,
        kind: Literal["b2c", "b2b", "reversal"],
        conversation: Conversation,
        msisdn: str,
        amount_cents: int,
        *,
        charge_cents: int = 0,
        original_receipt: str | None = None,
    ) -> LedgerEntry:
        now = utc_now()
        return LedgerEntry(
            kind=kind,
            receipt=self._identifiers.receipt(now),
            msisdn=msisdn,
            shortcode=conversation.order.terms.shortcode,
            amount_cents=amount_cents,
            moved_at=now,
            originator_conversation_id=conversation.originator_conversation_id,
            conversation_id=conversation.conversation_id,
            original_receipt=original_receipt,
            charge_cents=charge_cents,
        )

    def _credit(self, entry: LedgerEntry) -> int:
        phone = self.world.kept_phone(entry.msisdn)
        phone.balance_cents += entry.amount_cents
        self.world.record(entry)
        return phone.balance_cents

    def _tell(self, entry: LedgerEntry, text: str) -> None:
        self.world.kept_phone(entry.msisdn).messages.append(Message(text, entry.moved_at))


def _money_out(conversation: Conversation) -> Transaction | None:
    kind = conversation.order.kind
    if kind not in ("b2c", "b2b", "reversal"):
        return None
    outcome = conversation.outcome
    entry = outcome.entry if outcome else None
    return Transaction(
        kind=kind,
        receipt=outcome.transaction_id if outcome else "",
        msisdn=conversation.subject.msisdn,
        shortcode=conversation.order.terms.shortcode,
        amount_cents=conversation.subject.amount_cents or 0,
        originator_conversation_id=conversation.originator_conversation_id,
        conversation_id=conversation.conversation_id,
        stage=conversation.stage,
        initiated_at=conversation.accepted_at,
        finalised_at=conversation.finalised_at,
        charge_cents=entry.charge_cents if entry else 0,
        payee=conversation.subject.payee,
    )


def _money_in(payment: LedgerEntry) -> Transaction:
    return Transaction(
        kind=payment.kind,
        receipt=payment.receipt,
        msisdn=payment.msisdn,
        shortcode=payment.shortcode,
        amount_cents=payment.amount_cents,
        originator_conversation_id=payment.originator_conversation_id,
        conversation_id=payment.conversation_id,
        stage="Completed",
        initiated_at=payment.moved_at,
        finalised_at=payment.moved_at,
    )
