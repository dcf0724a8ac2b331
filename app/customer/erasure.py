"""Forgetting somebody who asks for it, but for what the books must keep.

Their account no longer says who they were, and nobody signs in to it again. Orders, payments and
refunds stay with the account that says nothing, with the phone numbers that paid: a shop has to
be able to show what money came from where for the years that the law asks.
"""

from __future__ import annotations

import secrets

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.accounts import second_factor
from app.accounts.models import Person, SignIn
from app.accounts.people import readable
from app.accounts.service import require_password
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, ValidationError
from app.core.idempotency import IdempotencyKey
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.customer.kept_money import orders_of
from app.customer.open_business import Open, still_open
from app.orders.models import Order
from app.payments.claims.models import Claim
from app.payments.link_models import SharedLink
from app.payments.methods import PaymentMethod

#: What is typed so that nobody is forgotten by a slip of the finger, in each of our languages.
WORDS = {"en": "erase", "sw": "futa"}
NAME = "Erased account"


class StillOpen(Conflict):
    """Something between the person and the shop is not over; ``reasons`` say what to do."""

    message = marked("The account cannot be erased yet: something is still open. Nothing changed.")

    def __init__(self, reasons: list[Open]) -> None:
        self.reasons = reasons
        super().__init__(details={"reasons": [reason.why for reason in reasons]})


def erase_own(person: Person, password: str, word: str) -> None:
    """Forget whoever asks, with their password and the typed word.

    Raises ValidationError, RateLimited, and StillOpen with what is to be settled first.
    """
    person_id = person.id
    if word.strip().lower() not in WORDS.values():
        raise ValidationError(
            said('Type the word "{word}".', word=marked("erase")), details={"field": "word"}
        )
    require_password(person, password)
    erase(person_id)


def erase(person_id: int, by: Person | str | None = None, why: str = "") -> bool:
    """Forget somebody; False where that has happened already, and nothing is done again.

    ``by`` is whoever does it for them, a person or the name of a command, who says why; None for
    themselves. Raises StillOpen, and ValidationError where somebody else gives no reason.
    """
    told = {} if by is None else {"why": readable(why)}
    with transaction() as session:
        # The strongest lock: the e-mail changes, and whoever refers to the row waits before they
        # hold anything that this waits for.
        found = session.get_one(Person, person_id, populate_existing=True, with_for_update=True)
        if found.is_erased:
            return False
        if reasons := still_open(session, found):
            raise StillOpen(reasons)
        numbers = _forget_in(session, found)
        subject = f"person {found.email}"
        audit.record(session, by or found, "person.erased", subject, numbers=numbers, **told)
    return True


def _forget_in(session: Session, person: Person) -> int:
    """Empty everything that says who somebody was; return how many numbers they had kept."""
    second_factor.take_away_in(session, person)
    session.execute(
        update(SignIn).where(SignIn.person_id == person.id).values(address=None, program="")
    )
    kept = delete(PaymentMethod).where(PaymentMethod.person_id == person.id)
    numbers = rows_changed(session, kept)
    answers = delete(IdempotencyKey).where(IdempotencyKey.caller == f"person:{person.id}")
    session.execute(answers)
    _close_doors_in(session, person.id)
    person.email = f"erased-{person.uuid}@erased.invalid"
    person.name, person.phone, person.language = NAME, None, None
    # No password has this hash; what was there told something about theirs.
    person.password_hash = f"erased {secrets.token_hex(8)}"
    person.erased_at = now()
    session.flush()
    return numbers


def _close_doors_in(session: Session, person_id: int) -> None:
    """End the links to somebody's orders, and empty the texts in which they said what they paid."""
    own = select(Order.id).where(orders_of(person_id))
    open_links = update(SharedLink).where(
        SharedLink.order_id.in_(own), SharedLink.ended_at.is_(None)
    )
    session.execute(open_links.values(ended_at=now()))
    theirs = or_(Claim.person_id == person_id, Claim.order_id.in_(own))
    session.execute(update(Claim).where(theirs).values(text="", found_phone=None))
