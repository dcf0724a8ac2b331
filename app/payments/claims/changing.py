"""The one place where a claim changes: by compare-and-set, beside a line of the order's history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.clock import now
from app.core.statements import rows_changed
from app.core.texts import marked
from app.core.unit_of_work import after_commit, transaction
from app.extensions import db
from app.orders import service as orders
from app.payments.claims.models import OPEN, Claim, ClaimState
from app.payments.claims.signals import claim_due
from app.payments.claims.words import NOT_FOR_ORDER

MACHINE = "machine: claims"
Also = Callable[[Session], object]
_CHECKING = (ClaimState.CHECKING,)


def fresh(claim_id: int) -> Claim:
    """Return a claim as it is in the database at this moment."""
    return db.session.get_one(Claim, claim_id, populate_existing=True)


def change(
    claim_id: int,
    values: dict[str, Any],
    *,
    tries: int | None = None,
    sources: tuple[ClaimState, ...] = _CHECKING,
    also: Also | None = None,
) -> bool:
    """Change a claim that is still in one of these states; False when somebody was faster.

    With ``tries``, only as long as M-Pesa was asked just so often. ``also`` writes what belongs to
    the change, in its transaction.
    """
    with transaction() as session:
        wanted = update(Claim).where(Claim.id == claim_id, Claim.state.in_(sources))
        if tries is not None:
            wanted = wanted.where(Claim.tries == tries)
        changed = rows_changed(session, wanted.values(**values)) == 1
        if changed and also is not None:
            also(session)
        due = values.get("next_try_at")
        if changed and due is not None:
            after_commit(lambda: claim_due.send(claim_id=claim_id, at=due))
        return changed


def settle(claim_id: int, verdict: str, who: str = MACHINE, also: Also | None = None) -> str:
    """Say that the code's money is the order's. A code settles one claim, and no second."""
    try:
        return _end(claim_id, ClaimState.SETTLED, None, verdict, who, also)
    except IntegrityError:
        return refuse(claim_id, NOT_FOR_ORDER, marked("its code has settled another claim"))


def refuse(claim_id: int, reason: str, verdict: str) -> str:
    """End a claim; the shopper hears ``reason``'s words, and may send another code."""
    return _end(claim_id, ClaimState.REFUSED, reason, verdict, MACHINE)


def close(claim_id: int, verdict: str) -> str:
    """End a claim that is of no consequence any more."""
    return _end(claim_id, ClaimState.CLOSED, None, verdict, MACHINE)


def put_before_person(claim_id: int, verdict: str, reason: str | None = None) -> str:
    """Leave a claim to somebody of the shop."""
    return _end(claim_id, ClaimState.WITH_PERSON, reason, verdict, MACHINE)


def decide(
    claim_id: int, state: ClaimState, person: Person, verdict: str, also: Also, **values: Any
) -> bool:
    """Write a person's decision down, once; False when somebody was faster."""
    who = f"person {person.id}"
    ended = _ended(state, values.pop("reason", None), verdict, who) | values
    return change(claim_id, ended, sources=OPEN, also=_noted(claim_id, state, verdict, who, also))


def _end(
    claim_id: int,
    state: ClaimState,
    reason: str | None,
    verdict: str,
    who: str,
    also: Also | None = None,
) -> str:
    values = _ended(state, reason, verdict, who)
    noted = _noted(claim_id, state, verdict, who, also)
    return verdict if change(claim_id, values, also=noted) else "repeated: it was decided already"


def _ended(state: ClaimState, reason: str | None, verdict: str, who: str) -> dict[str, Any]:
    ended: dict[str, Any] = {"state": state, "reason": reason, "verdict": verdict[:255]}
    ended |= {"next_try_at": None, "query_token": None}
    if state is not ClaimState.WITH_PERSON:
        ended |= {"decided_at": now(), "decided_by": who}
    return ended


def _noted(claim_id: int, state: ClaimState, verdict: str, who: str, also: Also | None) -> Also:
    def write(session: Session) -> None:
        claim = session.get_one(Claim, claim_id, populate_existing=True)
        note(session, claim, f"claim_{state}", who, verdict)
        if also is not None:
            also(session)

    return write


def note(session: Session, claim: Claim, event: str, who: str, why: str) -> None:
    """Write a line of the order's timeline about a claim."""
    status = claim.order.status
    orders.note(session, claim.order_id, event, status, status, who, f"{claim.code}: {why}")
