"""How a claim stands, in a shopper's words, each with what to do next."""

from __future__ import annotations

from typing import Any

from app.core.texts import marked, said
from app.payments.claims.models import Claim, ClaimState
from app.payments.claims.sms import Kind

#: Why a claim ended, by short names that the books keep.
NOT_FOR_ORDER = "not_for_order"
TOO_OLD = "too_old"
OTHER_RECEIVER = "other_receiver"
NOT_COMPLETED = "not_completed"
AMOUNT_DIFFERS = "amount_differs"
BY_PERSON = "by_person"

#: Texts that are no payment to this shop, told at once: nothing is kept of them.
NOT_PAYMENTS = {
    Kind.RECEIVED: marked(
        "That message tells of money that you received. Paste the one that M-Pesa sent when you "
        "paid this shop."
    ),
    Kind.WITHDRAWN: marked(
        "That message tells of cash at an agent. Paste the one that M-Pesa sent when you paid "
        "this shop."
    ),
    Kind.AIRTIME: marked(
        "That message tells of airtime. Paste the one that M-Pesa sent when you paid this shop."
    ),
    Kind.REVERSED: marked(
        "That message tells of a payment that M-Pesa gave back to you. If you have paid again "
        "since, paste the message of that payment."
    ),
    Kind.TO_PERSON: marked(
        "That message tells of money sent to a person's phone, and not to this shop's M-Pesa "
        "account. Show it to the shop, or ask M-Pesa to reverse it."
    ),
    Kind.FAILED: marked(
        "That message says that the payment did not go through, so nothing was paid. Try again."
    ),
}
NO_CODE = marked(
    "There is no M-Pesa code in that. It has ten letters and numbers and stands at the beginning "
    "of the message; paste the whole message."
)
SEVERAL_CODES = marked(
    "There are several M-Pesa codes in that. Paste the message of one payment at a time."
)
TOO_LONG = marked("That is too long for one message of M-Pesa. Paste only that message.")
ALREADY_OPEN = marked(
    "A code of yours for this order is being looked at already. Wait for its answer here; if it "
    "was the wrong one, tell the shop."
)
TOO_MANY = marked(
    "So many codes were sent for this order that no more are taken. Show your M-Pesa message to "
    "the shop."
)

_TITLES = {
    ClaimState.CHECKING: marked("We are checking your M-Pesa code"),
    ClaimState.SETTLED: marked("We have found your payment"),
    ClaimState.WITH_PERSON: marked("Somebody at the shop is looking at your payment"),
    ClaimState.REFUSED: marked("That code did not pay this order"),
}
_MESSAGES = {
    ClaimState.CHECKING: marked(
        "M-Pesa is asked about {code}. That can take some minutes. Do not pay again; you can "
        "close this page and come back."
    ),
    ClaimState.SETTLED: marked("The money of {code} is booked to this order."),
    ClaimState.WITH_PERSON: marked(
        "No machine could tell what became of {code}. The shop looks at it and answers here. "
        "Keep the M-Pesa message, and do not pay again."
    ),
}
_REASONS = {
    NOT_FOR_ORDER: marked(
        "{code} cannot be used for this order. Compare each letter, then paste the whole message "
        "of the payment for this order. If money left your phone, show the message to the shop."
    ),
    TOO_OLD: marked(
        "{code} was paid before this order was made. Paste the message of the payment for this "
        "order, or show this one to the shop."
    ),
    OTHER_RECEIVER: marked(
        "{code} was not paid to this shop. Look at whom the message names; M-Pesa can reverse a "
        "payment to the wrong number if you ask soon."
    ),
    NOT_COMPLETED: marked(
        "M-Pesa says that {code} did not go through, so no money has moved. You can pay again."
    ),
    AMOUNT_DIFFERS: marked(
        "The message names another amount than M-Pesa does, so the shop looks at it and answers "
        "here. Keep the message as it came, and do not pay again."
    ),
}


def told_of(claim: Claim) -> dict[str, Any]:
    """Say how a claim stands: its code, state, and words that a page can translate."""
    state = ClaimState(claim.state)
    if state is ClaimState.REFUSED and claim.reason == BY_PERSON:
        message: str = claim.answer or ""
    else:
        default = _MESSAGES.get(state, _REASONS[NOT_FOR_ORDER])
        message = said(_REASONS.get(claim.reason or "", default), code=claim.code)
    return {
        "code": claim.code,
        "state": str(state),
        "title": _TITLES.get(state, ""),
        "message": message,
    }
