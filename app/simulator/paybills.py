"""People who pay of their own accord: asked of the shop, moved, and told to it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from app.simulator import sms
from app.simulator.bills import Bills
from app.simulator.c2b_letters import (
    bill_payment,
    confirmation,
    names_of,
    transfer_confirmation,
    validation,
)
from app.simulator.c2b_rules import C2bRules, Registration
from app.simulator.clock import utc_now
from app.simulator.courier import Letter
from app.simulator.identifiers import Identifiers
from app.simulator.plans import Plan
from app.simulator.questions import SILENCE, Verdict, ask
from app.simulator.records import HandPayment, LedgerEntry, Message, Prompt
from app.simulator.switches import Switches
from app.simulator.traffic import Traffic
from app.simulator.world import MOST_PER_TRANSACTION_CENTS, SystemBusy, World

#: Payments that are under way at once.
MOST_UNDER_WAY: Final = 64

#: Schedules a letter by the plan of its payment; called under the world's lock.
Post = Callable[[Letter, Plan], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a payment by hand ended. `code` is "0", or why not: M-Pesa's code, or the shop's."""

    status: Literal["completed", "rejected", "failed"]
    code: str
    text: str
    entry: LedgerEntry | None = None


class Paybills:
    """Payments by hand. `_under_way` holds their receipts, under the world's lock."""

    def __init__(
        self,
        *,
        world: World,
        rules: C2bRules,
        switches: Callable[[], Switches],
        bills: Bills,
        identifiers: Identifiers,
        traffic: Traffic,
        business_name: str,
        validation_seconds: float,
        post: Post,
        has_room: Callable[[], bool],
    ) -> None:
        self._world = world
        self._rules = rules
        self._switches = switches
        self._bills = bills
        self._identifiers = identifiers
        self._traffic = traffic
        self._business_name = business_name
        self._validation_seconds = validation_seconds
        self._post = post
        self._has_room = has_room
        self._under_way: set[str] = set()

    def under_way(self) -> int:
        with self._world.lock:
            return len(self._under_way)

    def clear(self) -> None:
        with self._world.lock:
            self._under_way.clear()

    def pay(self, payment: HandPayment, plan: Plan) -> Ended:
        """Carry a payment out here and now; may wait for the shop. Raises SystemBusy."""
        receipt, at = self._begin(payment)
        return self._carry_out(payment, plan, receipt, at)

    def pay_soon(self, payment: HandPayment, plan: Plan) -> None:
        """Carry a payment out on a thread of its own; raises SystemBusy."""
        receipt, at = self._begin(payment)
        arguments = (payment, plan, receipt, at)
        threading.Thread(target=self._carry_out, args=arguments, daemon=True).start()

    def confirm_prompt(self, prompt: Prompt) -> None:
        """Tell of a payment by prompt as well, where that is switched on.

        One production log has an STK payment arriving as a C2B confirmation, under its receipt.
        """
        entry = prompt.payment
        if entry is None:
            return
        if entry.kind == "b2b":
            self.confirm_transfer(entry)
            return
        self._tell_biller(entry)
        registered = self._rules.of(entry.shortcode)
        if registered is not None and self._switches().stk_confirmations:
            self._post(self._confirmation(registered, entry), Plan())

    def confirm_transfer(self, entry: LedgerEntry) -> None:
        """Tell a shop that another shop has paid it; called under the world's lock."""
        registered = self._rules.of(entry.payee or "")
        if registered is not None and not entry.to_utility:
            balance = self._world.organisations.seen(registered.shortcode).working_cents
            self._post(transfer_confirmation(registered, entry, balance), Plan())

    def _tell_biller(self, entry: LedgerEntry) -> None:
        account = entry.account_reference or ""
        biller = self._bills.paid(entry.shortcode, account, entry.amount_cents)
        if biller is not None:
            self._post(bill_payment(biller, entry), Plan())

    def _begin(self, payment: HandPayment) -> tuple[str, datetime]:
        with self._world.lock:
            if len(self._under_way) >= MOST_UNDER_WAY or not self._has_room():
                raise SystemBusy
            self._world.kept_phone(payment.msisdn)
            now = utc_now()
            receipt = self._identifiers.receipt(now)
            self._under_way.add(receipt)
            return receipt, now

    def _carry_out(self, payment: HandPayment, plan: Plan, receipt: str, at: datetime) -> Ended:
        try:
            code = self._impossible(payment)
            if code is not None:
                return self._refused(payment, receipt, "failed", code)
            registered = self._rules.of(payment.shortcode)
            verdict = self._asked(registered, payment, receipt, at)
            if verdict.code is None and registered and registered.response_type == "Cancelled":
                return self._refused(payment, receipt, "rejected", "C2B00016")
            if verdict.code is not None and verdict.code != "0":
                return self._refused(payment, receipt, "rejected", verdict.code)
            return self._moved(payment, plan, receipt, verdict, registered)
        finally:
            with self._world.lock:
                self._under_way.discard(receipt)

    def _asked(
        self, registered: Registration | None, payment: HandPayment, receipt: str, at: datetime
    ) -> Verdict:
        if registered is None or self._switches().no_validation:
            return Verdict("0")
        letter = validation(registered, payment, receipt, at, self._names(payment.msisdn))
        return ask(letter, self._traffic, self._validation_seconds)

    def _impossible(self, payment: HandPayment) -> str | None:
        if payment.amount_cents > MOST_PER_TRANSACTION_CENTS:
            return "3"
        short = self._world.phone(payment.msisdn).balance_cents < payment.amount_cents
        return "1" if short else None

    def _moved(
        self,
        payment: HandPayment,
        plan: Plan,
        receipt: str,
        verdict: Verdict,
        registered: Registration | None,
    ) -> Ended:
        with self._world.lock:
            # Another payment may have emptied the phone, or a reset the world, in the meantime.
            if receipt not in self._under_way:
                return Ended("failed", "1019", "The world began anew.")
            if (code := self._impossible(payment)) is not None:
                return self._refused(payment, receipt, "failed", code)
            entry = self._entry(payment, receipt)
            phone = self._world.kept_phone(payment.msisdn)
            phone.balance_cents -= entry.amount_cents
            shop = self._world.organisations.kept(entry.shortcode)
            shop.collect(entry.amount_cents, entry.charge_cents)
            self._world.record(entry)
            text = sms.paid_by_hand(entry, self._business_name, phone.balance_cents)
            phone.messages.append(Message(text, entry.moved_at))
            self._tell_biller(entry)
            if registered is not None:
                self._post(self._confirmation(registered, entry, verdict, plan), plan)
            return Ended("completed", "0", text, entry)

    def _confirmation(
        self,
        registered: Registration,
        entry: LedgerEntry,
        verdict: Verdict = SILENCE,
        plan: Plan | None = None,
    ) -> Letter:
        return confirmation(
            registered,
            entry,
            self._world.organisations.seen(entry.shortcode).working_cents,
            self._names(entry.msisdn),
            own_id=verdict.own_id,
            extra_shillings=plan.callback_extra_shillings if plan else 0,
        )

    def _entry(self, payment: HandPayment, receipt: str) -> LedgerEntry:
        now = utc_now()
        return LedgerEntry(
            kind="c2b",
            receipt=receipt,
            msisdn=payment.msisdn,
            shortcode=payment.shortcode,
            amount_cents=payment.amount_cents,
            moved_at=now,
            originator_conversation_id=self._identifiers.request_id(),
            conversation_id=self._identifiers.conversation_id(now),
            account_reference=payment.account,
            charge_cents=self._world.organisations.seen(payment.shortcode).paybill_charge_cents,
        )

    def _refused(
        self, payment: HandPayment, receipt: str, status: Literal["rejected", "failed"], code: str
    ) -> Ended:
        with self._world.lock:
            balance = self._world.phone(payment.msisdn).balance_cents
            text = sms.refused_by_hand(payment, self._business_name, balance, code)
            if receipt in self._under_way:
                phone = self._world.kept_phone(payment.msisdn)
                phone.messages.append(Message(text, utc_now()))
        return Ended(status, code, text)

    def _names(self, msisdn: str) -> dict[str, str]:
        name = self._world.phone(msisdn).name
        return names_of(name, all_of_them=self._switches().all_names)
