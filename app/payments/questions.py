"""What a machine should not decide: one queue for a person, each entry with its next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.orm import joinedload

from app.core.clock import for_people, now
from app.core.money import Kes
from app.core.recalling import recalled
from app.core.texts import marked, said
from app.extensions import db
from app.orders.models import Order
from app.payments.claims.models import Claim, ClaimState
from app.payments.inbox import MOST_TRIES
from app.payments.models import (
    NEEDS_PERSON_SQL,
    Credit,
    InboxMessage,
    ManualSettlement,
    Payment,
)
from app.payments.paybill.accounts import meant_by
from app.payments.paybill.models import C2bNotice, NoticeState
from app.payments.schedule import LONGEST_PROMPT_SECONDS, MAX_CHECKS, QUIET_SECONDS
from app.payments.states import LIVE, Proposal, Standing

MOST_OF_A_KIND = 100


@dataclass(frozen=True)
class Step:
    """Something a person can do about a question. ``action`` names the form that does it."""

    action: str
    label: str


@dataclass(frozen=True)
class Question:
    """One thing before a person: what, why, since when, and what can be done about it."""

    kind: str
    title: str
    advice: str
    since: datetime
    subject_id: int
    steps: tuple[Step, ...] = ()
    amount_cents: int | None = None
    payment: Payment | None = None
    order: Order | None = None
    #: The page where it is decided, where that is not this list.
    href: str = ""
    label: str = ""


_ACCEPT = Step("accept", marked("Take it and fulfil the order"))
_REST = Step("ask_for_rest", marked("Keep it and ask for the rest"))
_ASIDE = Step("set_aside", marked("Set it aside for a refund"))
_ASSIGN = Step("assign", marked("Assign it to an order"))
_SEEN = Step("acknowledge", marked("Seen and settled"))

_MONEY = {
    Standing.SHORT: (
        marked("Less came than was asked for"),
        marked(
            "Compare with the M-Pesa statement. Keep it and let the shopper pay the rest, or "
            "send it back."
        ),
        (_REST, _ASIDE),
    ),
    Standing.OVER: (
        marked("The callback names more than was asked for"),
        marked(
            "What was asked for is booked. Look at the M-Pesa statement for the rest; fulfil the "
            "order, or send the money back."
        ),
        (_ACCEPT, _ASIDE),
    ),
    Standing.LATE: (
        marked("Money came for an order that was closed"),
        marked(
            "The goods went back on the shelf. Fulfil the order after all, or send the money back."
        ),
        (_ACCEPT, _ASIDE),
    ),
    Standing.SECOND: (
        marked("The order was paid twice"),
        marked("This money is one too many: send it back to the shopper."),
        (_ASIDE,),
    ),
    Standing.UNMATCHED: (
        marked("Money that names no order of ours"),
        marked("Daraja confirms that it came in. Ask who paid, by code and phone, and assign it."),
        (_ASSIGN,),
    ),
}
_ORDERS = {
    "paid_but_out_of_stock": (
        marked("Paid, but the goods are gone"),
        marked("Restock and deliver, or agree on something else with the shopper."),
        (Step("delivered", marked("Settled with the shopper")),),
    ),
    "part_paid": (
        marked("An order was paid in part, and its time is over"),
        marked("Give the shopper more time to pay the rest, or send the money back."),
        (Step("more_time", marked("Give more time to pay the rest")),),
    ),
}
_FLAGS = {
    "amount_differs": (
        marked("A callback names another amount"),
        marked("The payment is booked as asked for. Compare with the M-Pesa statement."),
    ),
    "receipt_reused": (
        marked("A callback names another payment's receipt"),
        marked("Somebody may have replayed an old message. Compare with the M-Pesa statement."),
    ),
    "receipt_differs": (
        marked("A callback names another receipt than was settled by hand"),
        marked(
            "It had one proof only. Look for both receipts in the M-Pesa statement: if both are "
            "there, the order was paid twice."
        ),
    ),
    "hand_withdrawn": (
        marked("What was settled by hand was another payment's money"),
        marked(
            "M-Pesa has proven that its receipt belongs to another payment, so this one was "
            "credited without money. Talk to the shopper, and to the two who settled it."
        ),
    ),
}


def open_questions(limit: int = MOST_OF_A_KIND) -> list[Question]:
    """Return everything that waits for a person, oldest first, at most ``limit`` of each kind."""
    kinds = (
        _money(limit),
        _flagged(limit),
        _silent(limit),
        _by_hand(limit),
        _orders(limit),
        _callbacks(limit),
        _paybill(limit),
        _claims(limit),
    )
    found = [question for kind in kinds for question in kind]
    return sorted(found, key=lambda question: question.since)


def _money(limit: int) -> Iterator[Question]:
    waiting = (
        select(Credit)
        .where(Credit.standing != Standing.EXACT, Credit.decided_at.is_(None))
        .options(joinedload(Credit.order).lazyload(Order.lines))
        .order_by(Credit.id)
        .limit(limit)
    )
    for credit in db.session.scalars(waiting):
        title, advice, steps = _MONEY[Standing(credit.standing)]
        if credit.standing == Standing.UNMATCHED and credit.account is not None:
            advice = _typed(credit.account)
        yield Question(
            f"{credit.standing}_money",
            title,
            advice,
            credit.created_at,
            credit.id,
            steps,
            credit.amount_cents,
            credit.payment,
            credit.order,
        )


def _typed(account: str) -> str:
    """Tell what a payer typed at the paybill, and which order that may have meant."""
    typed: str = marked("No account was given.")
    if account:
        typed = said("It was paid by hand under the account {account}.", account=repr(account))
    meant = meant_by(db.session(), account)
    if meant is None:
        return said("{typed} Ask who paid, by code and phone, and assign it.", typed=typed)
    return said(
        "{typed} Perhaps order {number} ({reference}, {total}) was meant: make sure, then assign "
        "it.",
        typed=typed,
        number=meant.number,
        reference=meant.reference,
        total=Kes(meant.total_cents),
    )


def _paybill(limit: int) -> Iterator[Question]:
    """Find news of payments by hand that one proof alone speaks for, or nobody can read."""
    # Proven money that cannot be placed is tried again and again, and no secret.
    stuck = (C2bNotice.state == NoticeState.WAITING) & (C2bNotice.tries >= MOST_TRIES)
    waiting = select(C2bNotice).where(or_(C2bNotice.state == NoticeState.DOUBTED, stuck))
    for notice in db.session.scalars(waiting.order_by(C2bNotice.id).limit(limit)):
        yield Question(
            "paybill_doubted",
            marked("Somebody says that the paybill was paid"),
            _doubted(notice),
            notice.received_at,
            notice.id,
            amount_cents=notice.amount_cents,
            href=f"/admin/paybill#notice-{notice.id}",
            label=marked("Look and decide"),
        )


def _doubted(notice: C2bNotice) -> str:
    verdict = recalled(notice.verdict or "")
    if not notice.receipt:
        return said("{verdict}. Look for it in the M-Pesa statement.", verdict=verdict)
    return said(
        "{verdict}. Look for {receipt} in the M-Pesa statement.",
        verdict=verdict,
        receipt=notice.receipt,
    )


def _flagged(limit: int) -> Iterator[Question]:
    """Find payments with news that does not fit, whose money is no question of its own."""
    for payment in _before_a_person(Payment.review_reason.in_(_FLAGS), limit):
        title, advice = _FLAGS[payment.review_reason or ""]
        steps = () if payment.is_live else (_SEEN,)
        yield _about_payment(payment, payment.review_reason or "", title, advice, steps)


def _silent(limit: int) -> Iterator[Question]:
    """Find prompts whose end nobody knows, being asked about or beyond being asked about."""
    for payment in _unended(limit):
        yield _without_end(payment)
    for payment in _before_a_person(Payment.review_reason == "no_answer", limit):
        if payment.is_live:
            continue
        yield _about_payment(
            payment,
            "no_answer",
            marked("Nobody knows whether this prompt was sent"),
            said(
                "Daraja never answered and gave no id to ask by. Look in the statement for "
                "{amount} from this phone.",
                amount=Kes(payment.amount_cents),
            ),
            (_SEEN,),
        )


def _before_a_person(why: ColumnElement[bool], limit: int) -> Sequence[Payment]:
    """Return payments that a person has not looked at yet, by the index made for them."""
    waiting = (
        select(Payment)
        .where(text(f"({NEEDS_PERSON_SQL.text})"), why, Payment.reviewed_at.is_(None))
        .order_by(Payment.created_at, Payment.id)
        .limit(limit)
    )
    return db.session.scalars(waiting).all()


def _unended(limit: int) -> list[Payment]:
    quiet_since = now() - timedelta(seconds=QUIET_SECONDS)
    # A prompt that ends later than any prompt can was written before the clock was set back.
    never = now() + timedelta(seconds=LONGEST_PROMPT_SECONDS)
    overdue = or_(Payment.prompt_expires_at < quiet_since, Payment.prompt_expires_at > never)
    found: list[Payment] = []
    # One question for each status: SQLite reads the whole table for several at once.
    for status in sorted(LIVE):
        query = select(Payment).where(Payment.status == status, overdue).order_by(Payment.id)
        found += db.session.scalars(query.limit(limit - len(found)))
    return found


def _without_end(payment: Payment) -> Question:
    gave_up = payment.checks >= MAX_CHECKS
    title = marked("Daraja has not said how this prompt ended")
    advice = (
        marked(
            "It was asked for days and is asked no more. Look in the statement; the order's page "
            "can ask once again."
        )
        if gave_up
        else marked(
            "It is still being asked. Money that the statement shows is credited once it says so."
        )
    )
    return _about_payment(payment, "no_end", title, advice)


def _by_hand(limit: int) -> Iterator[Question]:
    """Find what one person has seen in the statement and another one is to agree to."""
    waiting = (
        select(ManualSettlement)
        .where(ManualSettlement.state == Proposal.WAITING)
        .order_by(ManualSettlement.id)
        .limit(limit)
    )
    for proposal in db.session.scalars(waiting):
        payment = proposal.payment
        yield Question(
            "settlement_proposed",
            marked("A settlement by hand waits for another person"),
            said(
                "{name} has seen {amount} in the statement, as {receipt}. Look there yourself, "
                "then agree until {until}, or refuse.",
                name=proposal.proposer.name,
                amount=Kes(proposal.amount_cents),
                receipt=proposal.receipt,
                until=for_people(proposal.approve_until),
            ),
            proposal.proposed_at,
            proposal.id,
            amount_cents=proposal.amount_cents,
            payment=payment,
            order=payment.order,
            href=f"/admin/payments/{payment.public_ref}#by-hand",
            label=marked("Look and decide"),
        )


def _orders(limit: int) -> Iterator[Question]:
    waiting = select(Order).where(Order.review_reason.in_(_ORDERS)).order_by(Order.id).limit(limit)
    for order in db.session.scalars(waiting):
        reason = order.review_reason or ""
        title, advice, steps = _ORDERS[reason]
        since = order.paid_at or order.held_until
        yield Question(
            reason, title, advice, since, order.id, steps, order.total_cents, None, order
        )


def _callbacks(limit: int) -> Iterator[Question]:
    waiting = (
        select(InboxMessage)
        .where(InboxMessage.handled_at.is_(None), InboxMessage.tries >= MOST_TRIES)
        .order_by(InboxMessage.id)
        .limit(limit)
    )
    for message in db.session.scalars(waiting):
        yield Question(
            "callback_failed",
            marked("A callback could not be acted on"),
            said(
                "See the log for callback {number}; then run: flask callbacks replay {number}",
                number=message.id,
            ),
            message.received_at,
            message.id,
        )


def _claims(limit: int) -> Iterator[Question]:
    """Find codes that shoppers say have paid, and that no machine could settle."""
    waiting = select(Claim).where(Claim.state == ClaimState.WITH_PERSON)
    orders = joinedload(Claim.order).lazyload(Order.lines)
    for claim in db.session.scalars(waiting.options(orders).order_by(Claim.id).limit(limit)):
        yield Question(
            "claim",
            marked("A shopper says that an order is paid"),
            said(
                "The code is {code}. {verdict}. Look for it in the M-Pesa statement, then answer.",
                code=claim.code,
                verdict=recalled(claim.verdict or ""),
            ),
            claim.created_at,
            claim.id,
            amount_cents=claim.found_cents or claim.amount_cents,
            order=claim.order,
            href=f"/admin/claims#claim-{claim.id}",
            label=marked("Look and decide"),
        )


def _about_payment(
    payment: Payment, kind: str, title: str, advice: str, steps: tuple[Step, ...] = ()
) -> Question:
    return Question(
        kind,
        title,
        advice,
        payment.created_at,
        payment.id,
        steps,
        payment.amount_cents,
        payment,
        payment.order,
    )
