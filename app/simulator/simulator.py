"""The parts put together: one object that an application of the simulator carries."""

from functools import partial

from flask import current_app

from app.simulator.callbacks import Courier, Delivery
from app.simulator.certificate import Certificate
from app.simulator.identifiers import Identifiers
from app.simulator.scenarios import ArmedScenarios, Plan
from app.simulator.settings import SimulatorSettings
from app.simulator.timer import Timer
from app.simulator.tokens import Tokens
from app.simulator.traffic import Traffic
from app.simulator.world import Prompt, PushRequest, SystemBusy, World

EXTENSION = "simulator"
# Safaricom's test number, which approves by itself here so that a demo needs no hands.
SELF_APPROVING_MSISDN = "254708374149"


class Simulator:
    """The world, and the machinery that makes time pass in it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.identifiers = Identifiers(settings.seed)
        self.tokens = Tokens(
            lifetime_seconds=settings.token_seconds, new_ends_old=settings.new_token_ends_old
        )
        self.scenarios = ArmedScenarios()
        self.traffic = Traffic()
        self.timer = Timer()
        self.courier = Courier(self.traffic)
        self.certificate = Certificate()
        self.world = World(
            identifiers=self.identifiers,
            seed=settings.seed,
            business_name=settings.business_name,
            prompt_seconds=settings.prompt_seconds,
            on_end=self._announce,
        )

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
        return prompt

    def reset(self) -> None:
        """A new world. Tokens live on: a shop that cached one has done nothing wrong."""
        self.timer.clear()
        self.courier.clear()
        self.scenarios.clear()
        self.traffic.clear()
        self.world.reset()

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
        delivery = Delivery(prompt)
        for _ in range(plan.callback_copies):
            self.timer.after(delay, partial(self.courier.send, delivery))

    def _deliver_now(self, prompt: Prompt) -> None:
        for _ in range(prompt.plan.callback_copies):
            self.courier.deliver(Delivery(prompt))


def current_simulator() -> Simulator:
    simulator: Simulator = current_app.extensions[EXTENSION]
    return simulator
