"""What about money out waits for a person: each entry with where to go and what to do there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, literal_column, select
from sqlalchemy.orm import aliased, joinedload

from app.core.clock import for_people, now
from app.core.money import Kes
from app.core.recalling import recalled
from app.core.texts import marked, said
from app.disbursements import words
from app.disbursements.models import Disbursement, Kind, PayoutRun, ResultMessage
from app.disbursements.of_money import back_from
from app.disbursements.results import MOST_TRIES
from app.disbursements.states import NOT_PAID, OutStatus
from app.extensions import db
from app.payments.models import Credit
from app.payments.states import Decision
from app.suppliers.numbers import changed_lately, cooling_now

MOST_OF_A_KIND = 100
#: What failed is told for so long; whoever wants it paid has paid it again by then.
FAILED_DAYS = 3
#: Longer than any run takes to be written.
WRITING_MINUTES = 2
LOOK_AND_DECIDE = marked("Look and decide")


@dataclass(frozen=True)
class OutQuestion:
    """One thing before a person: what, why, since when, and the page where it is decided."""

    kind: str
    title: str
    advice: str
    since: datetime
    subject_id: int
    href: str
    label: str
    about: str = ""


@dataclass(frozen=True)
class SetAside:
    """Money that is to be sent back: how much of it still is, and what is on its way, in cents."""

    credit: Credit
    left_cents: int
    asked_cents: int


def open_questions(limit: int = MOST_OF_A_KIND) -> list[OutQuestion]:
    """Return everything about money out that waits for a person, oldest first."""
    kinds = (
        _waiting_for_a_yes(limit),
        _runs_waiting_for_a_yes(limit),
        _runs_cut_off(limit),
        _unknown(limit),
        _flagged(limit),
        _failed(limit),
        _held(),
        _unread(limit),
        _changed_numbers(limit),
    )
    found = [question for kind in kinds for question in kind]
    return sorted(found, key=lambda question: question.since)


def to_send_back(limit: int = MOST_OF_A_KIND) -> list[SetAside]:
    """Return the money set aside that has not gone back yet, oldest first."""
    query = (
        select(Credit)
        .where(
            # As a literal: only so does a planner know the index made for this question.
            Credit.decision == literal_column(f"'{Decision.SET_ASIDE}'"),
            Credit.returned_cents < Credit.amount_cents,
        )
        .options(joinedload(Credit.payment), joinedload(Credit.order))
        .order_by(Credit.id)
        .limit(limit)
    )
    credits = db.session.scalars(query).unique().all()
    sums = _asked_back(credits)
    found = [(credit, *sums.get(credit.id, (0, 0))) for credit in credits]
    return [
        SetAside(credit, credit.amount_cents - asked, asked - gone)
        for credit, asked, gone in found
        if gone < credit.amount_cents
    ]


def _asked_back(credits: Sequence[Credit]) -> dict[int, tuple[int, int]]:
    """Return by credit what is asked for of it and has not failed, and what of that is gone."""
    payments = [credit.payment_id for credit in credits if credit.payment_id is not None]
    of_payment = aliased(Credit)
    money = func.coalesce(Disbursement.credit_id, of_payment.id)
    asked = func.coalesce(func.sum(Disbursement.amount_cents), 0)
    gone = func.coalesce(
        func.sum(Disbursement.amount_cents).filter(Disbursement.status == OutStatus.COMPLETED), 0
    )
    query = (
        select(money, asked, gone)
        .outerjoin(of_payment, of_payment.payment_id == Disbursement.payment_id)
        .where(Disbursement.status.not_in(NOT_PAID), Disbursement.kind == Kind.REFUND)
        .where(back_from(payments, [credit.id for credit in credits]))
        .group_by(money)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in db.session.execute(query)}


def path_of(record: Disbursement) -> str:
    """Return the address of the page about a record."""
    room = "payouts" if record.kind == Kind.PAYOUT else "refunds"
    return f"/admin/{room}/{record.public_ref}"


def _waiting_for_a_yes(limit: int) -> Iterator[OutQuestion]:
    query = _records().where(
        Disbursement.status == OutStatus.AWAITING_APPROVAL, Disbursement.run_id.is_(None)
    )
    for record in db.session.scalars(query.limit(limit)):
        title = said("A {kind} waits for another admin", kind=said(record.kind))
        yield _about(record, "awaiting_approval", title, _to_agree(record), LOOK_AND_DECIDE)


def _to_agree(record: Disbursement) -> str:
    values = {"who": record.person.name, "why": recalled(record.approval_why or "")}
    if record.approve_until is None:
        return said(
            "{who} has asked for it: {why}. Look at it and agree, or call it off.", **values
        )
    return said(
        "{who} has asked for it: {why}. Look at it and agree until {until}, or call it off.",
        until=for_people(record.approve_until),
        **values,
    )


def _runs_waiting_for_a_yes(limit: int) -> Iterator[OutQuestion]:
    waiting = (
        select(PayoutRun, func.count(Disbursement.id), func.sum(Disbursement.amount_cents))
        .join(Disbursement, Disbursement.run_id == PayoutRun.id)
        .where(Disbursement.status == OutStatus.AWAITING_APPROVAL)
        .where(PayoutRun.written_at.is_not(None))
        .group_by(PayoutRun.id)
        .order_by(PayoutRun.id)
        .limit(limit)
    )
    for run, count, cents in db.session.execute(waiting):
        yield _about_run(
            run,
            "run_awaiting_approval",
            marked("A run of payouts waits for another admin"),
            said(
                "{who} has asked for it. Look at it and agree once for all of it, or call it off.",
                who=run.maker.name,
            ),
            said("{count} payouts, {amount}", count=count, amount=Kes(cents)),
        )


def _runs_cut_off(limit: int) -> Iterator[OutQuestion]:
    long_ago = now() - timedelta(minutes=WRITING_MINUTES)
    query = select(PayoutRun).where(PayoutRun.asked_at < long_ago, PayoutRun.written_at.is_(None))
    for run in db.session.scalars(query.order_by(PayoutRun.id).limit(limit)):
        yield _about_run(
            run,
            "run_cut_off",
            marked("A run of payouts was cut off while it was written"),
            marked("Go on with it, or call off the rest. Nothing is written twice."),
            said("{count} payouts, {amount}", count=run.rows, amount=Kes(run.total_cents)),
        )


def _unknown(limit: int) -> Iterator[OutQuestion]:
    query = _records().where(Disbursement.status == OutStatus.UNKNOWN).limit(limit)
    for record in db.session.scalars(query):
        asked = (
            marked("M-Pesa is being asked.")
            if record.next_check_at is not None
            else marked("M-Pesa is asked no more.")
        )
        yield _about(
            record,
            "unknown",
            said("Nobody knows whether a {kind} arrived", kind=said(record.kind)),
            said(
                "{asked} Look at the M-Pesa statement; its page takes what you find. It is not "
                "sent again by itself.",
                asked=asked,
            ),
            marked("Find out"),
        )


def _flagged(limit: int) -> Iterator[OutQuestion]:
    query = _records().where(
        Disbursement.review_reason.is_not(None),
        Disbursement.reviewed_at.is_(None),
        Disbursement.status != OutStatus.UNKNOWN,
    )
    for record in db.session.scalars(query.limit(limit)):
        title = words.FLAGGED.get(record.review_reason or "", marked("Look at this"))
        advice = marked("Compare with the M-Pesa statement, then say what you saw.")
        yield _about(record, record.review_reason or "", title, advice, marked("Look at it"))


def _failed(limit: int) -> Iterator[OutQuestion]:
    """Find what failed lately and was neither made anew nor, for a refund, asked for again."""
    lately = now() - timedelta(days=FAILED_DAYS)
    anew = aliased(Disbursement)
    repeated = (
        anew.form_key == "again:" + Disbursement.public_ref,
        (anew.payment_id == Disbursement.payment_id) & (anew.id > Disbursement.id),
        (anew.credit_id == Disbursement.credit_id) & (anew.id > Disbursement.id),
    )
    query = _records().where(
        Disbursement.status == OutStatus.FAILED,
        Disbursement.created_at > lately,
        # Three questions, each with an index of its own.
        *(~select(anew.id).where(by).exists() for by in repeated),
    )
    for record in db.session.scalars(query.limit(limit)):
        mend = words.told(record).message
        advice = said(
            "{mend} It leaves this list by itself after {days} days.", mend=mend, days=FAILED_DAYS
        )
        title = said("A {kind} has failed", kind=said(record.kind))
        yield _about(record, "failed", title, advice, marked("See what can be done"))


def _held() -> Iterator[OutQuestion]:
    """Tell once for each reason why something that may be sent waits."""
    columns = (func.count(), func.sum(Disbursement.amount_cents), func.min(Disbursement.id))
    query = (
        select(Disbursement.held, *columns)
        .where(Disbursement.status == OutStatus.QUEUED, Disbursement.held.is_not(None))
        .group_by(Disbursement.held)
        .order_by(Disbursement.held)
    )
    for word, count, cents, oldest_id in db.session.execute(query).all():
        held = str(word)
        oldest = db.session.get_one(Disbursement, oldest_id)
        yield OutQuestion(
            f"held_{held}",
            words.HELD.get(held, marked("Money out waits")),
            marked("Its page says what is missing. It is sent by itself as soon as it can be."),
            oldest.created_at,
            oldest.id,
            path_of(oldest),
            marked("See what is missing"),
            said("{count} waiting, {amount}", count=count, amount=Kes(cents)),
        )


def _unread(limit: int) -> Iterator[OutQuestion]:
    query = select(ResultMessage).where(
        ResultMessage.handled_at.is_(None), ResultMessage.tries >= MOST_TRIES
    )
    for message in db.session.scalars(query.order_by(ResultMessage.id).limit(limit)):
        yield OutQuestion(
            "result_failed",
            marked("A result from M-Pesa could not be acted on"),
            said(
                "See the log for result {id}. What it is about is being asked for.", id=message.id
            ),
            message.received_at,
            message.id,
            "/admin/payouts?status=unknown",
            marked("See what is not known"),
        )


def _changed_numbers(limit: int) -> Iterator[OutQuestion]:
    newest = {change.supplier_id: change for change in reversed(changed_lately(limit))}
    for change in newest.values():
        until = cooling_now(change.supplier_id)
        if until is None:
            continue
        yield OutQuestion(
            "number_changed",
            marked("A supplier's number has changed"),
            said(
                "{who} says: “{reason}”. Until {until} payouts to it need a second admin, unless "
                "another one has made sure of it.",
                who=change.person.name,
                reason=change.reason,
                until=for_people(until),
            ),
            change.changed_at,
            change.id,
            f"/admin/suppliers/{change.supplier.uuid}",
            marked("Look at the number"),
            change.supplier.name,
        )


def _records() -> Select[Disbursement]:
    query = select(Disbursement).order_by(Disbursement.id)
    return query.options(
        joinedload(Disbursement.supplier),
        joinedload(Disbursement.payment),
        joinedload(Disbursement.credit),
    )


def _about(record: Disbursement, kind: str, title: str, advice: str, label: str) -> OutQuestion:
    # Money that comes in has questions of the same kinds.
    kind = f"out_{kind}"
    about = said("{name}: {subject}", name=record.public_ref, subject=words.subject_of(record))
    since = record.sent_at or record.created_at
    return OutQuestion(kind, title, advice, since, record.id, path_of(record), label, about)


def _about_run(run: PayoutRun, kind: str, title: str, advice: str, about: str) -> OutQuestion:
    href, since = f"/admin/runs/{run.uuid}", run.asked_at or run.created_at
    told = said("{name}: {subject}", name=run.name, subject=about)
    return OutQuestion(kind, title, advice, since, run.id, href, LOOK_AND_DECIDE, told)
