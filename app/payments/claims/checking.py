"""What the books and M-Pesa say of a claimed code, and what follows from it.

A claim is settled on exact evidence only, by the same books as any other money: the receipt was
paid to this shop, in the amount that the text names, from a phone of the order, and not before
the order was made. Everything else stands before a person. The text itself proves nothing.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.core.clock import now
from app.core.errors import Conflict, PaymentInProgress
from app.core.texts import marked, said
from app.extensions import db
from app.mpesa.c2b import C2bNews
from app.mpesa.phone import is_wire_form
from app.orders.states import OrderStatus
from app.payments import deciding
from app.payments.claims import words
from app.payments.claims.changing import (
    MACHINE,
    change,
    close,
    fresh,
    put_before_person,
    refuse,
    settle,
)
from app.payments.claims.evidence import own_shortcode, why_not
from app.payments.claims.found import Found
from app.payments.claims.models import Claim, ClaimState
from app.payments.evidence import Evidence
from app.payments.models import Credit
from app.payments.paybill import inbox
from app.payments.paybill.crediting import Placed, place
from app.payments.paybill.models import C2bNotice, NoticeState
from app.payments.queries import amount_paid_cents, attempts_of
from app.payments.states import Standing

#: So long a claim waits for a prompt's end, or for the paybill's own news of the receipt.
LONGEST_WAIT = timedelta(minutes=30)
WAIT_SECONDS = 15
_UNPLACED = (NoticeState.NEW, NoticeState.WAITING, NoticeState.ASKING, NoticeState.DOUBTED)


def look_in_books(claim_id: int) -> bool:
    """Settle a claim by what the books know already; False where M-Pesa has to be asked.

    Money of another order is no end here: whoever guesses codes must not learn from how quickly
    the answer comes which of them exist.
    """
    claim = fresh(claim_id)
    if claim.state != ClaimState.CHECKING:
        return True
    credit = _credit(claim.code)
    if _is_own(credit, claim.order_id):
        settle(claim_id, marked("its money was this order's already"))
        return True
    if credit is None or not _is_free(credit) or credit.order_id is not None:
        return False
    told = Found(
        credit.receipt, credit.amount_cents, credit.phone, own_shortcode(), credit.created_at
    )
    if why_not(claim, told) is not None:
        return False
    return _assign(claim, credit)


def hear(claim_id: int, found: Found) -> str:
    """Keep what M-Pesa says of a receipt that moved money, and act on it."""
    values = {
        "found_cents": found.amount_cents,
        "found_phone": found.payer if is_wire_form(found.payer or "") else None,
        "found_receiver": (found.receiver or "")[:80] or None,
        "found_at": found.moved_at,
    }
    if not change(claim_id, values):
        return "repeated: it was decided already"
    return act(claim_id)


def act(claim_id: int) -> str:
    """Do what follows from what M-Pesa has said; return it in a few words."""
    claim = fresh(claim_id)
    credit = _credit(claim.code)
    if _is_own(credit, claim.order_id):
        return settle(claim_id, marked("its money is this order's"))
    if credit is not None and not _is_free(credit):
        return refuse(claim_id, words.NOT_FOR_ORDER, marked("its money is in the books elsewhere"))
    problem = why_not(claim, found_of(claim))
    if problem is not None:
        state, reason, verdict = problem
        if state is ClaimState.REFUSED:
            return refuse(claim_id, reason or words.NOT_FOR_ORDER, verdict)
        return put_before_person(claim_id, verdict, reason)
    if _news_waits(claim.code):
        return _wait(claim, marked("the paybill has told of it, and that is being placed"))
    if credit is not None:
        done = _assign(claim, credit)
        return "assigned" if done else "it waits, or a person decides"
    return _place(claim)


def place_money(claim: Claim, who: str) -> Placed:
    """Credit money that M-Pesa has confirmed to the claim's order, by the ordinary rules."""
    claim_id, order_id, code = claim.id, claim.order_id, claim.code
    news = C2bNews(
        transaction_type="claimed",
        receipt=code,
        amount_cents=claim.found_cents,
        amount_problem=None,
        account=claim.order.account_reference,
        msisdn=claim.found_phone or "",
        shortcode=own_shortcode(),
        first_name="",
    )
    moved_at = claim.found_at or now()
    actor = f"{who}, claim {claim_id}"
    return place(news, Evidence.CALLBACK_AND_QUERY, actor, moved_at, claimed_by=order_id)


def is_own(claim: Claim) -> bool:
    """Tell whether the code's money is in the books as the order's."""
    return _is_own(_credit(claim.code), claim.order_id)


def _place(claim: Claim) -> str:
    placed = place_money(claim, MACHINE)
    if placed.waits:
        return _wait(fresh(claim.id), placed.verdict)
    if is_own(claim):
        return settle(claim.id, placed.verdict)
    return put_before_person(claim.id, placed.verdict)


def give_up(claim_id: int, why: str) -> str:
    """End the machine's part: M-Pesa could not be asked, or has not answered."""
    claim = fresh(claim_id)
    credit = _credit(claim.code)
    if _is_own(credit, claim.order_id):
        return settle(claim_id, marked("its money is this order's"))
    if credit is not None and not _is_free(credit):
        return refuse(claim_id, words.NOT_FOR_ORDER, marked("its money is in the books elsewhere"))
    unnamed = any(each.is_completed and not each.mpesa_receipt for each in attempts_of(claim.order))
    if claim.order.status == OrderStatus.PAID and unnamed:
        return close(claim_id, said("{why}; the order is paid", why=why))
    return put_before_person(claim_id, why)


def unknown(claim_id: int, told: str) -> str:
    """End a claim whose code M-Pesa does not know. A whole message deserves a person's look."""
    claim = fresh(claim_id)
    is_whole = None not in (claim.amount_cents, claim.paid_at, claim.paid_to)
    credit = _credit(claim.code)
    if is_whole and (credit is None or _is_free(credit)):
        return give_up(claim_id, told)
    return refuse(claim_id, words.NOT_FOR_ORDER, told)


def _assign(claim: Claim, credit: Credit) -> bool:
    """Give money that nobody has placed to the order; False where that is not for a machine."""
    claim_id, order, code = claim.id, claim.order, claim.code
    due_cents = order.total_cents - amount_paid_cents(db.session(), order.id)
    cents = credit.amount_cents
    stated = claim.amount_cents is not None or cents == due_cents
    if order.status != OrderStatus.PENDING or not stated or cents > due_cents:
        put_before_person(
            claim_id, marked("its money waits for an order, and does not simply fit this")
        )
        return True
    try:
        why = f"{code} was claimed, and all that M-Pesa told of it fits"
        deciding.assign(credit.id, order.uuid, MACHINE, why)
    except PaymentInProgress:
        _wait(fresh(claim_id), marked("a prompt for the order is open"))
        return False
    except Conflict as late:
        put_before_person(claim_id, late.message)
        return True
    settle(claim_id, marked("its money waited for an order, and is this one's"))
    return True


def _wait(claim: Claim, why: str) -> str:
    if now() > claim.created_at + LONGEST_WAIT:
        return give_up(claim.id, said("{why}; that took too long", why=why))
    change(claim.id, {"next_try_at": now() + timedelta(seconds=WAIT_SECONDS), "verdict": why[:255]})
    return why


def found_of(claim: Claim) -> Found:
    """Return what M-Pesa has said of a claim's receipt."""
    cents, payer = claim.found_cents or 0, claim.found_phone
    return Found(claim.code, cents, payer, claim.found_receiver, claim.found_at)


def _credit(code: str) -> Credit | None:
    query = select(Credit).where(Credit.receipt == code)
    return db.session.scalar(query.execution_options(populate_existing=True))


def _is_own(credit: Credit | None, order_id: int) -> bool:
    return credit is not None and credit.order_id == order_id


def _is_free(credit: Credit) -> bool:
    unplaced = credit.order_id is None and credit.decided_at is None
    return credit.standing == Standing.UNMATCHED and unplaced


def _news_waits(code: str) -> bool:
    """Tell whether the paybill's own news of a receipt has not been placed yet."""
    query = select(C2bNotice.id).where(
        C2bNotice.receipt == code,
        C2bNotice.kind == inbox.CONFIRMATION,
        C2bNotice.state.in_(_UNPLACED),
    )
    return db.session.scalar(query.limit(1)) is not None
