"""What each figure counts, in one sentence or two. One source for the page and the API."""

from __future__ import annotations

ABOUT = {
    "success_rate": "Of the payments that have come to an end, the share that was paid. What is "
    "still open or under review is in neither.",
    "callback_receipt_rate": "Of the prompts that Daraja took on more than a minute ago, the share "
    "of which a callback has come that the attempt's own token or Safaricom's address vouches for.",
    "failed_transactions": "The failed payments by why they failed, the most frequent first.",
    "average_payment_time": "From the moment that a payment was asked for until its money was "
    "booked, on average over the paid ones; one that took more than an hour counts as an hour.",
    "total_initiated": "Payments that were asked for: every attempt, whatever became of it.",
    "successful": "Of these, the ones that were paid and booked.",
    "failed": "Of these, the ones that ended without money: refused, declined, cancelled or run "
    "out.",
    "pending_over_5_minutes": "Payments that were asked for more than five minutes ago, on "
    "whichever day, and whose end is not known now.",
    "callback_failures": "Callbacks that could not be acted on: something went wrong with us, or "
    "one from Safaricom's addresses cannot be read or names no payment of ours.",
}


def of_reason(reason: str) -> str:
    """Write the short name of why a payment failed for people: ``Insufficient funds``."""
    return reason.replace("_", " ").capitalize().replace(" pin", " PIN").replace("Pin ", "PIN ")
