"""The road that everything takes which opens a prompt on a phone."""

import time
from collections.abc import Callable

from flask import Response, g

from app.mpesa.result_codes import stk_result
from app.simulator.answers import spoilt, turned_away
from app.simulator.faults import DarajaFault, stk_error, system_busy
from app.simulator.records import Prompt, PushRequest
from app.simulator.simulator import current_simulator
from app.simulator.world import SubscriberLocked, SystemBusy


def open_prompt(
    push: PushRequest, accepted: Callable[[Prompt], Response], why: str = "ok"
) -> Response:
    """Prompt a phone as a checked request asks, and say `accepted`; raises DarajaFault."""
    simulator = current_simulator()
    if simulator.world.is_locked(push.msisdn):
        raise _locked()
    plan = simulator.plan_for("push", push.msisdn, push.amount_cents // 100)
    if (refusal := turned_away(plan)) is not None:
        return refusal
    try:
        prompt = simulator.push(push, plan)
    except SubscriberLocked:
        raise _locked() from None
    except SystemBusy:
        raise system_busy() from None
    g.checkout_request_id = prompt.checkout_request_id
    g.why = why
    time.sleep(plan.answer_delay_seconds)
    return spoilt(accepted(prompt), plan)


def _locked() -> DarajaFault:
    return stk_error(
        stk_result("1001").description, "This phone still shows a prompt; answer or await it."
    )
