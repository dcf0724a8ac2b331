"""Placing money that came to the paybill: at most one credit for a receipt, whatever told of it.

The order's lock and the receipt's uniqueness decide every race; whoever loses begins again and
finds what stands by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import outbox
from app.core.clock import now
from app.core.money import kes
from app.core.statements import insert_or_nothing
from app.core.texts import said
from app.mpesa.c2b import C2bNews
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderEvent, OrderStatus
from app.payments.asking import ask_soon
from app.payments.evidence import Evidence, Outcome
from app.payments.models import Credit, Payment
from app.payments.paybill.accounts import order_of_account, prompt_of
from app.payments.postings import post_credit, post_placed
from app.payments.queries import amount_paid_cents
from app.payments.settle import PAYMENT_UPDATE, persistently, settle
from app.payments.signals import announcement_staged
from app.payments.states import Decision, Standing, Status

#: So long after a prompt's time its own end is waited for, before the money counts as sent by hand.
PATIENCE_SECONDS = 180
#: A prompt that was paid without a receipt hears of it within this time, or not by this road.
LATEST_RECEIPT = timedelta(hours=1)
MACHINE = "machine: paybill"


@dataclass(frozen=True)
class Placed:
    """What became of the money: in words, and where it is. ``waits``: nothing was decided yet."""

    verdict: str
    order_id: int | None = None
    credit_id: int | None = None
    waits: bool = False


def place(
    news: C2bNews,
    evidence: Evidence,
    actor: str,
    told_at: datetime,
    *,
    claimed_by: int | None = None,
) -> Placed:
    """Credit proven money, once. Its receipt and amount must be readable.

    ``told_at`` is when the news came: it may have waited long for a proof. ``claimed_by`` is the
    order that it belongs to, where that is known otherwise than by the account.

    It may be the news of a prompt's own success. Then nothing is guessed: Daraja is asked about
    the prompt, which is settled by its own evidence.
    """
    if news.receipt is None or news.amount_cents is None:
        raise ValueError("only readable money can be placed")
    found = persistently(
        lambda session: _place(session, news, evidence, actor, told_at, claimed_by)
    )
    if isinstance(found, Placed):
        return found
    if found.is_settled:
        return _learn_receipt(found, news, evidence, actor)
    asked = ask_soon(found.id)
    return Placed(f"perhaps the prompt {found.public_ref}: {asked}", found.order_id, waits=True)


def _place(
    session: Session,
    news: C2bNews,
    evidence: Evidence,
    actor: str,
    told_at: datetime,
    claimed_by: int | None,
) -> Placed | Payment:
    known = session.scalar(select(Credit).where(Credit.receipt == news.receipt))
    if known is not None:
        return Placed("repeated: its receipt is credited", known.order_id, known.id)
    prompt = prompt_of(session, news)
    if prompt is not None and _decides_by_itself(prompt, told_at):
        return prompt
    order_id = claimed_by or order_of_account(session, news.account)
    if order_id is None:
        return _keep_unmatched(session, news, evidence)
    order = orders.lock_order(session, order_id)
    # Whoever held the lock before us may have credited this very receipt, or opened a prompt.
    known = session.scalar(select(Credit).where(Credit.receipt == news.receipt))
    if known is not None:
        return Placed("repeated: its receipt is credited", known.order_id, known.id)
    return _credit(session, order, news, evidence, actor)


def _decides_by_itself(prompt: Payment, told_at: datetime) -> bool:
    """Tell whether the prompt was paid without a receipt, or may yet say how it ended."""
    if prompt.is_settled:
        return (prompt.completed_at or prompt.created_at) > told_at - LATEST_RECEIPT
    patient_until = prompt.prompt_expires_at + timedelta(seconds=PATIENCE_SECONDS)
    return prompt.is_live and now() < patient_until


def _learn_receipt(prompt: Payment, news: C2bNews, evidence: Evidence, actor: str) -> Placed:
    """Give its receipt to a payment that Daraja confirmed without one."""
    outcome = Outcome("0", "confirmed to the paybill", evidence, actor, receipt=news.receipt)
    verdict = settle(prompt.id, outcome)
    return Placed(
        said("the prompt {name}: {verdict}", name=prompt.public_ref, verdict=verdict),
        prompt.order_id,
    )


def _credit(
    session: Session, order: Order, news: C2bNews, evidence: Evidence, actor: str
) -> Placed:
    due_cents = order.total_cents - amount_paid_cents(session, order.id)
    standing = standing_of(order, due_cents, news.amount_cents or 0)
    credit = Credit(order_id=order.id, standing=standing, **_values(news, evidence))
    if standing is Standing.SHORT:
        # Whoever pays by hand may pay in parts: no person needs to ask for the rest.
        credit.decision, credit.decided_at, credit.decided_by = Decision.REST_ASKED, now(), MACHINE
        credit.decided_why = "A part was paid by hand. The rest can be paid by any road."
    session.add(credit)
    session.flush()
    post_credit(session, credit, credit.receipt or "")
    if credit.decision is not None:
        post_placed(session, credit)
    _update_order(session, order, credit, actor)
    announce_money(session, order, credit)
    told = f"{kes(credit.amount_cents)} for order {order.number}: {standing} money"
    return Placed(told, order.id, credit.id)


def standing_of(order: Order, due_cents: int, cents: int) -> Standing:
    """Say how money fits an order, of which so much is still due."""
    if order.status == OrderStatus.PENDING:
        if cents == due_cents:
            return Standing.EXACT
        return Standing.SHORT if cents < due_cents else Standing.OVER
    if order.status == OrderStatus.REVIEW and due_cents <= 0:
        return Standing.SECOND
    return Standing.SECOND if order.status == OrderStatus.PAID else Standing.LATE


def _update_order(session: Session, order: Order, credit: Credit, actor: str) -> None:
    told = f"{kes(credit.amount_cents)} paid by hand, {credit.receipt}"
    if credit.standing == Standing.EXACT:
        event = OrderEvent.PAID_IN_FULL
        if orders.move_order(session, order, event, actor, told, paid_at=now()):
            orders.fulfil(session, order)
        return
    if credit.standing == Standing.SHORT:
        orders.note(session, order.id, "part_paid", order.status, order.status, actor, told)
        return
    event, why = OrderEvent.MONEY_QUESTIONED, f"{told}: {credit.standing} money"
    orders.move_order(session, order, event, actor, why, review_reason=credit.standing)


def _keep_unmatched(session: Session, news: C2bNews, evidence: Evidence) -> Placed:
    values = {"standing": Standing.UNMATCHED, "created_at": now()} | _values(news, evidence)
    kept = insert_or_nothing(session, Credit, values, key=["receipt"])
    if kept is None:
        return Placed("repeated: its receipt is credited")
    post_credit(session, session.get_one(Credit, kept), news.receipt or "")
    told = said("unmatched money: no order has the account {account}", account=repr(news.account))
    return Placed(told, None, kept)


def _values(news: C2bNews, evidence: Evidence) -> dict[str, object]:
    return {
        "amount_cents": news.amount_cents,
        "receipt": news.receipt,
        "phone": news.msisdn or None,
        "account": news.account,
        "evidence": evidence,
    }


def announce_money(session: Session, order: Order, credit: Credit) -> None:
    """Stage the news for whoever watches the order; a hand payment has no TXN name."""
    paid = order.status == OrderStatus.PAID
    update = {
        "transaction_id": None,
        "order_id": str(order.uuid),
        "status": Status.COMPLETED if paid else "pending",
        "reason": None if paid else f"{credit.standing}_money",
        "receipt": credit.receipt,
    }
    person_uuid = str(order.person.uuid) if order.person else None
    event = "order.paid_by_hand" if paid else "order.money_by_hand"
    body = {"update": update, "person_uuid": person_uuid, "event": event}
    outbox.stage(session, PAYMENT_UPDATE, body, announcement_staged.send)
