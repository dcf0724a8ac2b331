"""The world inside: phones and their owners, prompts, shops, and the money that moved.

Locking: everything here is read and changed under `World.lock`, which is held for no input or
output. `World` knows no threads and no network; it calls `on_end` (under its lock) when a prompt
ends, and whoever listens only schedules.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from app.mpesa.result_codes import Outcome, stk_result
from app.simulator import sms
from app.simulator.clock import utc_now
from app.simulator.identifiers import Identifiers
from app.simulator.limits import limit_reached
from app.simulator.organisations import Organisations
from app.simulator.pace import Pace
from app.simulator.people import name_of
from app.simulator.plans import Plan
from app.simulator.records import (
    MOST_PROMPTS_SHOWN,
    LedgerEntry,
    Message,
    Phone,
    Prompt,
    PromptStatus,
    PushRequest,
)
from app.simulator.standing_orders import NAME_TAKEN, StandingOrders

# Safaricom's documented maximum for one transaction.
MOST_PER_TRANSACTION_CENTS: Final = 250_000_00
LONGEST_PROMPT_CHARACTERS: Final = 182
PIN: Final = "1234"

MOST_PHONES: Final = 10_000
MOST_PHONES_SHOWN: Final = 24
MOST_PROMPTS: Final = 10_000
MOST_LEDGER_ENTRIES: Final = 100_000

_STATUS_AFTER: Final[dict[Outcome, PromptStatus]] = {
    "paid": "paid",
    "cancelled": "cancelled",
    "timed_out": "timed_out",
    "declined": "failed",
}


class SubscriberLocked(Exception):
    """This phone already shows a prompt."""


class SystemBusy(Exception):
    """More prompts are open than this simulator keeps."""


class PromptClosed(Exception):
    """The prompt has ended; no PIN and no cancellation reaches it any more."""


class World:
    """Phones come into being when they are first prompted."""

    def __init__(
        self,
        *,
        identifiers: Identifiers,
        seed: int,
        business_name: str,
        prompt_seconds: float,
        utility_float_cents: int,
        on_end: Callable[[Prompt], None],
        pace: Pace | None = None,
    ) -> None:
        self.lock = threading.RLock()
        #: Whether the documented limits of payers hold.
        self.has_limits = False
        self._identifiers = identifiers
        self._seed = seed
        self._business_name = business_name
        self._prompt_seconds = prompt_seconds
        self._on_end = on_end
        self._pace = pace or Pace()
        self._phones: OrderedDict[str, Phone] = OrderedDict()
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()
        self.organisations = Organisations(utility_float_cents)
        self.standing_orders = StandingOrders()
        self._ledger: deque[LedgerEntry] = deque(maxlen=MOST_LEDGER_ENTRIES)

    def phone(self, msisdn: str) -> Phone:
        """The phone as it is; one that was never prompted is made up and not kept."""
        with self.lock:
            return self._phones.get(msisdn) or Phone(msisdn, name_of(msisdn, self._seed))

    def recent_phones(self) -> list[Phone]:
        """Phones that were used, the one used last first; at most `MOST_PHONES_SHOWN`."""
        with self.lock:
            return list(islice(reversed(self._phones.values()), MOST_PHONES_SHOWN))

    def prompt(self, checkout_request_id: str) -> Prompt | None:
        with self.lock:
            return self._prompts.get(checkout_request_id)

    def open_prompts(self) -> list[Prompt]:
        """Prompts that wait for an answer, newest first; at most `MOST_PROMPTS_SHOWN`."""
        with self.lock:
            waiting = (p for p in reversed(self._prompts.values()) if p.status == "open")
            return list(islice(waiting, MOST_PROMPTS_SHOWN))

    def prompts(self) -> list[Prompt]:
        """Every prompt that is kept, oldest first."""
        with self.lock:
            return list(self._prompts.values())

    def ledger(self) -> list[LedgerEntry]:
        with self.lock:
            return list(self._ledger)

    def organisation_balances(self) -> dict[str, int]:
        """Shortcode to cents received since the world began."""
        with self.lock:
            return self.organisations.received()

    def is_locked(self, msisdn: str) -> bool:
        with self.lock:
            return self.phone(msisdn).open_prompt is not None

    def kept_phone(self, msisdn: str) -> Phone:
        """The phone, to be changed; raises SystemBusy when every phone is in use."""
        with self.lock:
            phone = self._phones.get(msisdn)
            if phone is None:
                if len(self._phones) >= MOST_PHONES:
                    self._forget_oldest_idle_phone()
                phone = self._phones[msisdn] = self.phone(msisdn)
            self._phones.move_to_end(msisdn)
            return phone

    def record(self, entry: LedgerEntry) -> None:
        """Write down money that has moved."""
        with self.lock:
            self._ledger.append(entry)

    def pay_shop(self, entry: LedgerEntry) -> LedgerEntry:
        """Move money from the Working account of one shop to another shop, and write it down."""
        with self.lock:
            self.organisations.kept(entry.shortcode).working_cents -= entry.amount_cents
            payee = self.organisations.kept(entry.payee or entry.shortcode)
            if entry.to_utility:
                payee.utility_cents += entry.amount_cents
            else:
                payee.working_cents += entry.amount_cents
            self.record(entry)
            return entry

    def open_prompt(self, push: PushRequest, plan: Plan) -> Prompt:
        """Show a prompt, or end it at once when M-Pesa would never show it.

        Raises SubscriberLocked and SystemBusy.
        """
        with self.lock:
            phone = self.kept_phone(push.msisdn)
            if phone.open_prompt is not None:
                raise SubscriberLocked
            self._make_room_for_a_prompt()
            prompt = self._new_prompt(push, plan)
            self._prompts[prompt.checkout_request_id] = prompt
            phone.prompts.append(prompt)
            phone.open_prompt = prompt
            ended = plan.result_code or self._refusal(prompt)
            if ended is None and plan.early_callback:
                ended = "0"
            if ended is not None:
                self._end(prompt, ended)
            return prompt

    def enter_pin(self, prompt: Prompt, pin: str) -> None:
        """Pay, fail for want of money, or count a wrong PIN; raises PromptClosed."""
        with self.lock:
            self._must_be_open(prompt)
            if pin == PIN:
                self._end(prompt, "0")
                return
            prompt.pin_attempts_left -= 1
            if prompt.pin_attempts_left == 0:
                self._end(prompt, "2001")

    def cancel(self, prompt: Prompt) -> None:
        """The payer says no; raises PromptClosed."""
        with self.lock:
            self._must_be_open(prompt)
            self._end(prompt, "1032")

    def approve(self, prompt: Prompt) -> None:
        """What the test number does by itself; nothing when the prompt has ended meanwhile."""
        with self.lock:
            if self._is(prompt, "open"):
                self._end(prompt, "0")

    def time_out(self, prompt: Prompt) -> None:
        """Silence until the end; nothing when the prompt has ended meanwhile."""
        with self.lock:
            if self._is(prompt, "open"):
                self._end(prompt, "1037")

    def succeed_late(self, prompt: Prompt) -> None:
        """A PIN that was under way when the prompt timed out arrives after all."""
        with self.lock:
            if self._is(prompt, "timed_out"):
                self._end(prompt, "0")

    def count_callback(self, checkout_request_id: str, answered: bool) -> None:
        """Note that a callback was posted, and whether the shop acknowledged it."""
        with self.lock:
            prompt = self._prompts.get(checkout_request_id)
            if prompt is not None:
                prompt.callbacks_sent += 1
                prompt.callbacks_answered += answered

    def reset(self, seed: int) -> None:
        """Begin anew, with the owners of phones that go with this seed."""
        with self.lock:
            self._seed = seed
            self._phones.clear()
            self._prompts.clear()
            self.organisations.clear()
            self.standing_orders.clear()
            self._ledger.clear()

    def _new_prompt(self, push: PushRequest, plan: Plan) -> Prompt:
        now = utc_now()
        return Prompt(
            push=push,
            plan=plan,
            merchant_request_id=self._identifiers.request_id(),
            checkout_request_id=self._identifiers.checkout_request_id(now, push.msisdn),
            business_name=self._business_name,
            opened_at=now,
            deadline=self._pace.now() + self._prompt_seconds,
            pace=self._pace,
        )

    def _refusal(self, prompt: Prompt) -> str | None:
        """Why M-Pesa would end this push without asking the payer (documented codes)."""
        push = prompt.push
        if push.standing is not None and self.standing_orders.has(push.msisdn, push.standing.name):
            return NAME_TAKEN
        if push.amount_cents > MOST_PER_TRANSACTION_CENTS:
            return "3"
        if push.transaction_type == "CustomerPayBillOnline" and push.party_b != push.shortcode:
            return "2028"
        if len(prompt.question) > LONGEST_PROMPT_CHARACTERS:
            return "1025"
        if self.has_limits and push.is_payment:
            return limit_reached(reversed(self._ledger), push, utc_now())
        return None

    def _end(self, prompt: Prompt, code: str) -> None:
        phone = self.kept_phone(prompt.push.msisdn)
        if code == "0":
            code = self._carry_out(prompt, phone)
        prompt.result_code = code
        prompt.ended_at = prompt.ended_at or utc_now()
        prompt.status = _STATUS_AFTER[stk_result(code).outcome]
        if phone.open_prompt is prompt:
            phone.open_prompt = None
        text = sms.about(prompt, phone.balance_cents)
        if text is not None:
            phone.messages.append(Message(text, utc_now()))
        self._on_end(prompt)

    def _carry_out(self, prompt: Prompt, phone: Phone) -> str:
        """Do what the owner of the phone agreed to; the code with which that ends."""
        push = prompt.push
        if push.standing is not None:
            return self.standing_orders.open(push, push.standing)
        if push.till is not None:
            return self._pay_from_till(prompt)
        if phone.balance_cents < push.amount_cents:
            return "1"
        self._move_money(prompt, phone)
        return "0"

    def _pay_from_till(self, prompt: Prompt) -> str:
        push, now = prompt.push, utc_now()
        if self.organisations.seen(push.shortcode).working_cents < push.amount_cents:
            return "1"
        prompt.payment = self.pay_shop(
            LedgerEntry(
                kind="b2b",
                receipt=self._identifiers.receipt(now),
                msisdn="",
                shortcode=push.shortcode,
                amount_cents=push.amount_cents,
                moved_at=now,
                originator_conversation_id=self._identifiers.request_id(),
                conversation_id=self._identifiers.conversation_id(now),
                account_reference=push.account_reference,
                payee=push.party_b,
            )
        )
        return "0"

    def _move_money(self, prompt: Prompt, phone: Phone) -> None:
        push, now = prompt.push, utc_now()
        entry = LedgerEntry(
            kind="stk",
            receipt=self._identifiers.receipt(now),
            msisdn=push.msisdn,
            shortcode=push.party_b,
            amount_cents=push.amount_cents,
            moved_at=now,
            originator_conversation_id=self._identifiers.request_id(),
            conversation_id=self._identifiers.conversation_id(now),
            checkout_request_id=prompt.checkout_request_id,
            account_reference=push.account_reference,
            charge_cents=self.organisations.seen(push.party_b).paybill_charge_cents,
        )
        phone.balance_cents -= entry.amount_cents
        self.organisations.kept(entry.shortcode).collect(entry.amount_cents, entry.charge_cents)
        self.record(entry)
        prompt.payment = entry

    def _must_be_open(self, prompt: Prompt) -> None:
        if not self._is(prompt, "open"):
            raise PromptClosed

    def _is(self, prompt: Prompt, status: PromptStatus) -> bool:
        # A prompt of the world before a reset is nothing any more, whatever its status says.
        return prompt.status == status and prompt.checkout_request_id in self._prompts

    def _forget_oldest_idle_phone(self) -> None:
        for msisdn, phone in self._phones.items():
            if phone.open_prompt is None:
                del self._phones[msisdn]
                return
        raise SystemBusy

    def _make_room_for_a_prompt(self) -> None:
        if len(self._prompts) < MOST_PROMPTS:
            return
        oldest = next(iter(self._prompts.values()))
        if oldest.status == "open":
            raise SystemBusy
        del self._prompts[oldest.checkout_request_id]
