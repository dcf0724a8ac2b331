"""What each figure counts, in one sentence or two. One source for the page and the API."""

from __future__ import annotations

from app.core.texts import marked

ABOUT = {
    "success_rate": marked(
        "Of the payments that have come to an end, the share that was paid. What is "
        "still open or under review is in neither."
    ),
    "callback_receipt_rate": marked(
        "Of the prompts that Daraja took on more than a minute ago, the share of which a callback "
        "has come that the attempt's own token or Safaricom's address vouches for."
    ),
    "failed_transactions": marked(
        "The failed payments by why they failed, the most frequent first."
    ),
    "average_payment_time": marked(
        "From the moment that a payment was asked for until its money was "
        "booked, on average over the paid ones; one that took more than an hour counts as an hour."
    ),
    "total_initiated": marked(
        "Payments that were asked for: every attempt, whatever became of it."
    ),
    "successful": marked("Of these, the ones that were paid and booked."),
    "failed": marked(
        "Of these, the ones that ended without money: refused, declined, cancelled or run out."
    ),
    "pending_over_5_minutes": marked(
        "Payments that were asked for more than five minutes ago, on "
        "whichever day, and whose end is not known now."
    ),
    "callback_failures": marked(
        "Callbacks that could not be acted on: something went wrong with us, or "
        "one from Safaricom's addresses cannot be read or names no payment of ours."
    ),
}
NAMES = {
    "success_rate": marked("Success rate"),
    "callback_receipt_rate": marked("Callback receipt rate"),
    "failed_transactions": marked("Failed transactions"),
    "average_payment_time": marked("Average payment time"),
    "total_initiated": marked("Total initiated"),
    "successful": marked("Successful"),
    "failed": marked("Failed"),
    "pending_over_5_minutes": marked("Pending over 5 minutes"),
    "callback_failures": marked("Callback failures"),
}
_REASONS = {
    "cancelled": marked("Cancelled"),
    "timeout": marked("Timeout"),
    "insufficient_funds": marked("Insufficient funds"),
    "wrong_pin": marked("Wrong PIN"),
    "pin_locked": marked("PIN locked"),
    "phone_busy": marked("Phone busy"),
    "repeated_too_soon": marked("Repeated too soon"),
    "mpesa_busy": marked("Mpesa busy"),
    "prompt_not_sent": marked("Prompt not sent"),
    "amount_too_low": marked("Amount too low"),
    "amount_too_high": marked("Amount too high"),
    "daily_limit": marked("Daily limit"),
    "balance_limit": marked("Balance limit"),
    "shop_not_set_up": marked("Shop not set up"),
    "number_refused": marked("Number refused"),
    "no_answer": marked("No answer"),
    "declined": marked("Declined"),
    "failed": marked("Failed"),
    "expired": marked("Expired"),
    "refused_phone": marked("Refused phone"),
    "refused_busy_phone": marked("Refused busy phone"),
    "refused_unreachable": marked("Refused unreachable"),
    "refused_throttled": marked("Refused throttled"),
    "refused_credentials": marked("Refused credentials"),
    "refused_other": marked("Refused other"),
}


def of_reason(reason: str) -> str:
    """Name why a payment failed for people: ``Insufficient funds``; an unknown reason as such."""
    return _REASONS.get(reason) or reason.replace("_", " ").capitalize()
