"""What a claim must agree in with M-Pesa's own word before a machine may settle it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.accounts.models import Person
from app.core.clock import for_people
from app.core.money import Kes
from app.core.texts import marked, said
from app.extensions import db
from app.mpesa.phone import is_wire_form, msisdn
from app.orders.models import Order
from app.payments.claims import words
from app.payments.claims.found import Found
from app.payments.claims.models import Claim, ClaimState
from app.payments.models import Payment
from app.payments.paybill.crediting import PATIENCE_SECONDS
from app.payments.queries import attempts_of
from app.settings.service import mpesa_settings

#: A message has minutes and no seconds, and two clocks are never quite the same.
LEEWAY = timedelta(minutes=5)
#: What follows from a fault: the claim's state, a reason for the shopper, and words for staff.
Fault = tuple[ClaimState, str | None, str]


def why_not(claim: Claim, found: Found) -> Fault | None:
    """Say what of the evidence is not exact, or None where all of it is."""
    return _of_money(claim, found) or _of_text(claim, found) or _of_payer(claim, found)


def own_shortcode() -> str:
    """Return the number that this shop is paid at."""
    return mpesa_settings().shortcode or ""


def _of_money(claim: Claim, found: Found) -> Fault | None:
    if found.receiver is None or found.moved_at is None:
        return _for_person(marked("M-Pesa does not say to whom or when it was paid"))
    if found.receiver != own_shortcode():
        told = marked("it was paid to another business")
        return ClaimState.REFUSED, words.OTHER_RECEIVER, told
    if found.moved_at < claim.order.created_at - LEEWAY:
        when = for_people(found.moved_at)
        told = said("it was paid on {when}, before the order was made", when=when)
        return ClaimState.REFUSED, words.TOO_OLD, told
    return None


def _of_text(claim: Claim, found: Found) -> Fault | None:
    """Compare with what the text says: one that was edited is nobody's proof."""
    if claim.amount_cents is not None and claim.amount_cents != found.amount_cents:
        stated, moved = Kes(claim.amount_cents), Kes(found.amount_cents)
        told = said("the text says {stated}, and M-Pesa {found}", stated=stated, found=moved)
        return _for_person(told, words.AMOUNT_DIFFERS)
    moved_at = found.moved_at
    if claim.paid_at is not None and moved_at and abs(claim.paid_at - moved_at) > LEEWAY:
        when = for_people(moved_at)
        return _for_person(said("M-Pesa says that it was paid on {when}", when=when))
    return None


def _of_payer(claim: Claim, found: Found) -> Fault | None:
    payer = found.payer or ""
    if not is_wire_form(payer):
        return _for_person(marked("M-Pesa does not tell the payer's whole number"))
    if payer not in _phones(claim.order, found):
        return _for_person(marked("it was paid from a phone that is not this order's"))
    if _is_somebody_else_s(payer, claim.order):
        return _for_person(marked("it was paid from a phone that another account uses too"))
    other = prompt_elsewhere(claim.order_id, found)
    if other is None:
        return None
    name = other.public_ref
    return _for_person(said("it may be the money of {name}, of another order", name=name))


def _for_person(told: str, reason: str | None = None) -> Fault:
    return ClaimState.WITH_PERSON, reason, told


def _phones(order: Order, found: Found) -> set[str]:
    """Return the numbers that this order was known to be paid from when the money moved.

    Whoever has read somebody's message knows their number, and can have it asked afterwards.
    """
    latest = (found.moved_at or order.created_at) + LEEWAY
    phones = {payment.phone for payment in attempts_of(order) if payment.created_at <= latest}
    own = msisdn(order.person.phone or "") if order.person else None
    return phones | ({own} if own else set())


def _is_somebody_else_s(phone: str, order: Order) -> bool:
    """Tell whether another account names a number, or has had it asked for an order of its own.

    Anybody can write any number into their account, so that alone does not say whose money it is.
    """
    named = select(Person.id).where(Person.phone == phone, Person.id != order.person_id)
    asked = select(Payment.id).where(Payment.phone == phone, Payment.person_id != order.person_id)
    return any(db.session.scalar(query.limit(1)) is not None for query in (named, asked))


def prompt_elsewhere(order_id: int, found: Found) -> Payment | None:
    """Return another order's prompt whose money this may be, for all that is known of it.

    A prompt that a question has confirmed has no receipt: nothing else would keep its money from
    paying a second order.
    """
    if found.moved_at is None:
        return None
    query = select(Payment).where(
        Payment.order_id != order_id,
        Payment.phone == found.payer,
        Payment.amount_cents == found.amount_cents,
        Payment.mpesa_receipt.is_(None),
        Payment.created_at <= found.moved_at + LEEWAY,
        Payment.prompt_expires_at >= found.moved_at - timedelta(seconds=PATIENCE_SECONDS),
    )
    return db.session.scalar(query.order_by(Payment.id.desc()).limit(1))
