"""How money out stands, in words for the shop's people: what is so, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.clock import for_people
from app.core.money import Kes
from app.core.recalling import recalled
from app.core.texts import marked, said
from app.disbursements.models import Disbursement, Kind
from app.disbursements.sending import FLOAT_SHORT
from app.disbursements.states import OutStatus

UNSENT = marked("Nothing has been sent.")
#: Why something that may be sent waits, by the word that stands in ``held``.
HELD = {
    FLOAT_SHORT: marked("Waits for float"),
    "not_configured": marked("Waits for settings"),
    "credentials": marked("M-Pesa does not take our credentials"),
    "unreachable": marked("M-Pesa cannot be reached"),
    "throttled": marked("M-Pesa asks for fewer requests"),
    "supplier_inactive": marked("The supplier is not active"),
}
#: Why money did not leave, by the word that stands in ``failure``, with the mend.
FAILED = {
    FLOAT_SHORT: marked("The shop's account at M-Pesa held too little. Move money into it first."),
    "amount_too_low": marked("M-Pesa pays no such small amount."),
    "amount_too_high": marked("M-Pesa pays no such large amount at once. Pay in parts."),
    "receiver_limit": marked(
        "The receiver's account would hold or get more than M-Pesa allows. Try a "
        "smaller amount, or another day."
    ),
    "shortcode_inactive": marked("Our shortcode is not active. Ask Safaricom."),
    "credentials": marked(
        "M-Pesa did not take the initiator's name or password. Mend the settings."
    ),
    "credential_locked": marked(
        "M-Pesa has locked the initiator. Have it unlocked in the M-Pesa portal."
    ),
    "not_permitted": marked(
        "Our shortcode or initiator may not do this. Ask Safaricom for the right."
    ),
    "bad_request": marked("M-Pesa could not read the request. Look at its own words below."),
    "account_rule": marked("A rule of the receiver's account forbids it."),
    "not_on_mpesa": marked("This number is not on M-Pesa. Look at the supplier's number."),
    "receipt_unknown": marked("M-Pesa does not know the receipt that was to be reversed."),
    "refused": marked("M-Pesa refused the request before doing anything."),
    "declined": marked("No money has left."),
}
#: What a line of a timeline is about, by its event; one that flags is called as in FLAGGED.
EVENTS = {
    "asked": marked("Asked"),
    "approved": marked("Approved"),
    "approval_lapsed": marked("Approval lapsed"),
    "called_off": marked("Called off"),
    "sending": marked("Sending"),
    "not_sent": marked("Not sent"),
    "refused": marked("Refused"),
    "unanswered": marked("Unanswered"),
    "timed_out_in_queue": marked("Timed out in queue"),
    "went_quiet": marked("Went quiet"),
    "confirmed": marked("Confirmed"),
    "declined": marked("Declined"),
    "late_confirmation": marked("Late confirmation"),
    "held": marked("Held"),
    "duplicate": marked("Duplicate"),
    "accepted": marked("Accepted"),
    "not_asked": marked("Not asked"),
    "no_answer_yet": marked("No answer yet"),
    "ignored": marked("Ignored"),
    "learned": marked("Learned"),
    "seen": marked("Seen"),
    "no_end": marked("No end"),
    "no_answer": marked("No answer"),
    "amount_differs": marked("Amount differs"),
    "receipt_reused": marked("Receipt reused"),
    "paid_unsent": marked("Paid unsent"),
    "paid_after_all": marked("Paid after all"),
    "already_reversed": marked("Already reversed"),
}
#: Why a person should look at something although it has its end.
FLAGGED = {
    "no_end": marked("Nothing is known yet of what became of it"),
    "no_answer": marked("M-Pesa gave no id to ask by"),
    "amount_differs": marked("M-Pesa names another amount"),
    "receipt_reused": marked("M-Pesa names another payment's receipt"),
    "paid_unsent": marked("M-Pesa says it is paid, and it was not sent"),
    "paid_after_all": marked("It had been called unpaid, and was paid all the same"),
    "already_reversed": marked("M-Pesa says somebody has reversed that payment before"),
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
        title = HELD.get(record.held, marked("Waits"))
        return Told(title, _unsent(recalled(held_why or "")), "review")
    return _BY_STATUS[status](record)


def _unsent(why: str) -> str:
    return said("{why} {rest}", why=why, rest=UNSENT) if why else UNSENT


def subject_of(record: Disbursement) -> str:
    """Name in a few words what a record is: who gets how much."""
    amount = Kes(record.amount_cents)
    if record.supplier is not None:
        return said("{amount} to {name}", amount=amount, name=record.supplier.name)
    if record.credit is not None:
        return said("{amount} paid by hand back", amount=amount)
    back = record.payment.public_ref if record.payment else marked("a payment")
    return said("{amount} of {payment} back", amount=amount, payment=back)


def _awaiting(record: Disbursement) -> Told:
    why = recalled(record.approval_why or "") or marked("The rules ask for it")
    words = said("A second person has to agree: {why}. Nothing has been sent.", why=why)
    if record.approve_until is not None:
        until = for_people(record.approve_until)
        words = said(
            "A second person has to agree until {until}: {why}. Nothing has been sent.",
            until=until,
            why=why,
        )
    return Told(marked("Waits for another admin"), words, "waiting")


def _queued(_record: Disbursement) -> Told:
    return Told(marked("About to be sent"), marked("It is sent in a moment, by itself."), "waiting")


def _processing(record: Disbursement) -> Told:
    words = said(
        "M-Pesa has had it since {when}. Its answer comes by itself, in seconds as a rule.",
        when=for_people(record.sent_at) if record.sent_at else "–",
    )
    return Told(marked("On its way"), words, "waiting")


def _unknown(record: Disbursement) -> Told:
    return Told(
        marked("Nobody knows yet whether it arrived"),
        marked(
            "It was sent, and M-Pesa has not said what became of it. It is not sent again by "
            "itself, and nobody should pay it again before its end is known."
        ),
        "review",
    )


def _completed(record: Disbursement) -> Told:
    amount = Kes(record.amount_cents)
    when = for_people(record.completed_at) if record.completed_at else "–"
    words = said("{amount} were paid on {when}.", amount=amount, when=when)
    if record.kind == Kind.REFUND:
        words = said("{amount} were sent back on {when}.", amount=amount, when=when)
    return Told(marked("Paid"), words, "paid")


def _failed(record: Disbursement) -> Told:
    why = FAILED.get(record.failure or "", marked("No money has left."))
    return Told(marked("Not paid"), why, "failed")


def _cancelled(record: Disbursement) -> Told:
    lapsed = record.failure == "approval_lapsed"
    why = marked("Nobody agreed in time.") if lapsed else marked("It was called off.")
    return Told(marked("Called off"), _unsent(why), "failed")


_BY_STATUS = {
    OutStatus.AWAITING_APPROVAL: _awaiting,
    OutStatus.QUEUED: _queued,
    OutStatus.PROCESSING: _processing,
    OutStatus.UNKNOWN: _unknown,
    OutStatus.COMPLETED: _completed,
    OutStatus.FAILED: _failed,
    OutStatus.CANCELLED: _cancelled,
}
