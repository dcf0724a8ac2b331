"""What a page shows of one refund or payout, and what whoever looks may do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import Person
from app.accounts.roles import ALLOWED, May, Role
from app.core.texts import marked
from app.disbursements import listing, words
from app.disbursements.models import Disbursement, Kind
from app.disbursements.states import NOT_PAID, SENT, UNSENT, OutStatus
from app.disbursements.words import Told
from app.extensions import db
from app.ledger.models import Transfer
from app.ledger.service import transfers_of
from app.suppliers.numbers import changed_lately_by


@dataclass(frozen=True)
class View:
    """One record, ready to be shown to one person."""

    record: Disbursement
    told: Told
    timeline: Sequence[listing.Happening]
    transfers: Sequence[Transfer]
    flagged: str | None
    #: Why this person may not agree to it; None when they may, or when nobody has to.
    approval_barred: str | None
    #: The payout that was made in its place.
    successor: Disbursement | None
    allowed: frozenset[May]

    @property
    def is_live(self) -> bool:
        """Something may still happen to it without anybody's doing."""
        return not self.record.is_over

    @property
    def may_approve(self) -> bool:
        waits = self.record.status == OutStatus.AWAITING_APPROVAL
        return waits and self.approval_barred is None

    @property
    def may_call_off(self) -> bool:
        asking = May.PAY_OUT if self.record.kind == Kind.PAYOUT else May.REFUND
        return self.record.status in UNSENT and bool(self.allowed & {May.APPROVE, asking})

    @property
    def may_declare(self) -> bool:
        """A person with evidence may say what became of it."""
        return self.record.status == OutStatus.UNKNOWN and May.SERVE in self.allowed

    @property
    def may_ask(self) -> bool:
        return self.record.status in SENT and May.SERVE in self.allowed

    @property
    def may_acknowledge(self) -> bool:
        is_open = self.flagged is not None and self.record.status not in SENT
        return is_open and May.SERVE in self.allowed

    @property
    def may_pay_again(self) -> bool:
        ended = self.record.status in NOT_PAID and self.record.kind == Kind.PAYOUT
        return ended and self.successor is None and May.PAY_OUT in self.allowed

    def called(self, event: str) -> str:
        """Return what a line of the timeline is about, for people."""
        return words.EVENTS.get(event, event)

    @property
    def version(self) -> str:
        """Name what decides which forms the page has."""
        parts = (self.record.status, self.record.held, self.flagged, self.approval_barred)
        return "|".join(str(part or "") for part in parts)


def view_of(record: Disbursement, person: Person) -> View:
    """Gather what there is to show about a record."""
    flagged = words.FLAGGED.get(record.review_reason or "", record.review_reason)
    return View(
        record=record,
        told=words.told(record, listing.said_last(record, "held") if record.held else None),
        timeline=listing.timeline_of(record),
        transfers=transfers_of(record.public_ref),
        flagged=flagged if record.needs_review else None,
        approval_barred=_barred(record, person),
        successor=_successor(record),
        allowed=ALLOWED[Role(person.role)],
    )


def again_key(record: Disbursement) -> str:
    """Return the key under which a payout is made anew, once."""
    return f"again:{record.public_ref}"


def _successor(record: Disbursement) -> Disbursement | None:
    return db.session.scalar(select(Disbursement).where(Disbursement.form_key == again_key(record)))


def _barred(record: Disbursement, person: Person) -> str | None:
    if record.status != OutStatus.AWAITING_APPROVAL:
        return None
    if record.asked_by == person.id:
        return marked("You asked for this yourself: another person has to agree.")
    if not person.may(May.APPROVE):
        return marked("Your role does not agree to this: an approver or owner has to.")
    supplier = record.supplier
    if supplier is None:
        return None
    if changed_lately_by(db.session(), supplier.id, person.id):
        return marked("You changed this supplier's number yourself: another person has to agree.")
    if supplier.mpesa_number != record.msisdn:
        return marked(
            "The supplier's number has changed since this was asked for. Call it off, look at the "
            "change, and ask anew."
        )
    return None if supplier.is_active else marked("This supplier is not active any more.")
