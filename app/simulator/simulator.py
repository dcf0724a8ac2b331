"""The parts put together: one object that an application of the simulator carries."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import current_app

from app.simulator.bank import Bank
from app.simulator.bills import Bills
from app.simulator.c2b_rules import C2bRules
from app.simulator.callbacks import letters_about
from app.simulator.certificate import Certificate
from app.simulator.conversations import Conversation, Conversations, Order, Subject
from app.simulator.courier import Courier, Letter
from app.simulator.credentials import Initiators
from app.simulator.identifiers import Identifiers
from app.simulator.magic import magic_changes
from app.simulator.masking import Masks
from app.simulator.pace import Pace
from app.simulator.paybills import Paybills
from app.simulator.plans import Moment, Plan
from app.simulator.records import PIN_ATTEMPTS, Prompt, PushRequest
from app.simulator.results import letters_after
from app.simulator.scenarios import ArmedScenarios
from app.simulator.settings import SimulatorSettings
from app.simulator.switches import SpikeArrest, Switches
from app.simulator.timer import Timer
from app.simulator.tokens import Tokens
from app.simulator.traffic import Traffic
from app.simulator.weather import Act, Weather
from app.simulator.world import PIN, PromptClosed, SystemBusy, World

EXTENSION = "simulator"
# Safaricom's test number, which approves by itself here so that a demo needs no hands.
SELF_APPROVING_MSISDN = "254708374149"
_WRONG_PIN = PIN[::-1]


@dataclass(frozen=True, slots=True)
class Run:
    """What this world began with, and whether it can be had again."""

    seed: int
    repeats: bool


class Simulator:
    """The world, and the machinery that makes time pass in it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.run = Run(settings.seed, settings.repeats)
        self.switches = settings.switches
        self.spike_arrest = SpikeArrest()
        self.identifiers = Identifiers(settings.seed, repeats=settings.repeats)
        self.tokens = Tokens(
            lifetime_seconds=settings.token_seconds,
            new_ends_old=settings.switches.new_token_ends_old,
        )
        self.weather = Weather(settings.seed if settings.repeats else 0)
        self.scenarios = ArmedScenarios()
        self.traffic = Traffic(Masks(settings.secrets()))
        self.pace = Pace(settings.speed)
        self.timer = Timer(self.pace)
        self.certificate = Certificate()
        self.world = World(
            identifiers=self.identifiers,
            seed=settings.seed,
            business_name=settings.business_name,
            prompt_seconds=settings.prompt_seconds,
            utility_float_cents=settings.utility_float * 100,
            on_end=self._announce,
            pace=self.pace,
        )
        self._set_switches(settings.switches)
        self.initiators = Initiators(settings, self.certificate)
        self.conversations = Conversations(self.world.lock, self.identifiers)
        self.bank = Bank(
            world=self.world,
            conversations=self.conversations,
            identifiers=self.identifiers,
            business_name=settings.business_name,
        )
        self.courier = Courier(self.traffic, on_delivery=self._count)
        self.rules = C2bRules()
        self.bills = Bills()
        self.paybills = Paybills(
            world=self.world,
            rules=self.rules,
            switches=lambda: self.switches,
            bills=self.bills,
            identifiers=self.identifiers,
            traffic=self.traffic,
            business_name=settings.business_name,
            validation_seconds=settings.validation_seconds,
            post=self._post,
            has_room=self.timer.has_room,
        )

    def plan_for(
        self, moment: Moment, msisdn: str | None = None, amount: int | None = None
    ) -> Plan:
        """How this request departs from the ordinary; what comes later prevails.

        By switch, by its number or amount, by chance, and by what is armed.
        """
        plan = self.switches.plan()
        if self.switches.magic_numbers:
            plan = replace(plan, **magic_changes(moment, msisdn, amount))
        plan = self.weather.plan_for(moment, msisdn, plan)
        return self.scenarios.change(plan, moment, msisdn, amount)

    def push(self, request: PushRequest, plan: Plan) -> Prompt:
        """Open a prompt and set its clock; raises SubscriberLocked and SystemBusy."""
        if not self.timer.has_room():
            raise SystemBusy
        prompt = self.world.open_prompt(request, plan)
        if prompt.status != "open":
            if plan.early_callback:
                self._deliver_now(prompt)
            return prompt
        self.timer.after(self.settings.prompt_seconds, partial(self._time_out, prompt))
        if request.msisdn == SELF_APPROVING_MSISDN:
            self.timer.after(
                self.settings.auto_approve_seconds, partial(self.world.approve, prompt)
            )
        elif (fate := self.weather.payer(request.msisdn)) is not None:
            act, seconds = fate
            self.timer.after(seconds, partial(self._act, prompt, act))
        return prompt

    def begin(
        self, order: Order, plan: Plan, subject: Subject, body: Mapping[str, Any]
    ) -> Conversation:
        """Accept an asynchronous request and let it take its course.

        An early result is delivered before this returns. Raises DuplicateId,
        TooManyConversations and SystemBusy.
        """
        if not self.timer.has_room():
            raise SystemBusy
        if subject.msisdn is not None:
            self.world.kept_phone(subject.msisdn)
        terms = order.terms
        complaint = self.initiators.complaint(terms.initiator, terms.credential, terms.shortcode)
        echo = json.dumps(body).encode() if plan.queue_time_out else b""
        conversation = self.conversations.open(order, plan, subject, complaint, echo)
        if plan.early_callback:
            self._settle(conversation)
            for letter in letters_after(conversation):
                self.courier.deliver(letter)
        elif plan.processing_seconds:
            self.timer.after(plan.processing_seconds, partial(self._process, conversation))
        else:
            self._process(conversation)
        return conversation

    def reset(self, seed: int | None = None) -> None:
        """A new world, with everything switched as at the start of the program.

        With a `seed` its ids come again whenever a world begins with it; without one, never.
        Tokens live on: a shop that cached one has done nothing wrong.
        """
        run = Run(self.settings.seed if seed is None else seed, seed is not None)
        self.timer.clear()
        self.courier.clear()
        self.weather.clear(run.seed if run.repeats else 0)
        self.scenarios.clear()
        self.traffic.clear()
        self.spike_arrest.clear()
        self._set_switches(self.settings.switches)
        self.change_speed(self.settings.speed)
        with self.world.lock:
            self.run = run
            self.identifiers.begin(run.seed, repeats=run.repeats)
            self.world.reset(run.seed)
            self.conversations.clear()
            self.paybills.clear()
            self.rules.clear()
            self.bills.clear()

    def switch(self, changes: Mapping[str, Any]) -> None:
        """Change how everything behaves from now on; raises ScenarioRefused."""
        with self.world.lock:
            self._set_switches(self.switches.changed(changes))

    def change_speed(self, speed: float) -> None:
        """Let simulated time pass at another speed, what waits already included.

        Raises ValueError when it is out of bounds.
        """
        self.pace.change(speed)
        self.timer.pace_changed()

    def callbacks_to_come(self) -> int:
        """Callbacks under way, and events that may still lead to one."""
        return self.timer.waiting() + self.courier.waiting() + self.paybills.under_way()

    def _set_switches(self, switches: Switches) -> None:
        with self.world.lock:
            self.switches = switches
            self.tokens.new_ends_old = switches.new_token_ends_old
            self.world.has_limits = switches.documented_limits

    def _settle(self, conversation: Conversation) -> None:
        with self.world.lock:
            self.bank.settle(conversation)
            outcome = conversation.outcome
            if outcome is not None and outcome.entry and outcome.entry.kind == "b2b":
                self.paybills.confirm_transfer(outcome.entry)

    def _process(self, conversation: Conversation) -> None:
        self._settle(conversation)
        delay = self._delay(conversation.plan)
        for letter in letters_after(conversation):
            self.timer.after(delay, partial(self.courier.send, letter))

    def _post(self, letter: Letter, plan: Plan) -> None:
        """Post a confirmation soon; called under the world's lock, so it only schedules."""
        for _ in range(plan.callback_copies):
            self.timer.after(self._delay(plan), partial(self.courier.send, letter))

    def _delay(self, plan: Plan) -> float:
        return self.settings.callback_delay_seconds + plan.callback_delay_seconds

    def _count(self, letter: Letter, answered: bool) -> None:
        if letter.checkout_request_id is not None:
            self.world.count_callback(letter.checkout_request_id, answered)
        if letter.conversation_id is not None:
            self.conversations.count_result(letter.conversation_id, answered)

    def _act(self, prompt: Prompt, act: Act) -> None:
        """What a payer does with a prompt; nothing when it has ended meanwhile."""
        with suppress(PromptClosed):
            match act:
                case "pays":
                    self.world.enter_pin(prompt, PIN)
                case "cancels":
                    self.world.cancel(prompt)
                case "enters_wrong_pin":
                    for _ in range(PIN_ATTEMPTS):
                        self.world.enter_pin(prompt, _WRONG_PIN)

    def _time_out(self, prompt: Prompt) -> None:
        self.world.time_out(prompt)
        late = prompt.plan.late_success_seconds
        if late is not None and prompt.status == "timed_out":
            self.timer.after(late, partial(self.world.succeed_late, prompt))

    def _announce(self, prompt: Prompt) -> None:
        """Post the callback soon; called under the world's lock, so it only schedules."""
        self.paybills.confirm_prompt(prompt)
        if prompt.plan.early_callback:
            return
        delay = self._delay(prompt.plan)
        for later, letter in letters_about(prompt):
            self.timer.after(delay + later, partial(self.courier.send, letter))

    def _deliver_now(self, prompt: Prompt) -> None:
        for _, letter in letters_about(prompt):
            self.courier.deliver(letter)


def current_simulator() -> Simulator:
    simulator: Simulator = current_app.extensions[EXTENSION]
    return simulator
