"""The virtual phone, as pages that work with and without JavaScript."""

from contextlib import suppress
from typing import Final

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.simulator.numbers import ksh_short, to_msisdn
from app.simulator.simulator import SELF_APPROVING_MSISDN, current_simulator
from app.simulator.views import phone_json
from app.simulator.world import PIN, PromptClosed

MOST_MESSAGES_ON_PAGE: Final = 50
_LONGEST_PIN: Final = 16

pages = Blueprint("pages", __name__, url_prefix="/simulator", template_folder="templates")
pages.add_app_template_filter(ksh_short)

_NOTICES = {
    "wrong-pin": "Wrong PIN. Try again.",
    "no-number": "Write a Kenyan mobile number, such as 0712 345 678.",
}


@pages.get("/")
def choose() -> str | BaseResponse:
    number = request.args.get("number", "")
    msisdn = to_msisdn(number)
    if msisdn:
        return redirect(url_for("pages.handset", number=msisdn), 303)
    notice = _NOTICES["no-number"] if "number" in request.args else None
    return render_template(
        "simulator/choose.html",
        notice=notice,
        number=number[:20],
        waiting=current_simulator().world.open_prompts(),
        self_approving=SELF_APPROVING_MSISDN,
        pin=PIN,
    )


@pages.get("/phones/<number>")
def handset(number: str) -> str | BaseResponse:
    msisdn = to_msisdn(number)
    if msisdn is None:
        return redirect(url_for("pages.choose", number=number[:20]), 303)
    if msisdn != number:
        return redirect(url_for("pages.handset", number=msisdn), 303)
    simulator = current_simulator()
    with simulator.world.lock:
        phone = phone_json(simulator.world.phone(msisdn))
    prompts = phone["prompts"]
    return render_template(
        "simulator/handset.html",
        phone=phone,
        prompt=next((p for p in prompts if p["status"] == "open"), None),
        ended=next((p for p in prompts if p["status"] != "open"), None),
        most_messages=MOST_MESSAGES_ON_PAGE,
        notice=_NOTICES.get(request.args.get("notice", "")),
        prompt_seconds=f"{simulator.settings.prompt_seconds:g}",
        self_approving=SELF_APPROVING_MSISDN,
        pin=PIN,
    )


@pages.post("/phones/<number>/prompts/<checkout_request_id>")
def answer(number: str, checkout_request_id: str) -> BaseResponse:
    """The form of a browser without JavaScript: a PIN, or the button that cancels."""
    world = current_simulator().world
    prompt = world.prompt(checkout_request_id)
    notice = None
    # A prompt that has ended meanwhile needs no words here: the page tells how it ended.
    with suppress(PromptClosed):
        if prompt is None or prompt.push.msisdn != to_msisdn(number):
            raise PromptClosed
        if "cancel" in request.form:
            world.cancel(prompt)
        else:
            world.enter_pin(prompt, request.form.get("pin", "")[:_LONGEST_PIN])
            notice = "wrong-pin" if prompt.status == "open" else None
    return redirect(url_for("pages.handset", number=number, notice=notice), 303)


@pages.get("/certificate.pem")
def certificate() -> Response:
    return Response(current_simulator().certificate.pem(), mimetype="application/x-pem-file")
