"""Whatever happens to money going out: it moves once, to the right number, and the books agree.

A machine has payouts and refunds asked for, answered, told of, forged, agreed to, called off, died
over and waited for in any order, beside a bank that knows what really moved.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID

import pytest
import time_machine
from flask_jwt_extended import decode_token
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies._internal.featureflags import FeatureFlags

from app.accounts.models import Person
from app.accounts.tokens import access_token
from app.core.errors import Conflict, LipaError, ValidationError
from app.disbursements import credit_refunds, deciding, engine
from app.disbursements.models import Disbursement
from app.disbursements.states import NOT_PAID, SENT, UNSENT, OutStatus
from app.extensions import db, limiter
from app.ledger.models import Account as Books
from app.mpesa.c2b import C2bNews
from app.payments import provider
from app.payments.evidence import Evidence
from app.payments.paybill.crediting import place
from tests.support.app import Account, Shop
from tests.support.bank import DECLINED, FATES, MOODS, PAID, ROADS, Bank, Request
from tests.support.dying import dying

USUAL_SEED = 20261121
#: Enough for every run of the suite; ``--hypothesis-seed`` with another number looks elsewhere.
EXAMPLES = {"sqlite": 8, "postgresql": 4}
STEPS = 25
BEGIN = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
HOUR = 3600
CALM_ROUNDS = 6
FLOAT_CENTS = 1_200_000
PRICE = 5000
NUMBERS = ("0722000111", "0733000222", "0744000333")
HAND_PAYER = "254712345678"
HAND_MONEY = C2bNews(
    transaction_type="Pay Bill",
    receipt="UKL7HAND01",
    amount_cents=PRICE * 100,
    amount_problem=None,
    account="NOSUCHREF",
    msisdn="2547 ***** 678",
    shortcode="174379",
    first_name="JANE",
)

SEND_DEATHS = (
    "before app.disbursements.sending._claim",
    "after app.disbursements.sending._claim",
    "after app.mpesa.money_out.MoneyOut.pay",
    "after app.mpesa.money_out.MoneyOut.reverse",
    "before app.disbursements.sending._apply",
    "after app.disbursements.sending.record_answer",
)
RESULT_DEATHS = (
    "before app.disbursements.results.ingest",
    "after app.disbursements.results.ingest",
    "before app.disbursements.results.conclude",
    "after app.disbursements.results.conclude",
    "before app.disbursements.results._learn_float",
    "before app.disbursements.results._close",
)
SWEEP_DEATHS = (
    *SEND_DEATHS,
    "before app.disbursements.asking._claim",
    "after app.disbursements.asking._claim",
    "after app.mpesa.money_out.MoneyOut.ask_status",
    "after app.disbursements.funds.ask",
    "after app.disbursements.approvals.lapse",
)
FATE = st.sampled_from(("accepted", "accepted", *FATES))


def seldom(deaths: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.sampled_from((None,) * 3 * len(deaths) + deaths)


class MoneyOutMachine(RuleBasedStateMachine):
    """One shop, two admins, a shopper, two suppliers, M-Pesa, and whoever posts results."""

    shop: ClassVar[Shop]

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis would leave some rules out of every example, and finds less that way.
        self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())
        self.world = ExitStack()
        self.keys = 0

    @initialize(
        version=st.sampled_from(["v3", "v3", "v1"]),
        limit=st.sampled_from([None, 1000, 0]),
        refund_limit=st.sampled_from([None, 1000]),
    )
    def the_shop_opens(self, version: str, limit: int | None, refund_limit: int | None) -> None:
        """With two suppliers, two payments that came in, and money that was paid by hand."""
        self.clock = self.world.enter_context(time_machine.travel(BEGIN, tick=False))
        wait = mock.patch("app.disbursements.engine.RESULT_WAIT_SECONDS", 0.0)
        self.world.enter_context(wait)
        self.shop.empty()
        self.shop.restore_settings()
        self.shop.set(mpesa_b2c_version=version, payout_approval_above=limit)
        self.shop.set(refund_auto_approve_limit=refund_limit, mpesa_timeout_seconds=20)
        self.people = [self.shop.person(name, admin=True) for name in ("achieng", "kamau")]
        self.people.append(self.shop.person("wanjiku"))
        with self.shop.app.app_context():
            self.claims = {one.id: decode_token(one.access) for one in self.people}
        self.suppliers = [
            self.shop.supplier(self.who(0), f"Supplier {n}", NUMBERS[n]) for n in (0, 1)
        ]
        self.payments = [self.shop.completed(self.who(2), price=PRICE) for _ in range(2)]
        with self.shop.app.app_context():
            self.by_hand = place(HAND_MONEY, Evidence.PROVEN_CALLBACK, "bank", BEGIN).credit_id or 0
        self.bank = Bank(self.shop, FLOAT_CENTS)

    # What happens.

    @rule(
        supplier=st.integers(0, 1),
        amount=st.sampled_from([10, 1000, 5000]),
        fate=FATE,
        again=st.booleans(),
        dies=seldom(SEND_DEATHS),
    )
    def a_payout_is_asked_for(
        self, supplier: int, amount: int, fate: str, again: bool, dies: str | None
    ) -> None:
        """And perhaps, by a program that heard no answer, once more under the same key."""
        self.keys += 1
        key = {"Idempotency-Key": f"payout {self.keys}"}
        with self.dying(fate, dies):
            self.shop.ask_payout(self.who(0), self.suppliers[supplier], amount, **key)
        if again:
            with self.dying(fate, None):
                self.shop.ask_payout(self.who(0), self.suppliers[supplier], amount, **key)

    @rule(
        payment=st.integers(0, 1),
        amount=st.sampled_from([10, 2000, PRICE]),
        who=st.integers(0, 2),
        fate=FATE,
        dies=seldom(SEND_DEATHS),
    )
    def a_refund_is_asked_for(
        self, payment: int, amount: int, who: int, fate: str, dies: str | None
    ) -> None:
        with self.dying(fate, dies):
            answer = self.shop.ask_refund(self.who(who), self.payments[payment], amount)
            assert answer.status_code in (200, 202, 409, 502), answer.text

    @rule(
        shillings=st.sampled_from([10, 2000, PRICE]),
        who=st.integers(0, 1),
        payer=st.sampled_from(["", HAND_PAYER]),
        fate=FATE,
        dies=seldom(SEND_DEATHS),
    )
    def what_was_paid_by_hand_is_asked_back(
        self, shillings: int, who: int, payer: str, fate: str, dies: str | None
    ) -> None:
        with self.dying(fate, dies), self.shop.app.app_context():
            person = db.session.get_one(Person, self.people[who].id)
            try:
                cents = shillings * 100
                asked = credit_refunds.ask(self.by_hand, person, cents, "By hand", payer)
            except (Conflict, ValidationError):
                return
            engine.send_now(asked)

    @rule(
        which=st.integers(0, 5),
        end=st.sampled_from([PAID, PAID, DECLINED]),
        road=st.sampled_from(ROADS),
        dies=seldom(RESULT_DEATHS),
    )
    def m_pesa_acts(self, which: int, end: str, road: str, dies: str | None) -> None:
        """What waits comes to an end, and the shop hears of it or does not."""
        if request := self.request(which):
            self.bank.finish(request, end)
            with self.dying("accepted", dies):
                self.bank.tell(request, road)

    @rule(which=st.integers(0, 5), road=st.sampled_from(ROADS))
    def it_is_told_again(self, which: int, road: str) -> None:
        if request := self.request(which):
            self.bank.tell(request, road)

    @rule(which=st.integers(0, 5), road=st.sampled_from(["token", "origin", "none"]))
    def somebody_lies(self, which: int, road: str) -> None:
        """Nothing moves by it: with both proofs nobody lies."""
        before = [record.status for record in self.shop.outs()]
        if request := self.request(which):
            self.bank.tell(request, road, lies=True)
        assert [record.status for record in self.shop.outs()] == before

    @rule(
        which=st.integers(0, 3),
        who=st.integers(0, 1),
        verb=st.sampled_from(["approve", "approve", "cancel"]),
    )
    def an_admin_decides(self, which: int, who: int, verb: str) -> None:
        waiting = [record for record in self.shop.outs() if record.status in UNSENT]
        if waiting:
            record = waiting[which % len(waiting)]
            answer = self.shop.decide(self.who(who), record, verb)
            assert answer.status_code in (200, 202, 403, 404, 409, 502), answer.text
            maker = self.people[who].id == record.asked_by
            assert not (verb == "approve" and maker and answer.status_code < 300)

    @rule(supplier=st.integers(0, 1), number=st.sampled_from(NUMBERS), who=st.integers(0, 1))
    def a_number_changes(self, supplier: int, number: str, who: int) -> None:
        self.clock.shift(1)
        path = f"/api/payments/supplier/{self.suppliers[supplier]['id']}/update-mpesa"
        body = {"mpesa_number": number, "reason": "a new line"}
        answer = self.shop.client().put(path, json=body, headers=self.who(who).headers)
        assert answer.status_code == 200, answer.text

    @rule(
        seconds=st.sampled_from([16, 35, 35, 130, 310, 2 * HOUR, 25 * HOUR]),
        fate=FATE,
        mood=st.sampled_from(("truth", "truth", *MOODS)),
        dies=seldom(SWEEP_DEATHS),
    )
    def time_passes(self, seconds: int, fate: str, mood: str, dies: str | None) -> None:
        self.bank.mood = mood
        self.pass_time(seconds, fate, dies)

    @rule(which=st.integers(0, 3))
    def a_person_finds_out(self, which: int) -> None:
        """By a look at the statement, which has what has ended."""
        silent = [one for one in self.shop.outs() if one.status in SENT]
        if silent:
            self.declare(silent[which % len(silent)])

    # What must be true.

    @invariant()
    def money_moves_once_and_the_books_know_it(self) -> None:
        if not hasattr(self, "bank"):
            return
        assert self.shop.violations() == []
        for record in self.shop.outs():
            requests = self.bank.of(record.token)
            assert len(requests) <= 1, f"{record.public_ref} was sent twice: {requests}"
            for request in requests:
                assert request.cents == record.amount_cents
                assert request.msisdn in (record.msisdn, None)
                assert record.msisdn in (HAND_PAYER, "") or record.credit_id is None
            is_paid = [request.end for request in requests] == [PAID]
            if record.status == OutStatus.COMPLETED:
                assert is_paid, f"{record.public_ref} is called paid"
            if record.status in NOT_PAID:
                assert not is_paid, f"{record.public_ref} is called {record.status}"
        assert self.bank.float_cents >= 0
        assert self.shop.daraja.problems == []

    def teardown(self) -> None:
        try:
            # A step that failed has said what is wrong; what follows from it says nothing.
            if sys.exc_info()[0] is None and hasattr(self, "bank"):
                self.all_evidence_comes_in()
                self.money_moves_once_and_the_books_know_it()
                self.the_books_agree_with_what_moved()
        finally:
            self.world.close()

    def all_evidence_comes_in(self) -> None:
        """Let everything end, the float be filled up, and people look at what is left."""
        self.bank.mood = "truth"
        for request in self.bank.requests:
            self.bank.finish(request, DECLINED)
        self.bank.float_cents += 10_000_000
        for _ in range(CALM_ROUNDS):
            self.pass_time(2 * HOUR, "accepted", None)
            for request in self.bank.requests:
                self.bank.finish(request, PAID)
        for record in self.shop.outs():
            if record.status in SENT:
                assert record.needs_review, "what has no end stands before a person"
                self.declare(record)

    def the_books_agree_with_what_moved(self) -> None:
        records = self.shop.outs()
        waiting = {OutStatus.AWAITING_APPROVAL, OutStatus.COMPLETED, *NOT_PAID}
        assert {record.status for record in records} <= waiting
        booked = self.shop.balances()
        assert booked.get(Books.IN_TRANSIT, 0) == 0
        came = 3 * PRICE * 100
        assert booked.get(Books.MPESA, 0) == came - self.bank.moved_cents
        assert sum(booked.values()) == 0

    # How it is done.

    def request(self, which: int) -> Request | None:
        known = self.bank.requests
        return known[-1 - which % len(known)] if known else None

    def who(self, number: int) -> Account:
        """Return somebody with a token of this moment, wherever the clock stands."""
        person = self.people[number]
        claims = self.claims[person.id]
        with self.shop.app.app_context():
            token = access_token(UUID(claims["sid"]), UUID(claims["sub"]))
        return replace(person, access=token)

    def pass_time(self, seconds: int, fate: str, dies: str | None) -> None:
        """Let the clock jump and the background do its round, once more if it died in it."""
        self.clock.shift(seconds)
        with self.dying(fate, dies) as death:
            self.shop.sweep_out()
        if death:
            with self.dying(fate, None):
                self.shop.sweep_out()
        self.bank.answer_questions()
        self.shop.announce()

    def declare(self, record: Disbursement) -> None:
        """Have an admin say what the statement says; nothing while it says nothing."""
        requests = self.bank.of(record.token)
        if any(request.end is None for request in requests):
            return
        paid = [request for request in requests if request.end == PAID]
        with self.shop.app.app_context():
            found = db.session.get_one(Disbursement, record.id)
            admin = db.session.get_one(Person, self.people[0].id)
            try:
                if paid:
                    deciding.declare_paid(found, admin, paid[0].receipt, "the statement has it")
                else:
                    deciding.declare_not_paid(found, admin, "the statement does not have it")
            except LipaError as error:
                raise AssertionError(f"{record.public_ref}: {error}") from error

    def dying(self, fate: str, moment: str | None) -> AbstractContextManager[list[str]]:
        """Let requests have this fate, and the process die at this moment if it comes."""
        self.bank.fate = fate
        self.clock.shift(1)
        return dying(moment, self.restart)

    def restart(self) -> None:
        """Forget what a process keeps in its memory."""
        self.shop.app.extensions["lipa_daraja"][0].close()
        provider.prepare(self.shop.app)
        with self.shop.app.app_context():
            limiter.reset()


@pytest.fixture
def machine(shop: Shop) -> type[MoneyOutMachine]:
    class OnThisShop(MoneyOutMachine):
        pass

    OnThisShop.shop = shop
    return OnThisShop


def test_money_moves_once_and_the_books_agree_whatever_happens(
    machine: type[MoneyOutMachine], request: pytest.FixtureRequest
) -> None:
    """I7, I9, A5, D4 to D7."""
    chosen: Any = request.config.getoption("--hypothesis-seed")
    number = USUAL_SEED if chosen is None else int(chosen)
    with machine.shop.app.app_context():
        examples = EXAMPLES[db.engine.dialect.name]
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            # So few steps read well as they are, and to shorten them takes minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
