"""Whatever happens, in whatever order: the books come to agree with what really moved.

A machine drives the shop through pushes, callbacks, queries, deaths, decisions and jumps of the
clock, as they come, beside a ledger of what Daraja really did. How to replay what it finds stands
in docs/testing.md.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID

import pytest
import time_machine
from flask_jwt_extended import decode_token
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies._internal.featureflags import FeatureFlags
from sqlalchemy import event

from app.accounts.tokens import access_token
from app.core.clock import now
from app.extensions import db, limiter
from app.orders.states import OrderStatus
from app.payments import provider
from tests.support import model
from tests.support.app import SAFARICOM, STRANGER, Account, Shop
from tests.support.model import (
    CANCELLED,
    FATES,
    MOODS,
    PAID,
    TIMED_OUT,
    Books,
    Callback,
    Ledger,
    Prompt,
)

THOROUGH = os.environ.get("LIPA_THOROUGH") == "1"
#: How often the machine is run: enough for every run of the suite, or for a long look.
RUNS = {"sqlite": 120, "postgresql": 20} if THOROUGH else {"sqlite": 1, "postgresql": 1}
#: After ten examples Hypothesis varies what it has, which finds less here than something new.
EXAMPLES = 10
STEPS = 60 if THOROUGH else 50
TEST_SECONDS = 3600 if THOROUGH else 300
#: The suite walks the same roads every time; a long look finds new ones.
USUAL_SEED = 20261121
BEGIN = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
HOUR = 3600
#: How long the shop waits for Daraja where nothing is wrong, however busy the machine is.
PATIENT_SECONDS = 20
MOST_FOREIGN_PROMPTS = 2
#: Fewer than the questions after which the shop leaves a matter to a person.
MOST_OUTAGES = 8
#: After so long everything that can be asked about is due.
LONGEST_PAUSE_SECONDS = HOUR + 60
CALM_ROUNDS = 5

PROOFS = st.sampled_from(["both", "token", "origin", "none"])
WHICH_ORDER = st.integers(0, 1)
FORGOTTEN = "forgotten"
FATE = st.sampled_from(["accepted", "accepted", *FATES])
#: How the prompt ends before its push is answered, and the proofs of the callback that says so.
OVERTAKEN = st.none() | st.tuples(st.sampled_from([PAID, CANCELLED]), PROOFS)
CODES = {"cancelled": CANCELLED, "timed out": TIMED_OUT}
SUCCESSES: dict[str, dict[str, Any]] = {"paid": {}, "paid, no amount": {"amount": "NaN"}}
SAYINGS = (
    "the truth",
    *CODES,
    *SUCCESSES,
    "paid, no details",
    "paid, half of it",
    "paid, half and some cents",
    "paid, more",
    "paid, another's receipt",
)
#: Where a process may die, as it does by a kill: nothing after this moment happens.
PUSH_DEATHS = (
    "before app.mpesa.service.MpesaService.push",
    "after app.mpesa.service.MpesaService.push",
    "before app.payments.inbox.handle_overtakers",
    "after app.payments.initiate.record_answer",
)
CALLBACK_DEATHS = (
    "before app.payments.keeping.ingest",
    "after app.payments.keeping.ingest",
    "before app.payments.inbox.settle",
    "after app.payments.inbox.settle",
    "before app.payments.settle.record_credit",
    "before app.payments.inbox.ask_soon",
    "after app.payments.inbox.ask_soon",
)
SWEEP_DEATHS = (
    "before app.payments.engine._claim",
    "after app.payments.engine._claim",
    "before app.payments.engine._learn",
    "after app.payments.engine.settle",
    "before app.payments.settle.record_credit",
    "before app.payments.engine.go_quiet",
    "before app.payments.inbox.handle",
    "after app.payments.inbox.handle",
    "before app.payments.strays._learn",
    "before app.payments.strays._conclude",
    "after app.payments.engine.expire_order",
)
CLOSED = (OrderStatus.PAID, OrderStatus.EXPIRED)
DECISIONS = (
    "accept",
    "ask_for_rest",
    "set_aside",
    "assign",
    "acknowledge",
    "delivered",
    "more_time",
)


def seldom(deaths: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.sampled_from((None,) * 3 * len(deaths) + deaths)


class Died(BaseException):
    """The process ended here. No error handler of the program may catch this."""


class PaymentMachine(RuleBasedStateMachine):
    """One shop, its shoppers, its admin, Daraja, and whoever posts callbacks."""

    shop: ClassVar[Shop]
    #: What was written since the books were looked at: an empty list needs no look.
    writes: ClassVar[list[str]]

    prompts = Bundle("prompts")
    callbacks = Bundle("callbacks")

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis would leave some rules out of every example, and finds less that way: money
        # needs a prompt, a payer, news and time.
        self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())
        self.world = ExitStack()
        self.writes.clear()
        self.completed: set[int] = set()
        self.outages = 0
        #: The latest that any clock has shown, since it is put back at times.
        self.latest = BEGIN

    @initialize(
        target=prompts,
        query_limit=st.sampled_from([None, "1 per 12 second"]),
        fates=st.tuples(FATE, FATE),
        overtaken_by=st.tuples(OVERTAKEN, OVERTAKEN),
    )
    def the_shop_opens(
        self,
        query_limit: str | None,
        fates: tuple[str, str],
        overtaken_by: tuple[tuple[str, str] | None, tuple[str, str] | None],
    ) -> MultipleResults[Prompt]:
        """With two orders, and a prompt asked for each."""
        self.clock = self.world.enter_context(time_machine.travel(BEGIN, tick=False))
        patience = mock.patch("app.payments.initiate.FOLLOWER_WAIT_SECONDS", 0.0)
        self.world.enter_context(patience)
        self.shop.empty()
        self.shop.set(mpesa_query_limit=query_limit)
        self.ledger = Ledger(self.shop.daraja)
        self.shopper = self.shop.person("wanjiku")
        self.admin = self.shop.person("achieng", admin=True)
        with self.shop.app.app_context():
            self.claims = {
                account.id: decode_token(account.access) for account in (self.shopper, self.admin)
            }
        last_one = self.shop.product(stock=1)
        self.orders = [self.shop.order(self.shopper, one) for one in (last_one, None)]
        for order, fate, sooner in zip(self.orders, fates, overtaken_by, strict=True):
            self.ask_for_prompt(order, fate, sooner)
        return multiple(*self.ledger.prompts)

    # What happens.

    @rule(
        target=prompts,
        order=WHICH_ORDER,
        fate=FATE,
        overtaken_by=OVERTAKEN,
        pressed_twice=st.booleans(),
        dies=seldom(PUSH_DEATHS),
    )
    def a_prompt_is_asked_for(
        self,
        order: int,
        fate: str,
        overtaken_by: tuple[str, str] | None,
        pressed_twice: bool,
        dies: str | None,
    ) -> MultipleResults[Prompt]:
        """For an order, or for a new one in its place when it is closed."""
        if self.books().order_status(self.orders[order]["number"]) in CLOSED:
            self.orders[order] = self.shop.order(self.signed_in(self.shopper))
        known = len(self.ledger.prompts)
        was_live = self.is_live(self.orders[order])
        with self.dying(dies):
            self.ask_for_prompt(self.orders[order], fate, overtaken_by, pressed_twice)
        new = self.ledger.prompts[known:]
        assert len(new) <= (0 if was_live else 1), "one order never has two live prompts"
        return multiple(*new)

    @rule(
        target=callbacks,
        prompt=prompts,
        does=st.sampled_from([PAID] * 3 + [TIMED_OUT] * 2 + [CANCELLED, FORGOTTEN]),
        proofs=PROOFS,
        dies=seldom(CALLBACK_DEATHS),
    )
    def the_payer_acts(
        self, prompt: Prompt, does: str, proofs: str, dies: str | None
    ) -> MultipleResults[Callback]:
        """Daraja says so, or, without any proof, nobody does.

        Money may still move after a prompt has been called timed out. What is forgotten never
        gets an end that a query could hear.
        """
        if does == FORGOTTEN:
            prompt.silent = True
        elif prompt.end is None or (prompt.end == TIMED_OUT and does == PAID):
            prompt.end = does
            if proofs != "none":
                return self.delivered(model.truth(prompt, proofs), dies)
        return multiple()

    @rule(
        target=callbacks,
        prompt=prompts,
        says=st.sampled_from(SAYINGS),
        proofs=PROOFS,
        dies=seldom(CALLBACK_DEATHS),
    )
    def a_callback_comes(
        self, prompt: Prompt, says: str, proofs: str, dies: str | None
    ) -> MultipleResults[Callback]:
        """True or not: what it says is drawn without a look at the ledger."""
        return self.delivered(self.callback(prompt, says, proofs), dies)

    @rule(callback=callbacks, proofs=PROOFS, dies=seldom(CALLBACK_DEATHS))
    def a_callback_comes_again(self, callback: Callback, proofs: str, dies: str | None) -> None:
        """The same body, with the same proofs or others."""
        if not callback.is_forged:
            callback = replace(callback, proofs=proofs)
        self.deliver(callback, dies)

    @precondition(lambda self: self.ledger.foreign_prompts < MOST_FOREIGN_PROMPTS)
    @rule(
        target=callbacks,
        end=st.sampled_from([PAID, TIMED_OUT]),
        proofs=st.sampled_from(["origin", "none"]),
        dies=seldom(CALLBACK_DEATHS),
    )
    def a_callback_of_another_program_comes(
        self, end: str, proofs: str, dies: str | None
    ) -> MultipleResults[Callback]:
        callback = model.success(self.ledger.foreign_prompt(150_000, end), proofs)
        return self.delivered(callback, dies)

    @rule(
        seconds=st.sampled_from([16, 0, 35, 35, 35, 130, 130, 2 * HOUR, -30, -2 * HOUR]),
        mood=st.sampled_from(["truth"] * len(MOODS) + list(MOODS)),
        dies=seldom(SWEEP_DEATHS),
    )
    def time_passes(self, seconds: int, mood: str, dies: str | None) -> None:
        if mood != "truth":
            self.outages += 1
        # No outage lasts for ever: what was asked about in vain too often is a person's business.
        self.ledger.mood = mood if self.outages < MOST_OUTAGES else "truth"
        self.pass_time(seconds, dies)

    @rule(
        which=st.integers(0, 3),
        does=st.sampled_from([0, 1] * 3 + ["check", "cancel", *DECISIONS]),
        order=WHICH_ORDER,
    )
    def somebody_acts(self, which: int, does: int | str, order: int) -> None:
        """A shopper at an order, or an admin who takes a step that a question offers or not."""
        if does in ("check", "cancel"):
            self.shopper_acts(str(does), self.orders[order])
        elif isinstance(does, str):
            self.decide(does, which + 1, self.orders[order])
        elif waiting := [asked for asked in self.shop.questions() if asked.steps]:
            asked = waiting[which % len(waiting)]
            action = asked.steps[does % len(asked.steps)].action
            note(f"{asked.kind}: {action}")
            self.decide(action, asked.subject_id, self.orders[order])

    # What must be true.

    @invariant()
    def the_books_contradict_neither_themselves_nor_the_money(self) -> None:
        if not self.writes:
            return
        self.writes.clear()
        assert self.shop.violations() == []
        books = self.books()
        assert list(books.contradictions()) == []
        assert self.completed <= books.completed, "nothing beats completed"
        self.completed = books.completed
        assert self.shop.daraja.problems == []

    def teardown(self) -> None:
        try:
            # A step that failed has said what is wrong; what follows from it says nothing.
            if sys.exc_info()[0] is None and hasattr(self, "ledger"):
                self.all_evidence_comes_in()
                self.writes.append("time alone may make something wrong")
                self.the_books_contradict_neither_themselves_nor_the_money()
                self.the_books_agree_with_what_moved()
        finally:
            self.world.close()

    def all_evidence_comes_in(self) -> None:
        """Let every prompt end, Daraja correct itself, and the clock run on."""
        corrections = ("both", "token", "origin")
        for prompt in self.ledger.prompts:
            prompt.end = prompt.end or TIMED_OUT
            if prompt.moved_cents and prompt.told_unpaid and not prompt.told_paid and prompt.token:
                self.deliver(model.success(prompt, corrections[prompt.number % 3]))
        self.ledger.mood = "truth"
        self.shop.set(mpesa_query_limit=None)
        self.clock.move_to(self.latest)
        for _ in range(CALM_ROUNDS):
            self.pass_time(LONGEST_PAUSE_SECONDS)

    def the_books_agree_with_what_moved(self) -> None:
        books = self.books()
        assert list(books.unfinished()) == []
        unlisted = {payment.id for payment in books.live} - set(self.shop.asked_about())
        assert unlisted == set(), "what has no end stands before a person"

    # How it is done.

    def is_live(self, order: dict[str, Any]) -> bool:
        return any(payment.order_id == order["number"] for payment in self.books().live)

    def ask_for_prompt(
        self,
        order: dict[str, Any],
        fate: str = "accepted",
        overtaken_by: tuple[str, str] | None = None,
        pressed_twice: bool = False,
    ) -> None:
        """Press Pay. What overtakes the answer happens while the push is on the wire."""
        shopper = self.signed_in(self.shopper)

        def meanwhile(prompt: Prompt | None) -> None:
            self.shop.daraja.push_answer = self.ledger.script(fate)
            if pressed_twice:
                assert self.shop.pay(shopper, order).status_code in (200, 202)
            if prompt and overtaken_by:
                prompt.end, proofs = overtaken_by
                self.post(model.truth(prompt, proofs))

        self.shop.daraja.push_answer = self.ledger.script(fate, meanwhile)
        is_slow, was_live = fate == model.TOO_SLOW, self.is_live(order)
        self.shop.set(mpesa_timeout_seconds=model.TOO_LONG / 2 if is_slow else PATIENT_SECONDS)
        answer = self.shop.pay(shopper, order)
        assert answer.status_code < 500 or answer.status_code in (502, 503), answer.text
        if is_slow and answer.status_code == 202 and not was_live:
            assert self.ledger.wire_is_free.wait(10)

    def delivered(self, callback: Callback | None, dies: str | None) -> MultipleResults[Callback]:
        if callback is None:
            return multiple()
        self.deliver(callback, dies)
        return multiple(callback)

    def books(self) -> Books:
        with self.shop.app.app_context():
            return Books(self.ledger)

    def signed_in(self, account: Account) -> Account:
        """Return the account with a token of this moment, wherever the clock stands."""
        claims = self.claims[account.id]
        with self.shop.app.app_context():
            token = access_token(UUID(claims["sid"]), UUID(claims["sub"]))
        return replace(account, access=token)

    def callback(self, prompt: Prompt, says: str, proofs: str) -> Callback | None:
        """Say something of a prompt; None where there is nothing to say it with."""
        shillings = prompt.amount_cents // 100
        if says == "the truth":
            return model.truth(prompt, proofs) if prompt.end else None
        if says in CODES:
            return model.failure(prompt, proofs, CODES[says])
        if says == "paid, no details":
            return model.bare_success(prompt, proofs)
        if says == "paid, another's receipt":
            held = self.books().held_receipts(besides=prompt)
            if not held:
                return None
            receipt, by_right = held[0]
            return model.success(prompt, proofs, receipt=receipt, is_reused=by_right)
        half = shillings // 2
        amounts = {
            "paid, half of it": half,
            "paid, half and some cents": half + 0.5,
            "paid, more": shillings + 1,
        }
        details = {"amount": amounts[says]} if says in amounts else SUCCESSES[says]
        return model.success(prompt, proofs, **details)

    def deliver(self, callback: Callback, dies: str | None = None) -> None:
        """Post a callback, and hold the shop to what its proofs are worth."""
        before = self.books().statuses
        with self.dying(dies):
            self.post(callback, kept=dies != "before app.payments.keeping.ingest")
            after = self.books()
            if not callback.is_proven:
                assert after.statuses == before, "nothing moves without both proofs"

    def post(self, callback: Callback, kept: bool = True) -> None:
        prompt = callback.prompt
        if kept:
            model.was_kept(callback, self.books())
        answer = self.shop.callback(
            callback.body,
            token=prompt.token if callback.by_token else None,
            peer=SAFARICOM if callback.by_origin else STRANGER,
        )
        assert answer.status_code == 200, answer.text

    def pass_time(self, seconds: int, dies: str | None = None) -> None:
        """Let the clock jump and the background do its round, once more if it died in it."""
        self.clock.shift(seconds)
        self.latest = max(self.latest, now())
        self.writes.append("the clock")
        with self.dying(dies) as death:
            self.shop.sweep()
        if death:
            self.shop.sweep()
        self.shop.announce()

    def shopper_acts(self, does: str, order: dict[str, Any]) -> None:
        """Cancel an order, or have Daraja asked about it."""
        was_live, client = self.is_live(order), self.shop.client()
        headers = self.signed_in(self.shopper).headers | {"Sec-Fetch-Site": "same-origin"}
        if does == "check":
            assert client.post(f"/orders/{order['id']}/check", headers=headers).status_code == 303
            return
        answer = client.post(f"/api/orders/{order['id']}/cancel", headers=headers)
        assert answer.status_code in ((409,) if was_live else (200, 409)), answer.text

    def decide(self, action: str, subject: int, order: dict[str, Any]) -> None:
        client = self.shop.client()
        client.set_cookie("access_token_cookie", self.signed_in(self.admin).access)
        form = {"why": "the statement says so", "order": str(order["number"])}
        headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        answer = client.post(f"/admin/questions/{action}/{subject}", data=form, headers=headers)
        assert answer.status_code == 303, f"{action} on {subject}"

    @contextmanager
    def dying(self, moment: str | None) -> Iterator[list[str]]:
        """Stop the work before or after a call, as a kill would, and begin anew.

        Yields a list that holds the moment if it came.
        """
        death: list[str] = []
        if moment is None:
            yield death
            return
        when, _, target = moment.partition(" ")
        original, process = pkgutil.resolve_name(target), threading.current_thread()

        def stop(*args: Any, **options: Any) -> Any:
            if threading.current_thread() is not process:
                return original(*args, **options)
            if when == "after":
                original(*args, **options)
            death.append(moment)
            raise Died(moment)

        with mock.patch(target, stop):
            try:
                yield death
            except Died:
                self.restart()

    def restart(self) -> None:
        """Forget what a process keeps in its memory."""
        self.shop.app.extensions["lipa_daraja"][0].close()
        provider.prepare(self.shop.app)
        with self.shop.app.app_context():
            limiter.reset()


@pytest.fixture
def machine(shop: Shop) -> Iterator[type[PaymentMachine]]:
    """The machine on this test's shop, told of everything that is written."""

    class OnThisShop(PaymentMachine):
        pass

    OnThisShop.shop, OnThisShop.writes = shop, []

    def note_write(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            OnThisShop.writes.append(statement)

    with shop.app.app_context():
        engine = db.engine
    event.listen(engine, "after_cursor_execute", note_write)
    yield OnThisShop
    event.remove(engine, "after_cursor_execute", note_write)


def _first_seed() -> int:
    return SystemRandom().getrandbits(32) if THOROUGH else USUAL_SEED


@pytest.mark.timeout(TEST_SECONDS)
def test_the_books_agree_with_what_really_moved_whatever_happens(
    machine: type[PaymentMachine], request: pytest.FixtureRequest
) -> None:
    chosen = request.config.getoption("--hypothesis-seed")
    first = int(chosen) if chosen is not None else _first_seed()
    with machine.shop.app.app_context():
        runs = RUNS[db.engine.dialect.name]
    for number in range(first, first + runs):
        # Seen only when the test fails.
        print(f"to replay this run: --hypothesis-seed={number}")
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                report_multiple_bugs=False,
                phases=set(Phase) - {Phase.explain},
                suppress_health_check=list(HealthCheck),
            ),
        )
