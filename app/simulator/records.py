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
Movement = Literal["stk", "c2b", "b2c", "reversal"]
#: Money from phones to shops: asked for by a prompt, or paid by hand.
MOVEMENTS_IN: Final[frozenset[Movement]] = frozenset({"stk", "c2b"})

OPENING_BALANCE_CENTS: Final = 50_000_00
PIN_ATTEMPTS: Final = 3
MOST_PROMPTS_SHOWN: Final = 50
MOST_MESSAGES: Final = 1_000


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A push whose fields have been checked; `amount_cents` is whole shillings."""

    shortcode: str
    transaction_type: str
    amount_cents: int
    party_b: str
    msisdn: str
    callback_url: str
    account_reference: str


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

    Only a prompt's has a CheckoutRequestID, only a movement in an account reference (empty where
    a till was paid), and only a reversal an `original_receipt`. `charge_cents` is what M-Pesa
    took from the shop beside the amount.
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
        return (
            f"Do you want to pay {ksh_short(self.push.amount_cents)} to {self.business_name} "
            f"account no. {self.push.account_reference}? Enter M-PESA PIN:"
        )


@dataclass(slots=True)
class Phone:
    msisdn: str
    name: str
    balance_cents: int = OPENING_BALANCE_CENTS
    open_prompt: Prompt | None = None
    prompts: deque[Prompt] = field(default_factory=lambda: deque(maxlen=MOST_PROMPTS_SHOWN))
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MOST_MESSAGES))
