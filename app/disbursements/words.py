"""How money out stands, in words for the shop's people: what is so, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.clock import for_people
from app.core.money import kes
from app.disbursements.models import Disbursement, Kind
from app.disbursements.sending import FLOAT_SHORT
from app.disbursements.states import OutStatus

#: Why something that may be sent waits, by the word that stands in ``held``.
HELD = {
    FLOAT_SHORT: "Waits for float",
    "not_configured": "Waits for settings",
    "credentials": "M-Pesa does not take our credentials",
    "unreachable": "M-Pesa cannot be reached",
    "throttled": "M-Pesa asks for fewer requests",
    "supplier_inactive": "The supplier is not active",
}
#: Why money did not leave, by the word that stands in ``failure``, with the mend.
FAILED = {
    FLOAT_SHORT: "The shop's account at M-Pesa held too little. Move money into it first.",
    "amount_too_low": "M-Pesa pays no such small amount.",
    "amount_too_high": "M-Pesa pays no such large amount at once. Pay in parts.",
    "receiver_limit": "The receiver's account would hold or get more than M-Pesa allows. Try a "
    "smaller amount, or another day.",
    "shortcode_inactive": "Our shortcode is not active. Ask Safaricom.",
    "credentials": "M-Pesa did not take the initiator's name or password. Mend the settings.",
    "credential_locked": "M-Pesa has locked the initiator. Have it unlocked in the M-Pesa portal.",
    "not_permitted": "Our shortcode or initiator may not do this. Ask Safaricom for the right.",
    "bad_request": "M-Pesa could not read the request. Look at its own words below.",
    "account_rule": "A rule of the receiver's account forbids it.",
    "not_on_mpesa": "This number is not on M-Pesa. Look at the supplier's number.",
    "receipt_unknown": "M-Pesa does not know the receipt that was to be reversed.",
    "refused": "M-Pesa refused the request before doing anything.",
    "declined": "No money has left.",
}
#: Why a person should look at something although it has its end.
FLAGGED = {
    "no_end": "Nothing is known yet of what became of it",
    "no_answer": "M-Pesa gave no id to ask by",
    "amount_differs": "M-Pesa names another amount",
    "receipt_reused": "M-Pesa names another payment's receipt",
    "paid_unsent": "M-Pesa says it is paid, and it was not sent",
    "paid_after_all": "It had been called unpaid, and was paid all the same",
    "already_reversed": "M-Pesa says somebody has reversed that payment before",
}


@dataclass(frozen=True)
class Told:
    """How a record stands. ``mood`` is the colour of it: paid, waiting, failed or review."""

    title: str
    message: str
    mood: str


def told(record: Disbursement, held_why: str | None = None) -> Told:
    """Tell how a record stands. ``held_why`` is what was said when it had to wait."""
    status = OutStatus(record.status)
    if status is OutStatus.QUEUED and record.held:
        title = HELD.get(record.held, "Waits")
        return Told(title, f"{held_why or ''} Nothing has been sent.".strip(), "review")
    return _BY_STATUS[status](record)


def subject_of(record: Disbursement) -> str:
    """Name in a few words what a record is: who gets how much."""
    amount = kes(record.amount_cents)
    if record.supplier is not None:
        return f"{amount} to {record.supplier.name}"
    if record.credit is not None:
        return f"{amount} paid by hand back"
    back = record.payment.public_ref if record.payment else "a payment"
    return f"{amount} of {back} back"


def _awaiting(record: Disbursement) -> Told:
    until = f" until {for_people(record.approve_until)}" if record.approve_until else ""
    why = f"{record.approval_why or 'The rules ask for it'}"
    return Told(
        "Waits for another admin",
        f"A second person has to agree{until}: {why}. Nothing has been sent.",
        "waiting",
    )


def _queued(_record: Disbursement) -> Told:
    return Told("About to be sent", "It is sent in a moment, by itself.", "waiting")


def _processing(record: Disbursement) -> Told:
    since = f" {for_people(record.sent_at)}" if record.sent_at else ""
    return Told(
        "On its way",
        f"M-Pesa has had it since{since}. Its answer comes by itself, in seconds as a rule.",
        "waiting",
    )


def _unknown(record: Disbursement) -> Told:
    return Told(
        "Nobody knows yet whether it arrived",
        "It was sent, and M-Pesa has not said what became of it. It is not sent again by itself, "
        "and nobody should pay it again before its end is known.",
        "review",
    )


def _completed(record: Disbursement) -> Told:
    when = f" on {for_people(record.completed_at)}" if record.completed_at else ""
    what = "sent back" if record.kind == Kind.REFUND else "paid"
    return Told("Paid", f"{kes(record.amount_cents)} were {what}{when}.", "paid")


def _failed(record: Disbursement) -> Told:
    why = FAILED.get(record.failure or "", "No money has left.")
    return Told("Not paid", why, "failed")


def _cancelled(record: Disbursement) -> Told:
    lapsed = record.failure == "approval_lapsed"
    why = "Nobody agreed in time." if lapsed else "It was called off."
    return Told("Called off", f"{why} Nothing has been sent.", "failed")


_BY_STATUS = {
    OutStatus.AWAITING_APPROVAL: _awaiting,
    OutStatus.QUEUED: _queued,
    OutStatus.PROCESSING: _processing,
    OutStatus.UNKNOWN: _unknown,
    OutStatus.COMPLETED: _completed,
    OutStatus.FAILED: _failed,
    OutStatus.CANCELLED: _cancelled,
}
