"""Taking what somebody says they have paid."""

from __future__ import annotations

import re

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import Conflict, ValidationError
from app.core.unit_of_work import after_commit, transaction
from app.extensions import db
from app.monitoring import redact
from app.orders import service as orders
from app.orders.models import Order
from app.payments.asking import ask_soon
from app.payments.asking_again import stop_asking_again
from app.payments.claims import checking, words
from app.payments.claims.changing import fresh, note
from app.payments.claims.models import OPEN, Claim, ClaimState
from app.payments.claims.signals import claim_due
from app.payments.claims.sms import MOST_CHARACTERS, Sms, read_sms
from app.payments.queries import attempts_of

#: So many codes are taken for one order in all: nobody has to try more, and guessing must end.
MOST_OF_ORDER = 10
#: So many prompts of the order are asked about: money may have come by an earlier one.
_MOST_PROMPTS = 3
_BALANCE = re.compile(
    r"(new m-?pesa balance is|baki yako[^.]{0,30}ni|salio lako[^.]{0,30}ni)\s*ksh[\s.]?[0-9,.]+",
    re.IGNORECASE,
)


def claim_for(order: Order, text: str, who: Person | None, door: str) -> Claim:
    """Take what somebody pasted as the proof that an order is paid, and begin to check it.

    The answer is the same for every code that is not this order's own: M-Pesa is asked. Raises
    ValidationError for a text that is no payment's, and Conflict where a code is looked at
    already or too many were sent.
    """
    order_id = order.id
    sms = _readable(text)
    claim_id = _opened(order_id, sms) or _made(order_id, sms, text, who, door)
    checking.look_in_books(claim_id)
    claim = fresh(claim_id)
    if claim.state == ClaimState.CHECKING:
        # No phone rings again for what may be paid already.
        stop_asking_again(claim.order)
        for payment in attempts_of(claim.order)[:_MOST_PROMPTS]:
            if not payment.is_settled:
                ask_soon(payment.id)
    return fresh(claim_id)


def _readable(text: str) -> Sms:
    if len(text) > MOST_CHARACTERS:
        raise ValidationError(words.TOO_LONG, details={"field": "message"})
    sms = read_sms(text)
    if sms.kind in words.NOT_PAYMENTS:
        raise ValidationError(words.NOT_PAYMENTS[sms.kind], details={"field": "message"})
    if sms.code is None:
        problem = words.SEVERAL_CODES if sms.several else words.NO_CODE
        raise ValidationError(problem, details={"field": "message"})
    return sms


def _opened(order_id: int, sms: Sms) -> int | None:
    """Return the claim with this very code: a form sent twice, or the way back."""
    states = (*OPEN, ClaimState.SETTLED)
    of_order = select(Claim).where(Claim.order_id == order_id, Claim.state.in_(states))
    claims = db.session.scalars(of_order.order_by(Claim.id.desc()).limit(MOST_OF_ORDER)).all()
    same = next((claim for claim in claims if claim.code == sms.code), None)
    if same is None and any(claim.state in OPEN for claim in claims):
        raise Conflict(words.ALREADY_OPEN)
    return same.id if same else None


def _made(order_id: int, sms: Sms, text: str, who: Person | None, door: str) -> int:
    person_id = who.id if who else None
    try:
        with transaction() as session:
            orders.lock_order(session, order_id)
            _require_room(session, order_id)
            claim = Claim(
                order_id=order_id,
                person_id=person_id,
                door=door,
                code=sms.code or "",
                amount_cents=sms.amount_cents,
                paid_at=sms.paid_at,
                paid_to=redact(sms.paid_to or "")[:80] or None,
                account=redact(sms.account or "")[:40] or None,
                text=_kept(text),
                next_try_at=now(),
            )
            session.add(claim)
            session.flush()
            actor = f"person {person_id}" if person_id else "shopper, by a link"
            note(session, claim, "claim_made", actor, "says that it has paid this order")
            made = claim.id
            after_commit(lambda: claim_due.send(claim_id=made, at=now()))
    except IntegrityError as error:
        raise Conflict(words.ALREADY_OPEN) from error
    return made


def _require_room(session: Session, order_id: int) -> None:
    count = select(func.count()).select_from(Claim).where(Claim.order_id == order_id)
    if (session.scalar(count) or 0) >= MOST_OF_ORDER:
        raise Conflict(words.TOO_MANY)
    # The index would say so too, but only after it has waited for whoever just ends that claim
    # and may be waiting for the order, which is locked here.
    if session.scalar(count.where(Claim.state.in_(OPEN))):
        raise Conflict(words.ALREADY_OPEN)


def _kept(text: str) -> str:
    """Return a text as staff may see it: without whole numbers, and without the balance."""
    printable = "".join(mark if mark.isprintable() else " " for mark in text)
    return redact(_BALANCE.sub(r"\1 …", printable))
