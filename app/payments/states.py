"""The life of an attempt to collect money, as data.

What is allowed, live and final is derived from the edges; nothing else decides it.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    UNCONFIRMED = "unconfirmed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVIEW = "review"


class Event(StrEnum):
    PUSH_ACCEPTED = "push_accepted"
    PUSH_REFUSED = "push_refused"
    PUSH_UNANSWERED = "push_unanswered"
    PAYMENT_CONFIRMED = "payment_confirmed"
    PAYMENT_DECLINED = "payment_declined"
    PAYER_CANCELLED = "payer_cancelled"
    PROMPT_TIMED_OUT = "prompt_timed_out"
    WENT_QUIET = "went_quiet"
    LATE_CONFIRMATION = "late_confirmation"
    SETTLED_BY_HAND = "settled_by_hand"
    AMOUNT_DIFFERS = "amount_differs"
    ORDER_CLOSED = "order_closed"
    MONEY_ACCEPTED = "money_accepted"


class Standing(StrEnum):
    """How money fits what it was meant for, as found when it arrived. Never changed after."""

    EXACT = "exact"
    SHORT = "short"
    OVER = "over"
    LATE = "late"
    SECOND = "second"
    UNMATCHED = "unmatched"


class Decision(StrEnum):
    """What a person decided about money that did not simply fit."""

    ACCEPTED = "accepted"
    REST_ASKED = "rest_asked"
    ASSIGNED = "assigned"
    SET_ASIDE = "set_aside"


class Proposal(StrEnum):
    """How a settlement by hand stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"


#: A prompt may be on the phone. A process that died between writing its intent and reading the
#: answer leaves "created", so evidence may reach that state too.
LIVE = frozenset({Status.CREATED, Status.PENDING, Status.UNCONFIRMED})
#: Ended without money; money that comes all the same wins over each of them.
UNPAID_ENDS = frozenset({Status.FAILED, Status.CANCELLED, Status.EXPIRED})


Edges = dict[tuple[Status, Event], Status]


def _from_each(sources: frozenset[Status], event: Event, target: Status) -> Edges:
    return {(source, event): target for source in sources}


EDGES: Edges = {
    (Status.CREATED, Event.PUSH_ACCEPTED): Status.PENDING,
    (Status.CREATED, Event.PUSH_REFUSED): Status.FAILED,
    (Status.CREATED, Event.PUSH_UNANSWERED): Status.UNCONFIRMED,
    **_from_each(LIVE, Event.PAYMENT_CONFIRMED, Status.COMPLETED),
    **_from_each(LIVE, Event.PAYMENT_DECLINED, Status.FAILED),
    **_from_each(LIVE, Event.PAYER_CANCELLED, Status.CANCELLED),
    **_from_each(LIVE, Event.PROMPT_TIMED_OUT, Status.EXPIRED),
    **_from_each(LIVE, Event.WENT_QUIET, Status.EXPIRED),
    **_from_each(UNPAID_ENDS, Event.LATE_CONFIRMATION, Status.COMPLETED),
    **_from_each(LIVE | UNPAID_ENDS, Event.SETTLED_BY_HAND, Status.COMPLETED),
    **_from_each(LIVE | UNPAID_ENDS, Event.AMOUNT_DIFFERS, Status.REVIEW),
    **_from_each(LIVE | UNPAID_ENDS, Event.ORDER_CLOSED, Status.REVIEW),
    (Status.REVIEW, Event.MONEY_ACCEPTED): Status.COMPLETED,
}


def target_of(status: str, event: Event) -> Status | None:
    """Return where an event leads from a status, or None when it changes nothing there."""
    return EDGES.get((Status(status), event))
