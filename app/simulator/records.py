"""What the world is made of: requests that were checked, prompts, phones, and moved money."""

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from app.simulator.numbers import ksh_short
from app.simulator.pace import Pace
from app.simulator.plans import Plan

PromptStatus = Literal["open", "paid", "cancelled", "timed_out", "failed"]
Movement = Literal["stk", "c2b", "b2c", "reversal", "b2b"]
#: Money from phones to shops: asked for by a prompt, or paid by hand.
MOVEMENTS_IN: Final[frozenset[Movement]] = frozenset({"stk", "c2b"})

OPENING_BALANCE_CENTS: Final = 50_000_00
PIN_ATTEMPTS: Final = 3
MOST_PROMPTS_SHOWN: Final = 50
MOST_MESSAGES: Final = 1_000


@dataclass(frozen=True, slots=True)
class StandingTerms:
    """What a standing order adds to a request; days are ``yyyymmdd``, `how_often` is in words."""

    name: str
    first_day: str
    last_day: str
    how_often: str
    reference: str
    receipt: str


@dataclass(frozen=True, slots=True)
class TillRequest:
    """What a request to a till adds: the id that the vendor chose, and the vendor's name."""

    own_id: str
    vendor: str


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A push whose fields have been checked; `amount_cents` is whole shillings.

    With `standing` it asks for leave to collect from time to time, and with `till` it asks the
    operator of the till `shortcode`, out of whose account it is paid.
    """

    shortcode: str
    transaction_type: str
    amount_cents: int
    party_b: str
    msisdn: str
    callback_url: str
    account_reference: str
    standing: StandingTerms | None = None
    till: TillRequest | None = None

    @property
    def is_payment(self) -> bool:
        """Whether it is the ordinary kind: the phone pays the shop."""
        return self.standing is None and self.till is None


@dataclass(frozen=True, slots=True)
class HandPayment:
    """What a person pays of their own accord; `account` is empty where they pay a till."""

    msisdn: str
    shortcode: str
    amount_cents: int
    account: str

    @property
    def transaction_type(self) -> str:
        return "Pay Bill" if self.account else "Buy Goods"


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Money that really moved between a phone and a shop: in by `MOVEMENTS_IN`, else out.

    Only a prompt's has a CheckoutRequestID, only a movement in or between shops an account
    reference (empty where a till was paid), and only a reversal an `original_receipt`.
    `charge_cents` is what M-Pesa took from the shop beside the amount. Between shops, `msisdn` is
    empty and `payee` the one that was paid, to its Utility account where `to_utility` says so.
    """

    kind: Movement
    receipt: str
    msisdn: str
    shortcode: str
    amount_cents: int
    moved_at: datetime
    originator_conversation_id: str
    conversation_id: str
    checkout_request_id: str | None = None
    account_reference: str | None = None
    original_receipt: str | None = None
    charge_cents: int = 0
    payee: str | None = None
    to_utility: bool = False


@dataclass(slots=True)
class Prompt:
    """One STK prompt. `result_code` is None while it is open.

    `ended_at` is when it left the phone's screen. `callbacks_answered` counts those that the shop
    acknowledged with 2xx.
    """

    push: PushRequest
    plan: Plan
    merchant_request_id: str
    checkout_request_id: str
    business_name: str
    opened_at: datetime
    #: The simulated second in which it runs out.
    deadline: float
    pace: Pace
    status: PromptStatus = "open"
    pin_attempts_left: int = PIN_ATTEMPTS
    result_code: str | None = None
    payment: LedgerEntry | None = None
    ended_at: datetime | None = None
    callbacks_sent: int = 0
    callbacks_answered: int = 0

    @property
    def expires_at(self) -> datetime:
        """When it runs out, or would have, at the speed of now."""
        return self.pace.at(self.deadline)

    @property
    def seconds_left(self) -> int:
        """Whole simulated seconds until it runs out; 0 once it has ended."""
        if self.status != "open":
            return 0
        return max(0, math.ceil(self.deadline - self.pace.now()))

    @property
    def question(self) -> str:
        push, amount = self.push, ksh_short(self.push.amount_cents)
        account = f"account no. {push.account_reference}? Enter M-PESA PIN:"
        if push.standing is not None:
            often = f"{push.standing.how_often} from now on"
            return f"Do you want to pay {amount} {often} to {self.business_name} {account}"
        if push.till is not None:
            payer = f"from till {push.shortcode} to {push.till.vendor}"
            return f"Do you want to pay {amount} {payer} {account}"
        return f"Do you want to pay {amount} to {self.business_name} {account}"


@dataclass(slots=True)
class Phone:
    msisdn: str
    name: str
    balance_cents: int = OPENING_BALANCE_CENTS
    open_prompt: Prompt | None = None
    prompts: deque[Prompt] = field(default_factory=lambda: deque(maxlen=MOST_PROMPTS_SHOWN))
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MOST_MESSAGES))
