"""What must always be true of money that went out, and of the ledger that both write to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.core.money import kes
from app.disbursements.models import Disbursement, Kind, OutEntry, ResultMessage
from app.disbursements.results import MOST_TRIES
from app.disbursements.states import NOT_PAID, OUT_EDGES, SENT, UNSENT, OutStatus
from app.extensions import db
from app.invariants.rules import (
    SWEEP_SECONDS,
    Check,
    Violation,
    each,
    no_phones_in,
    timeline_explains,
)
from app.ledger.models import Account, Transfer
from app.ledger.service import kept_balances, summed
from app.payments.models import Credit, Payment
from app.payments.states import Decision, Standing
from app.suppliers.models import NumberChange

_OUT = (*SENT, OutStatus.COMPLETED)
_WAITS_FOR_A_DECISION = or_(Credit.decision.is_(None), Credit.decision == Decision.SET_ASIDE)


def paid_at_most_once() -> Iterator[Violation]:
    """I7: a request leaves once, unless the one before certainly did not."""
    rule = "I7 paid at most once"
    sent, unsent = (
        select(func.count())
        .where(OutEntry.disbursement_id == Disbursement.id, OutEntry.event == event)
        .scalar_subquery()
        for event in ("sending", "not_sent")
    )
    for record in each(select(Disbursement).where(sent - unsent > 1)):
        yield Violation(rule, record.public_ref, "was sent again while it may have been paid")


def paid_to_the_number_on_file() -> Iterator[Violation]:
    """I7: a payout goes to the number that the supplier had when it was asked for."""
    rule = "I7 paid to the number on file"
    later = aliased(NumberChange)
    replaced = (
        exists()
        .where(
            later.supplier_id == NumberChange.supplier_id,
            later.id > NumberChange.id,
            later.changed_at <= Disbursement.created_at,
        )
        # Told, since it would take the record from any row otherwise, two queries down.
        .correlate(NumberChange, Disbursement)
    )
    on_file = exists().where(
        NumberChange.supplier_id == Disbursement.supplier_id,
        NumberChange.number == Disbursement.msisdn,
        NumberChange.changed_at <= Disbursement.created_at,
        not_(replaced),
    )
    payouts = select(Disbursement).where(Disbursement.kind == Kind.PAYOUT, not_(on_file))
    for record in each(payouts):
        yield Violation(rule, record.public_ref, "has a number that was not on file")


def agreed_to_by_another() -> Iterator[Violation]:
    """I7: what needs a second person has one, who is not the first."""
    rule = "I7 agreed to by another person"
    lonely = or_(
        Disbursement.approved_by.is_(None), Disbursement.approved_by == Disbursement.asked_by
    )
    left = select(Disbursement).where(
        Disbursement.approval_why.is_not(None), Disbursement.sends > 0, lonely
    )
    for record in each(left):
        yield Violation(rule, record.public_ref, "left without another person's yes")


def what_went_back_is_written_at_its_money() -> Iterator[Violation]:
    """Each credit says of itself what its completed refunds come to."""
    rule = "I3 what went back is written at its money"
    of_it = or_(Disbursement.credit_id == Credit.id, Disbursement.payment_id == Credit.payment_id)
    back = (
        select(func.coalesce(func.sum(Disbursement.amount_cents), 0))
        .where(of_it, Disbursement.status == OutStatus.COMPLETED)
        .correlate(Credit)
        .scalar_subquery()
    )
    query = select(Credit.id, Credit.returned_cents, back.label("back"))
    for row in db.session.execute(query.where(Credit.returned_cents != back)):
        told = f"says {kes(row.returned_cents)} went back, and {kes(row.back)} did"
        yield Violation(rule, f"credit {row.id}", told)


def refunded_is_not_more_than_paid() -> Iterator[Violation]:
    """A payment's refunds together are not more than what it brought."""
    rule = "I3 refunded is not more than paid"
    total = func.sum(Disbursement.amount_cents)
    received = func.coalesce(func.max(Credit.amount_cents), 0)
    sums = (
        select(Payment.public_ref, total.label("back"), received.label("came"))
        .join(Disbursement, Disbursement.payment_id == Payment.id)
        .outerjoin(Credit, Credit.payment_id == Payment.id)
        .where(Disbursement.status.not_in(NOT_PAID))
        .group_by(Payment.id, Payment.public_ref)
        .having(total > received)
    )
    for row in db.session.execute(sums):
        told = f"brought {kes(row.came)}, and {kes(row.back)} go back"
        yield Violation(rule, row.public_ref, told)


def refunded_is_not_more_than_came() -> Iterator[Violation]:
    """The same for money that was paid by hand, with what went back once a payment owned it."""
    of_payment = aliased(Credit)
    money = func.coalesce(Disbursement.credit_id, of_payment.id)
    back = (
        select(money.label("money"), func.sum(Disbursement.amount_cents).label("cents"))
        .outerjoin(of_payment, of_payment.payment_id == Disbursement.payment_id)
        .where(Disbursement.status.not_in(NOT_PAID), Disbursement.kind == Kind.REFUND)
        .group_by(money)
        .having(func.count(Disbursement.credit_id) > 0)
        .subquery()
    )
    more = select(Credit.id, Credit.amount_cents, back.c.cents).join(
        back, back.c.money == Credit.id
    )
    for row in db.session.execute(more.where(back.c.cents > Credit.amount_cents)):
        told = f"is {kes(row.amount_cents)}, and {kes(int(row.cents))} go back"
        yield Violation("I3 refunded is not more than came", f"credit {row.id}", told)


def nothing_out_is_stuck() -> Iterator[Violation]:
    """I5: whatever is not over is due some time, or stands before a person."""
    rule = "I5 nothing is stuck"
    before_a_person = and_(
        Disbursement.review_reason.is_not(None), Disbursement.reviewed_at.is_(None)
    )
    waits = and_(Disbursement.status == OutStatus.AWAITING_APPROVAL)
    forgotten = select(Disbursement).where(
        Disbursement.status.in_((*SENT, *UNSENT)),
        Disbursement.next_check_at.is_(None),
        not_(or_(before_a_person, waits)),
    )
    for record in each(forgotten):
        yield Violation(rule, record.public_ref, f"is {record.status}, and nobody looks at it")
    too_old = now() - timedelta(seconds=2 * SWEEP_SECONDS)
    left = select(ResultMessage).where(
        ResultMessage.handled_at.is_(None),
        ResultMessage.received_at < too_old,
        ResultMessage.tries < MOST_TRIES,
    )
    for message in each(left):
        yield Violation(rule, f"result {message.id}", "was kept and never acted on")


def every_change_out_is_written_down() -> Iterator[Violation]:
    """I8: the timeline explains the status, step by step, along edges that exist."""
    edges = {(str(a), str(e)): str(b) for (a, e), b in OUT_EDGES.items()}
    yield from timeline_explains(Disbursement, OutEntry, "disbursement_id", edges, "money out")


def the_ledger_tells_the_same() -> Iterator[Violation]:
    """I9: every account of the ledger holds what the records that it speaks of come to."""
    rule = "I9 the ledger tells the same"
    booked = summed()
    if sum(booked.values()):
        yield Violation(rule, "trial balance", f"is {kes(sum(booked.values()))}")
    for account, cents in _expected().items():
        if booked[account] != cents:
            told = f"holds {kes(booked[account])}, and the records come to {kes(cents)}"
            yield Violation(rule, f"account {account}", told)


def kept_balances_are_what_was_booked() -> Iterator[Violation]:
    """I9: what is kept of the balances is the sum of the transfers that it speaks of."""
    through, kept = kept_balances()
    for account, cents in summed(through).items():
        if kept[account] != cents:
            told = f"is kept as {kes(kept[account])}, and its transfers come to {kes(cents)}"
            yield Violation("I9 kept balances", f"account {account}", told)


def no_secrets_in_words_out() -> Iterator[Violation]:
    """I10: what was written for people names no whole phone number."""
    yield from no_phones_in(
        (
            ("line of money out", OutEntry.id, OutEntry.why),
            ("result", ResultMessage.id, ResultMessage.verdict),
            ("transfer", Transfer.id, Transfer.what),
        )
    )


CHECKS: tuple[Check, ...] = (
    paid_at_most_once,
    paid_to_the_number_on_file,
    agreed_to_by_another,
    what_went_back_is_written_at_its_money,
    refunded_is_not_more_than_paid,
    refunded_is_not_more_than_came,
    nothing_out_is_stuck,
    every_change_out_is_written_down,
    the_ledger_tells_the_same,
    kept_balances_are_what_was_booked,
    no_secrets_in_words_out,
)


def _expected() -> dict[Account, int]:
    """Work out from the records what each account must hold."""
    came = _sum(select(func.sum(Credit.amount_cents)))
    waiting = and_(Credit.standing != Standing.EXACT, _WAITS_FOR_A_DECISION)
    unplaced = _sum(select(func.sum(Credit.amount_cents)).where(waiting))
    paid_back = _out(OutStatus.COMPLETED)
    unplaced_back = _sum(
        paid_back.join(Credit, Credit.payment_id == Disbursement.payment_id), waiting
    ) + _sum(paid_back.join(Credit, Credit.id == Disbursement.credit_id), waiting)
    back = _sum(_out(OutStatus.COMPLETED), Disbursement.kind == Kind.REFUND)
    charges = _sum(select(func.sum(Disbursement.charge_cents)))
    return {
        Account.MPESA: came - _sum(_out(*_OUT)) - charges,
        Account.IN_TRANSIT: _sum(_out(*SENT)),
        Account.SALES: unplaced - came,
        Account.UNPLACED: unplaced_back - unplaced,
        Account.REFUNDS: back - unplaced_back,
        Account.SUPPLIERS: _sum(_out(OutStatus.COMPLETED), Disbursement.kind == Kind.PAYOUT),
        Account.FEES: charges,
    }


def _out(*statuses: OutStatus) -> Select[Any]:
    return select(func.sum(Disbursement.amount_cents)).where(Disbursement.status.in_(statuses))


def _sum(query: Select[Any], *conditions: ColumnElement[bool]) -> int:
    return int(db.session.scalar(query.where(*conditions)) or 0)
