"""Requests that are acknowledged first and answered by a result later, and what came of each."""

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from app.simulator.clock import utc_now
from app.simulator.identifiers import Identifiers, is_placeholder
from app.simulator.out_codes import INVALID_INITIATOR, SUCCESS
from app.simulator.plans import Plan
from app.simulator.records import LedgerEntry

if TYPE_CHECKING:
    from app.simulator.bank import Bank

Kind = Literal["b2c", "b2b", "reversal", "status", "balance"]
#: In M-Pesa's own words for a TransactionStatus; all but the first are final (documented).
Stage = Literal["Initiated", "Completed", "Declined", "Expired"]
Item = dict[str, Any]

MOST_CONVERSATIONS: Final = 10_000


class DuplicateId(Exception):
    """A conversation with this OriginatorConversationID has begun already."""


class TooManyConversations(Exception):
    """More are waiting in the queue than are kept."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every asynchronous request says: who asks, for which shop, and where to answer."""

    initiator: str
    credential: str
    shortcode: str
    result_url: str
    queue_time_out_url: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose phone or shop and what amount a request is about, as far as it is about any."""

    msisdn: str | None = None
    amount_cents: int | None = None
    payee: str | None = None

    @property
    def shillings(self) -> int | None:
        return None if self.amount_cents is None else self.amount_cents // 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. `transaction_id` is a receipt, or what stands for one."""

    code: str
    transaction_id: str
    items: tuple[Item, ...] = ()
    entry: LedgerEntry | None = None


@dataclass(frozen=True, slots=True)
class Order(ABC):
    """An asynchronous request whose fields have been checked."""

    kind: ClassVar[Kind]
    #: Documented samples of one API write the two numbers of a result as strings.
    codes_are_strings: ClassVar[bool] = False

    terms: Terms

    @property
    def own_id(self) -> str | None:
        """The OriginatorConversationID that the caller chose; None when Daraja makes one."""
        return None

    @abstractmethod
    def subject(self, bank: "Bank") -> Subject: ...

    @abstractmethod
    def settle(self, conversation: "Conversation", bank: "Bank") -> Outcome:
        """Do what is asked, or decline it; called once, under the world's lock."""

    @abstractmethod
    def reference(self) -> Item | list[Item]:
        """The ReferenceItem of the result: between shops an array, and one object elsewhere."""


@dataclass(slots=True)
class Conversation:
    """One accepted request. `outcome` is None while it waits, and for ever when it was lost.

    `complaint` says what is wrong with its credential. `results_answered` counts the letters that
    the shop acknowledged with 2xx.
    """

    order: Order
    plan: Plan
    subject: Subject
    complaint: str | None
    #: The request as it came, where it is to be sent back.
    echo: bytes
    conversation_id: str
    originator_conversation_id: str
    accepted_at: datetime
    stage: Stage = "Initiated"
    outcome: Outcome | None = None
    finalised_at: datetime | None = None
    results_sent: int = 0
    results_answered: int = 0

    def refusal(self) -> str | None:
        """The code with which it ends whatever it asks for: by scenario, or for its credential."""
        forced = self.plan.result_code
        if forced is not None and forced != SUCCESS:
            return forced
        return INVALID_INITIATOR if self.complaint else None


class Conversations:
    """Everything that was accepted, oldest first, as far back as `MOST_CONVERSATIONS`."""

    def __init__(self, lock: threading.RLock, identifiers: Identifiers) -> None:
        """`lock` is the world's: what is asked here decides about its money."""
        self._lock = lock
        self._identifiers = identifiers
        self._kept: OrderedDict[str, Conversation] = OrderedDict()
        self._by_originator: dict[str, Conversation] = {}

    def open(
        self, order: Order, plan: Plan, subject: Subject, complaint: str | None, echo: bytes
    ) -> Conversation:
        """Accept a request; raises DuplicateId and TooManyConversations."""
        with self._lock:
            originator = order.own_id or self._identifiers.request_id()
            if originator in self._by_originator:
                raise DuplicateId
            self._make_room()
            now = utc_now()
            conversation = Conversation(
                order=order,
                plan=plan,
                subject=subject,
                complaint=complaint,
                echo=echo,
                conversation_id=self._identifiers.conversation_id(now),
                originator_conversation_id=originator,
                accepted_at=now,
            )
            self._kept[conversation.conversation_id] = conversation
            self._by_originator[originator] = conversation
            return conversation

    def knows(self, conversation: Conversation) -> bool:
        """Whether it is of this world: one from before a reset is nothing any more."""
        with self._lock:
            return conversation.conversation_id in self._kept

    def has(self, originator_conversation_id: str | None) -> bool:
        with self._lock:
            return originator_conversation_id in self._by_originator

    def by_originator(self, originator_conversation_id: str) -> Conversation | None:
        with self._lock:
            return self._by_originator.get(originator_conversation_id)

    def by_transaction(self, receipt: str) -> Conversation | None:
        """The payout or reversal of this receipt, declined ones included."""
        if is_placeholder(receipt):
            return None
        with self._lock:
            for conversation in reversed(self._kept.values()):
                outcome = conversation.outcome
                if outcome is not None and outcome.transaction_id == receipt:
                    return conversation
            return None

    def all(self) -> list[Conversation]:
        """Oldest first."""
        with self._lock:
            return list(self._kept.values())

    def count_result(self, conversation_id: str, answered: bool) -> None:
        """Note that a result was posted, and whether the shop acknowledged it."""
        with self._lock:
            conversation = self._kept.get(conversation_id)
            if conversation is not None:
                conversation.results_sent += 1
                conversation.results_answered += answered

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._by_originator.clear()

    def _make_room(self) -> None:
        if len(self._kept) < MOST_CONVERSATIONS:
            return
        oldest = next(iter(self._kept.values()))
        if oldest.finalised_at is None:
            raise TooManyConversations
        del self._kept[oldest.conversation_id]
        del self._by_originator[oldest.originator_conversation_id]
