"""Prompts and payments by hand in any order: the books come to agree with what really moved."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from app.core.clock import now, steadiness
from tests.support.app import STRANGER, Account, Shop
from tests.support.daraja import ended, paid, still_processing, unpaid
from tests.support.paybill import Paybill, masked, news

THOROUGH = os.environ.get("LIPA_THOROUGH") == "1"
EXAMPLES, STEPS = (60, 30) if THOROUGH else (3, 12)
PROMPTED, OTHER = "254712345678", "254722000999"
TOTAL = 1500


class Till(RuleBasedStateMachine):
    """One order, prompted and paid into, beside a ledger of what really moved."""

    shop: ClassVar[Shop]

    @initialize()
    def open(self) -> None:
        self.shop.empty()
        self.shopper: Account = self.shop.person("wanjiku")
        self.paybill = Paybill(self.shop)
        self.paybill.register()
        self.order = self.shop.order(self.shopper, self.shop.product(price=TOTAL))
        #: What really moved, in shillings, by receipt.
        self.moved: dict[str, int] = {}
        #: Every prompt, by its CheckoutRequestID: its attempt, its end, and its receipt.
        self.prompts: dict[str, dict[str, Any]] = {}
        #: News of payments by hand that Safaricom tells at last.
        self.untold: list[dict[str, str]] = []
        self.clock = time_machine.travel(now(), tick=True)
        self.traveller = self.clock.start()
        steadiness.forget()

    def teardown(self) -> None:
        if not hasattr(self, "clock"):
            return
        try:
            self.settle_down()
        finally:
            self.clock.stop()
            steadiness.forget()
            self.paybill.close()

    def receipt(self) -> str:
        return f"UKL7{len(self.moved) + 1:06d}"

    # What people do.

    @rule()
    def prompt(self) -> None:
        self.shop.pay(self.shopper, self.order)
        payment = self.shop.payments(self.order)
        if payment and payment[-1].checkout_request_id not in self.prompts:
            name = payment[-1].checkout_request_id or ""
            self.prompts[name] = {"end": None, "payment": payment[-1]}

    @rule(pays=st.booleans())
    def end_prompt(self, pays: bool) -> None:
        prompt = next((each for each in self.prompts.values() if each["end"] is None), None)
        if prompt is None:
            return
        prompt["end"] = "paid" if pays else "cancelled"
        if pays:
            prompt["receipt"] = self.receipt()
            self.moved[prompt["receipt"]] = prompt["payment"].amount_cents // 100

    @rule(
        amount=st.sampled_from([TOTAL, TOTAL, 500, 1000, 2000]),
        payer=st.sampled_from([PROMPTED, OTHER]),
        known=st.booleans(),
        told=st.sampled_from(["both", "both", "token", "late"]),
    )
    def pay_by_hand(self, amount: int, payer: str, known: bool, told: str) -> None:
        if len(self.moved) > 5:
            return
        receipt = self.receipt()
        self.moved[receipt] = amount
        account = self.order["reference"] if known else "NOBODY"
        body = news(account, amount, receipt, MSISDN=masked(payer))
        if told == "token":
            self.paybill.post(body, peer=STRANGER)
        if told == "both":
            self.paybill.post(body)
        else:
            self.untold.append(body)

    # How it is told.

    @rule(which=st.integers(0, 5), road=st.sampled_from(["callback", "c2b", "both"]))
    def tell(self, which: int, road: str) -> None:
        ends = [(name, each) for name, each in self.prompts.items() if each["end"]]
        if ends:
            self._tell(*ends[which % len(ends)], road)

    def _tell(self, name: str, prompt: dict[str, Any], road: str) -> None:
        token, cents = prompt["payment"].callback_token, prompt["payment"].amount_cents
        if prompt["end"] != "paid":
            self.shop.callback(unpaid(name), token=token)
            return
        if road in ("c2b", "both"):
            self.paybill.post(news(self.order["reference"], cents // 100, prompt["receipt"]))
        if road in ("callback", "both"):
            self.shop.callback(paid(name, cents // 100, prompt["receipt"]), token=token)

    @rule(seconds=st.sampled_from([10, 70, 400]))
    def wait(self, seconds: int) -> None:
        self.traveller.shift(seconds)
        steadiness.forget()
        self.sweep()

    def sweep(self) -> None:
        self.shop.daraja.query_answer = self._query
        self.shop.sweep()
        self.paybill.sweep()
        self.shop.announce()

    def _query(self, asked: dict[str, Any]) -> Any:
        prompt = self.prompts.get(asked["CheckoutRequestID"], {"end": None})
        codes = {"paid": ("0", "paid"), "cancelled": ("1032", "Request cancelled by user")}
        return ended(*codes[prompt["end"]])(asked) if prompt["end"] else still_processing(asked)

    def settle_down(self) -> None:
        """Let everything be told, and hold the books against what moved."""
        for prompt in self.prompts.values():
            prompt["end"] = prompt["end"] or "cancelled"
        for name, prompt in self.prompts.items():
            self._tell(name, prompt, "both")
        for body in self.untold:
            self.paybill.post(body)
        for _ in range(4):
            self.traveller.shift(400)
            steadiness.forget()
            self.sweep()
        booked = {credit.receipt: credit.amount_cents // 100 for credit in self.shop.credits()}
        assert booked == self.moved
        assert self.shop.violations() == []
        assert {notice.state for notice in self.paybill.notices()} <= {"done", "asking", "doubted"}


@pytest.mark.parametrize("number", [1, 2])
def test_whatever_road_news_takes_the_books_agree_with_what_moved(shop: Shop, number: int) -> None:
    machine = type("TillHere", (Till,), {"shop": shop})
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(20261121 + number)(machine), settings=chosen)
