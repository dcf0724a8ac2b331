"""The virtual phones, as pages that work with and without JavaScript."""

import math
from contextlib import suppress
from typing import Any, Final

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.simulator.api import ApiRefused
from app.simulator.c2b_api import pay_by_hand
from app.simulator.numbers import ksh_short, local_number, to_msisdn
from app.simulator.records import Phone
from app.simulator.simulator import SELF_APPROVING_MSISDN, current_simulator
from app.simulator.views import phone_json, phone_row_json
from app.simulator.world import PIN, PromptClosed

MOST_MESSAGES_ON_PAGE: Final = 50
#: So many phones stand side by side; more would be too small to read.
MOST_SIDE_BY_SIDE: Final = 6
_LONGEST_PIN: Final = 16
_LONGEST_NUMBER: Final = 20

pages = Blueprint("pages", __name__, url_prefix="/simulator", template_folder="templates")
pages.add_app_template_filter(ksh_short)
pages.add_app_template_filter(local_number)

_NOTICES = {
    "wrong-pin": "Wrong PIN. Try again.",
    "no-number": "Write a Kenyan mobile number, such as 0712 345 678.",
    "no-room": f"At most {MOST_SIDE_BY_SIDE} phones stand side by side.",
}


@pages.get("/")
def choose() -> str | BaseResponse:
    """Ask whose phone; `beside` names those that are open already."""
    number, beside = request.args.get("number", ""), _numbers("beside")
    msisdn = to_msisdn(number)
    if msisdn and len({*beside, msisdn}) <= MOST_SIDE_BY_SIDE:
        return redirect(_address_of([*beside, msisdn]), 303)
    notice = None
    if "number" in request.args:
        notice = _NOTICES["no-room" if msisdn else "no-number"]
    return render_template(
        "simulator/choose.html",
        notice=notice,
        number=number[:_LONGEST_NUMBER],
        self_approving=SELF_APPROVING_MSISDN,
        pin=PIN,
        **_recent(beside),
    )


@pages.get("/recent")
def recent() -> str:
    """The part of the first page that changes by itself."""
    return render_template("simulator/_recent.html", **_recent(_numbers("beside")))


@pages.get("/phones")
def side_by_side() -> str | BaseResponse:
    numbers = _numbers("numbers")
    if not numbers:
        return redirect(url_for("pages.choose"), 303)
    if len(numbers) == 1:
        return redirect(_address_of(numbers), 303)
    return _phones_page(numbers)


@pages.get("/phones/<number>")
def handset(number: str) -> str | BaseResponse:
    msisdn = to_msisdn(number)
    if msisdn is None:
        return redirect(url_for("pages.choose", number=number[:_LONGEST_NUMBER]), 303)
    if msisdn != number:
        return redirect(_address_of([msisdn]), 303)
    return _phones_page([msisdn])


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
    return redirect(_back_to(number, notice), 303)


@pages.get("/phones/<number>/pay")
def payment_form(number: str) -> str | BaseResponse:
    """Pay a paybill or till of one's own accord."""
    msisdn = to_msisdn(number)
    if msisdn is None or msisdn != number:
        return redirect(url_for("pages.handset", number=number), 303)
    return _payment_page(msisdn, {})


@pages.post("/phones/<number>/pay")
def pay(number: str) -> tuple[str, int] | BaseResponse:
    """Pay; a message on the phone then tells what came of it."""
    msisdn = to_msisdn(number)
    if msisdn is None:
        return redirect(url_for("pages.choose"), 303)
    try:
        pay_by_hand(msisdn, request.form)
    except ApiRefused as refused:
        # What a program would have to send is no help to somebody before a form.
        words = str(refused).partition(" Send {")[0]
        return _payment_page(msisdn, request.form, words), refused.status
    return redirect(_back_to(msisdn), 303)


@pages.get("/certificate.pem")
def certificate() -> Response:
    return Response(current_simulator().certificate.pem(), mimetype="application/x-pem-file")


def _phones_page(numbers: list[str]) -> str:
    simulator = current_simulator()
    with simulator.world.lock:
        phones = [_shown(simulator.world.phone(msisdn)) for msisdn in numbers]
    left = [phone["prompt"]["seconds_left"] for phone in phones if phone["prompt"]]
    return render_template(
        "simulator/phones.html" if len(phones) > 1 else "simulator/handset.html",
        phones=phones,
        phone=phones[0],
        beside=",".join(numbers),
        without={n: _address_of([m for m in numbers if m != n]) for n in numbers},
        has_room=len(numbers) < MOST_SIDE_BY_SIDE,
        # A page that reloads while a PIN is being typed would eat it: so it waits for the end.
        reload_seconds=math.ceil(simulator.pace.real_seconds(min(left))) + 1 if left else 3,
        most_messages=MOST_MESSAGES_ON_PAGE,
        notice=_NOTICES.get(request.args.get("notice", "")),
        noticed=request.args.get("noticed", numbers[0]),
        prompt_seconds=f"{simulator.settings.prompt_seconds:g}",
        speed=simulator.pace.speed,
        self_approving=SELF_APPROVING_MSISDN,
        pin=PIN,
    )


def _payment_page(msisdn: str, values: Any, notice: str | None = None) -> str:
    simulator = current_simulator()
    with simulator.world.lock:
        phone = phone_row_json(simulator.world.phone(msisdn))
    return render_template(
        "simulator/pay.html",
        phone=phone,
        values=values,
        notice=notice,
        beside=request.values.get("beside", msisdn),
        shortcodes=sorted(simulator.settings.merchants()),
        pin=PIN,
    )


def _shown(phone: Phone) -> dict[str, Any]:
    """A phone with what its screen shows; to be called under the world's lock."""
    shown = phone_json(phone)
    prompts = shown["prompts"]
    shown["prompt"] = next((p for p in prompts if p["status"] == "open"), None)
    shown["ended"] = next((p for p in prompts if p["status"] != "open"), None)
    return shown


def _recent(beside: list[str]) -> dict[str, Any]:
    world = current_simulator().world
    with world.lock:
        phones = [phone_row_json(phone) for phone in world.recent_phones()]
        ringing = [phone_row_json(world.phone(p.push.msisdn)) for p in world.open_prompts()]
    ringing = ringing[:MOST_SIDE_BY_SIDE]
    return {
        "beside": ",".join(beside),
        "ringing": ringing,
        "quiet": [phone for phone in phones if phone["prompt"] is None],
        "all_ringing": _address_of([*beside, *(phone["msisdn"] for phone in ringing)]),
        "addresses": {p["msisdn"]: _address_of([*beside, p["msisdn"]]) for p in phones + ringing},
    }


def _numbers(name: str) -> list[str]:
    """The phones that the address names, each once; what is no number is left out."""
    listed = (to_msisdn(one) for one in request.values.get(name, "").split(","))
    return list(dict.fromkeys(filter(None, listed)))[:MOST_SIDE_BY_SIDE]


def _address_of(numbers: list[str], **more: Any) -> str:
    numbers = list(dict.fromkeys(numbers))[:MOST_SIDE_BY_SIDE]
    if not numbers:
        return url_for("pages.choose")
    if len(numbers) == 1:
        return url_for("pages.handset", number=numbers[0], **more)
    return url_for("pages.side_by_side", numbers=",".join(numbers), **more)


def _back_to(number: str, notice: str | None = None) -> str:
    """Where the form stood: on the page of this phone, or among others."""
    beside = _numbers("beside")
    if len(beside) > 1:
        return _address_of(beside, notice=notice, noticed=notice and number)
    return url_for("pages.handset", number=number, notice=notice)
