"""What a person of the shop decides about a claim that no machine could settle."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.accounts.models import Person
from app.audit.service import record
from app.core.errors import Conflict, NotFound, ValidationError
from app.core.texts import marked, said
from app.extensions import db
from app.monitoring import redact
from app.orders.models import Order
from app.payments import deciding
from app.payments.claims import checking, words
from app.payments.claims.changing import Also, decide, fresh
from app.payments.claims.evidence import own_shortcode, prompt_elsewhere
from app.payments.claims.models import OPEN, Claim, ClaimState
from app.payments.models import Credit, Payment
from app.payments.queries import attempts_of

PAGE_ROWS = 50
MOST_WORDS = 500
_TOO_LATE = marked("Somebody has decided this already.")
_UNPROVEN = marked(
    "Nobody has proven this money yet. Find it in the M-Pesa statement, and settle the payment by "
    "hand."
)
_PROMPT_OPEN = marked("A prompt for this order may have brought it. Wait for its end.")


def page(before: int | None = None) -> Sequence[Claim]:
    """Return the newest claims, or what is older than ``before``."""
    orders = joinedload(Claim.order).lazyload(Order.lines)
    query = select(Claim).options(orders)
    if before is not None:
        query = query.where(Claim.id < before)
    return db.session.scalars(query.order_by(Claim.id.desc()).limit(PAGE_ROWS)).all()


def undecided() -> Sequence[Claim]:
    """Return what waits for a person, oldest first."""
    query = select(Claim).where(Claim.state == ClaimState.WITH_PERSON)
    return db.session.scalars(query.order_by(Claim.id).limit(PAGE_ROWS)).all()


def credit_of(claim: Claim) -> Credit | None:
    """Return what the books hold under the claimed code."""
    return db.session.scalar(select(Credit).where(Credit.receipt == claim.code))


def unsettled_attempt(claim: Claim) -> Payment | None:
    """Return the order's newest attempt that brought no money, by which it is settled by hand."""
    return next((each for each in attempts_of(claim.order) if not each.is_settled), None)


def is_proven(claim: Claim) -> bool:
    """Tell whether its money is known to have come here, and may be given to the order."""
    credit = credit_of(claim)
    if credit is None:
        is_here = claim.found_cents is not None and claim.found_receiver == own_shortcode()
        return is_here and not _may_be_counted(claim)
    return credit.order_id is None and credit.decided_at is None


def _may_be_counted(claim: Claim) -> bool:
    """Tell whether it may be what another order's prompt has brought, in the books without code."""
    other = prompt_elsewhere(claim.order_id, checking.found_of(claim))
    return other is not None and other.is_settled


def accept(claim_id: int, person: Person, why: str) -> None:
    """Give the code's money to the order: what waits in the books, or what M-Pesa has confirmed.

    Raises Conflict where nothing is proven yet, or somebody was faster.
    """
    claim, reason = _found(claim_id), _readable(why)
    if claim.state not in OPEN:
        raise Conflict(_TOO_LATE)
    if not checking.is_own(claim):
        _give_to_order(claim, person, reason)
    _write(claim, ClaimState.SETTLED, person, reason, "claim.accepted")


def refuse(claim_id: int, person: Person, answer: str) -> None:
    """Say no, in words that the shopper reads. Raises Conflict where somebody was faster."""
    claim, words_said = _found(claim_id), _readable(answer)
    more = {"reason": words.BY_PERSON, "answer": words_said}
    _write(claim, ClaimState.REFUSED, person, words_said, "claim.refused", **more)


def _give_to_order(claim: Claim, person: Person, why: str) -> None:
    if not is_proven(claim):
        raise Conflict(_UNPROVEN)
    credit = credit_of(claim)
    if credit is not None:
        deciding.assign(credit.id, claim.order.uuid, person, why)
        return
    placed = checking.place_money(claim, f"person {person.id}")
    if placed.waits:
        raise Conflict(_PROMPT_OPEN)
    if not checking.is_own(claim):
        raise Conflict(placed.verdict)


def _write(
    claim: Claim, state: ClaimState, person: Person, why: str, action: str, **values: str
) -> None:
    claim_id = claim.id
    try:
        if not decide(
            claim_id, state, person, why, _recorded(claim, person, action, why), **values
        ):
            raise Conflict(_TOO_LATE)
    except IntegrityError as error:
        raise Conflict(marked("That code has paid another order already.")) from error


def _recorded(claim: Claim, person: Person, action: str, why: str) -> Also:
    about, code, order_id = f"claim {claim.id}", claim.code, claim.order_id

    def write(session: Session) -> None:
        record(session, person, action, about, receipt=code, order=order_id, why=why)

    return write


def _found(claim_id: int) -> Claim:
    claim = db.session.get(Claim, claim_id) if claim_id < 2**63 else None
    if claim is None:
        raise NotFound(marked("There is no such claim."))
    return fresh(claim_id)


def _readable(why: str) -> str:
    reason = redact(why.strip())
    if not reason or len(reason) > MOST_WORDS:
        raise ValidationError(said("Say why, in 1 to {most} characters.", most=MOST_WORDS))
    return reason
