"""What holds for every refund, whatever money it sends back, and the one place that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.accounts.roles import May
from app.core import idempotency
from app.core.clock import now
from app.core.errors import AmountTooLow, Conflict, Forbidden, InvalidAmount
from app.core.money import CENTS, Kes
from app.core.texts import marked, said
from app.disbursements.approvals import first_state
from app.disbursements.models import Channel, Disbursement, Kind, new_token
from app.disbursements.references import find, new_name
from app.disbursements.timeline import note
from app.payments.models import Credit
from app.payments.states import Decision, Standing
from app.settings.service import settings

#: The least that B2C pays (documented by Safaricom).
LEAST_B2C_CENTS = 1000


@dataclass(frozen=True)
class Back:
    """What is to go back: cents, the road with its reason, and to which number.

    ``msisdn`` is empty where the money is reversed and nobody told who paid it.
    """

    cents: int
    channel: Channel
    why: str
    msisdn: str
    reason: str
    approval_why: str | None


def choose_road(
    receipt: str | None, paid_at: datetime, *, is_whole: bool, has_failed: bool
) -> tuple[Channel, str]:
    """Choose how money goes back, and say why.

    A reversal undoes what is recent, whole and known by its receipt, at no charge; Daraja reverses
    a receipt once. Anything else is paid to the phone that paid.
    """
    hours = settings().refund_reversal_hours
    if receipt is None:
        return Channel.B2C, marked("B2C: its M-Pesa receipt is not known yet.")
    if not is_whole:
        why = marked("B2C: only a part goes back, and a reversal takes a payment whole.")
        return Channel.B2C, why
    if has_failed:
        return Channel.B2C, marked("B2C: M-Pesa has declined to reverse this payment.")
    if paid_at < now() - timedelta(hours=hours):
        return Channel.B2C, said("B2C: it was paid more than {hours} hours ago.", hours=hours)
    why = said("Reversal: it is whole and was paid within {hours} hours.", hours=hours)
    return Channel.REVERSAL, why


def wanted_cents(left: int, amount_cents: int | None) -> int:
    """Return how much goes back: what was asked for, else all that is left.

    Raises Conflict when there is not so much left or it is no whole shillings, and InvalidAmount
    for less than a shilling.
    """
    wanted = left if amount_cents is None else amount_cents
    if wanted > left or left == 0:
        raise Conflict(
            said("{amount} of this payment can be refunded.", amount=Kes(left)),
            details={"refundable": left // CENTS},
        )
    if wanted < CENTS:
        raise InvalidAmount
    if wanted % CENTS:
        whole = wanted - wanted % CENTS
        raise Conflict(
            said(
                "{left} are left, and M-Pesa sends whole shillings. Ask for {whole}.",
                left=Kes(wanted),
                whole=Kes(whole),
            ),
            details={"refundable": whole // CENTS},
        )
    return wanted


def require_within_limit(person: Person, amount_cents: int) -> None:
    """Raise Forbidden for what is more than an operator may send back at a time."""
    limit = settings().operator_refund_limit
    is_limited = person.may(May.REFUND) and not person.is_admin
    if is_limited and amount_cents > limit * CENTS:
        raise Forbidden(
            said(
                "Operators refund {amount} at most at a time. Ask the shop's owner for more.",
                amount=Kes(limit * CENTS),
            ),
            details={"maximum": limit},
        )


def approval_reason(amount_cents: int, is_admin: bool) -> str | None:
    """Say why a second person has to agree to an amount; None when nobody has to."""
    configured = settings()
    limit = configured.refund_limit_shillings
    if limit is None or amount_cents <= limit * CENTS:
        return None
    released = configured.payout_limit_shillings
    if is_admin and (released is None or amount_cents <= released * CENTS):
        return None
    return said("refunds above {amount} need another person's yes", amount=Kes(limit * CENTS))


def write(session: Session, back: Back, person: Person, **source: int) -> Disbursement:
    """Write a refund of ``payment_id`` or ``credit_id``, in the caller's transaction.

    Raises AmountTooLow for what B2C does not pay.
    """
    if back.channel is Channel.B2C and back.cents < LEAST_B2C_CENTS:
        raise AmountTooLow(
            said(
                "M-Pesa pays out {amount} at least. {why}",
                amount=Kes(LEAST_B2C_CENTS),
                why=back.why,
            ),
            details={"field": "amount", "minimum": LEAST_B2C_CENTS // CENTS},
        )
    name = new_name(Kind.REFUND)
    record = Disbursement(
        public_ref=name,
        originator_id=f"{name}-{new_token()[:12]}",
        kind=Kind.REFUND,
        amount_cents=back.cents,
        msisdn=back.msisdn,
        channel=back.channel,
        channel_why=back.why,
        reason=back.reason,
        asked_by=person.id,
        **source,
        **first_state(back.approval_why),
    )
    session.add(record)
    session.flush()
    idempotency.bind(session, f"refund:{record.id}")
    told = said("{amount}. {why}", amount=Kes(back.cents), why=back.why)
    note(session, record, "asked", "", record.status, f"person {person.id}", told)
    return record


def set_aside(
    session: Session, money: ColumnElement[bool], person: Person, record: Disbursement
) -> None:
    """Keep money that waits for a decision out of its order, now that it goes back."""
    decided = (
        update(Credit)
        .where(money, Credit.standing != Standing.EXACT, Credit.decided_at.is_(None))
        .values(
            decision=Decision.SET_ASIDE,
            decided_at=now(),
            decided_by=f"person {person.id}",
            decided_why=f"refund {record.public_ref}",
        )
    )
    session.execute(decided)


def begun_earlier() -> Disbursement | None:
    """Return the refund that this very request has begun before; None for a new one."""
    subject = idempotency.subject()
    return find(int(subject.removeprefix("refund:")), Kind.REFUND) if subject else None
