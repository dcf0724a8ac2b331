"""The parts put together: one object that an application of the simulator carries."""

from contextlib import suppress
from functools import partial

from flask import current_app

from app.simulator.callbacks import Courier, letters_about
from app.simulator.certificate import Certificate
from app.simulator.identifiers import Identifiers
from app.simulator.scenarios import ArmedScenarios, Moment, Plan
from app.simulator.settings import SimulatorSettings
from app.simulator.timer import Timer
from app.simulator.tokens import Tokens
from app.simulator.traffic import Traffic
from app.simulator.weather import Act, Weather
from app.simulator.world import (
    PIN,
    PIN_ATTEMPTS,
    Prompt,
    PromptClosed,
    PushRequest,
    SystemBusy,
    World,
)

EXTENSION = "simulator"
# Safaricom's test number, which approves by itself here so that a demo needs no hands.
SELF_APPROVING_MSISDN = "254708374149"
_WRONG_PIN = PIN[::-1]


class Simulator:
    """The world, and the machinery that makes time pass in it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.identifiers = Identifiers(settings.seed)
        self.tokens = Tokens(
            lifetime_seconds=settings.token_seconds, new_ends_old=settings.new_token_ends_old
        )
        self.weather = Weather()
        self.scenarios = ArmedScenarios()
        self.traffic = Traffic()
        self.timer = Timer()
        self.certificate = Certificate()
        self.world = World(
            identifiers=self.identifiers,
            seed=settings.seed,
            business_name=settings.business_name,
            prompt_seconds=settings.prompt_seconds,
            on_end=self._announce,
        )
        self.courier = Courier(self.traffic, on_delivery=self.world.count_callback)

    def plan_for(
        self, moment: Moment, msisdn: str | None = None, amount: int | None = None
    ) -> Plan:
        """How this request departs from the ordinary: by chance, and then by what is armed."""
        by_chance = self.weather.plan_for(moment, msisdn)
        return self.scenarios.change(by_chance, moment, msisdn, amount)

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

    def reset(self) -> None:
        """A new world. Tokens live on: a shop that cached one has done nothing wrong."""
        self.timer.clear()
        self.courier.clear()
        self.weather.clear()
        self.scenarios.clear()
        self.traffic.clear()
        self.world.reset()

    def callbacks_to_come(self) -> int:
        """Callbacks under way, and events that may still lead to one."""
        return self.timer.waiting() + self.courier.waiting()

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
        plan = prompt.plan
        if plan.early_callback:
            return
        delay = self.settings.callback_delay_seconds + plan.callback_delay_seconds
        for later, letter in letters_about(prompt):
            self.timer.after(delay + later, partial(self.courier.send, letter))

    def _deliver_now(self, prompt: Prompt) -> None:
        for _, letter in letters_about(prompt):
            self.courier.deliver(letter)


def current_simulator() -> Simulator:
    simulator: Simulator = current_app.extensions[EXTENSION]
    return simulator
