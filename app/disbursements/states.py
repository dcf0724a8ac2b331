"""The life of money going out, as data. Refunds and payouts live it alike."""

from __future__ import annotations

from enum import StrEnum

from app.core.texts import marked


class OutStatus(StrEnum):
    AWAITING_APPROVAL = marked("awaiting_approval")
    QUEUED = marked("queued")
    PROCESSING = marked("processing")
    COMPLETED = marked("completed")
    FAILED = marked("failed")
    UNKNOWN = marked("unknown")
    CANCELLED = marked("cancelled")


class OutEvent(StrEnum):
    APPROVED = "approved"
    APPROVAL_LAPSED = "approval_lapsed"
    CALLED_OFF = "called_off"
    SENDING = "sending"
    #: The request certainly never left, so it may be sent later.
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    TIMED_OUT_IN_QUEUE = "timed_out_in_queue"
    WENT_QUIET = "went_quiet"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    LATE_CONFIRMATION = "late_confirmation"


#: The request may be at M-Pesa: whoever sends it again may pay twice.
SENT = frozenset({OutStatus.PROCESSING, OutStatus.UNKNOWN})
#: Nothing has been sent yet, so it can be called off.
UNSENT = frozenset({OutStatus.AWAITING_APPROVAL, OutStatus.QUEUED})
#: Ended without money having left.
NOT_PAID = frozenset({OutStatus.FAILED, OutStatus.CANCELLED})

Edges = dict[tuple[OutStatus, OutEvent], OutStatus]


def _from_each(sources: frozenset[OutStatus], event: OutEvent, target: OutStatus) -> Edges:
    return {(source, event): target for source in sources}


OUT_EDGES: Edges = {
    (OutStatus.AWAITING_APPROVAL, OutEvent.APPROVED): OutStatus.QUEUED,
    (OutStatus.AWAITING_APPROVAL, OutEvent.APPROVAL_LAPSED): OutStatus.CANCELLED,
    **_from_each(UNSENT, OutEvent.CALLED_OFF, OutStatus.CANCELLED),
    (OutStatus.QUEUED, OutEvent.SENDING): OutStatus.PROCESSING,
    (OutStatus.PROCESSING, OutEvent.NOT_SENT): OutStatus.QUEUED,
    (OutStatus.PROCESSING, OutEvent.REFUSED): OutStatus.FAILED,
    (OutStatus.PROCESSING, OutEvent.UNANSWERED): OutStatus.UNKNOWN,
    (OutStatus.PROCESSING, OutEvent.TIMED_OUT_IN_QUEUE): OutStatus.UNKNOWN,
    (OutStatus.PROCESSING, OutEvent.WENT_QUIET): OutStatus.UNKNOWN,
    **_from_each(SENT, OutEvent.CONFIRMED, OutStatus.COMPLETED),
    **_from_each(SENT, OutEvent.DECLINED, OutStatus.FAILED),
    # What was paid was paid, whatever we thought of it: it must not be sent again.
    (OutStatus.QUEUED, OutEvent.CONFIRMED): OutStatus.COMPLETED,
    **_from_each(NOT_PAID, OutEvent.LATE_CONFIRMATION, OutStatus.COMPLETED),
}


def target_of(status: str, event: OutEvent) -> OutStatus | None:
    """Return where an event leads from a status, or None when it changes nothing there."""
    return OUT_EDGES.get((OutStatus(status), event))
