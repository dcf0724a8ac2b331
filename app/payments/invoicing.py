"""Asking somebody to pay a caller's own amount, for people and for callers whom nobody knows.

Whoever is not signed in can make a stranger's phone ring, so a phone is guarded against them:
one prompt at a time, and a few in ten minutes. People who are signed in are held up by nothing but
another prompt that is on the phone (see phones.py).
"""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import select

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import (
    NotFound,
    PaymentInProgress,
    RateLimited,
)
from app.core.limiting import spend
from app.core.texts import marked
from app.core.unit_of_work import end_reads
from app.extensions import db
from app.orders.invoices import place_invoice
from app.payments.initiate import readable_phone, start
from app.payments.methods import require_payable
from app.payments.models import Payment
from app.payments.schedule import QUIET_SECONDS, quiet_after
from app.payments.states import LIVE
from app.settings.service import settings

#: How many prompts callers who are not signed in may send to one phone.
PROMPTS_PER_PHONE = "5 per 10 minute"
#: A simulated phone disturbs nobody, and who develops against it asks often.
PROMPTS_PER_SIMULATED_PHONE = "100 per 10 minute"
PHONE_PAUSE_SECONDS = 600
#: Of several callers who want the same phone at the same moment one goes first; by the end of its
#: turn the others see its attempt in the books.
_ONE_TURN = "1 per 2 second"
_LOOKS = 60
_LOOK_EVERY_SECONDS = 0.05


def ask_for(
    *, reference: str, description: str, amount_cents: int, phone: str, person: Person | None
) -> Payment:
    """Send one prompt for a caller's own amount, or give the live attempt back.

    The same payer, reference and amount, while unpaid, are the same order. ``phone`` may be
    written in any way that people write one. Returns the attempt: pending, or unconfirmed when
    nobody knows whether the prompt was sent. Raises a LipaError when nothing was sent.
    """
    number = readable_phone(phone)
    require_payable(amount_cents)
    if person is None:
        _guard(number, reference, amount_cents)
    order = place_invoice(
        reference=reference,
        description=description,
        amount_cents=amount_cents,
        payer=number,
        person=person,
    )
    if person is None:
        return start(order, number, asker="a caller who is not signed in")
    return start(order, number, asker=f"person {person.id}", asker_id=person.id)


def find_prompt(checkout_request_id: str, person: Person | None) -> Payment:
    """Return the attempt with this CheckoutRequestID, which is compared letter by letter.

    Raises NotFound also for somebody else's. One that nobody signed in has asked for is found by
    whoever knows its id, as long as the shop lets such callers in at all.
    """
    payment = db.session.scalar(
        select(Payment).where(Payment.checkout_request_id == checkout_request_id)
    )
    if payment is None or not _may_see(payment, person):
        raise NotFound(marked("There is no such payment, or it is not yours."))
    return payment


def _may_see(payment: Payment, person: Person | None) -> bool:
    if person is not None and person.is_admin:
        return True
    if payment.person_id is None:
        return settings().checkout_is_open
    return person is not None and payment.person_id == person.id


def _guard(number: str, reference: str, amount_cents: int) -> None:
    """Let one stranger at a time ask this phone, and not too often.

    Returns where the live prompt is for the very same invoice: its attempt is given back.
    """
    for _ in range(_LOOKS):
        my_turn = spend(_ONE_TURN, "strangers-turn", number)
        # What is read must not be older than the turn.
        end_reads()
        open_prompt = _strangers_prompt(number)
        if open_prompt is not None:
            _require_same(open_prompt, reference, amount_cents)
            return
        if my_turn:
            _spend_prompt(number)
            return
        time.sleep(_LOOK_EVERY_SECONDS)
    raise PaymentInProgress(retry_after_seconds=5)


def _strangers_prompt(number: str) -> Payment | None:
    """Return the attempt by which a stranger's prompt may be on this phone now.

    One that has been silent for long blocks nobody: its prompt has left the phone.
    """
    return db.session.scalar(
        select(Payment)
        .where(
            Payment.phone == number,
            Payment.person_id.is_(None),
            Payment.status.in_(LIVE),
            Payment.prompt_expires_at > now() - timedelta(seconds=QUIET_SECONDS),
        )
        .order_by(Payment.id.desc())
        .limit(1)
    )


def _require_same(prompt: Payment, reference: str, amount_cents: int) -> None:
    if (prompt.order.external_reference, prompt.amount_cents) == (reference, amount_cents):
        return
    left = (quiet_after(prompt.prompt_expires_at) - now()).total_seconds()
    raise PaymentInProgress(
        marked("Another payment is being asked of this phone. Wait for its end, then try again."),
        retry_after_seconds=max(1, round(left)),
    )


def _spend_prompt(number: str) -> None:
    simulated = settings().is_simulator
    limit = PROMPTS_PER_SIMULATED_PHONE if simulated else PROMPTS_PER_PHONE
    if not spend(limit, "strangers-prompt", number):
        raise RateLimited(
            marked(
                "This phone has been asked too often by callers who are not signed in. "
                "Try again later, or sign in."
            ),
            retry_after_seconds=PHONE_PAUSE_SECONDS,
        )
