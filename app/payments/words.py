"""What happened, in people's words, with what to do next. One source for page and modal."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import InvalidPhone, LipaError, ProviderRefused, ProviderUnavailable
from app.mpesa.messages import PushRefused
from app.payments.models import Payment

SUPPORT = "If money left your phone, keep the M-Pesa message and show it to the shop."


@dataclass(frozen=True)
class Words:
    title: str
    message: str


#: Short names of reasons, by result code. A program can branch on them.
_REASONS = {
    "1": "insufficient_funds",
    "2": "amount_too_low",
    "3": "amount_too_high",
    "4": "daily_limit",
    "8": "balance_limit",
    "17": "repeated_too_soon",
    "26": "mpesa_busy",
    "1001": "phone_busy",
    "1019": "timeout",
    "1025": "prompt_not_sent",
    "1031": "cancelled",
    "1032": "cancelled",
    "1036": "prompt_not_sent",
    "1037": "timeout",
    "2001": "wrong_pin",
    "8006": "pin_locked",
    "9999": "prompt_not_sent",
}

_BY_REASON = {
    "cancelled": Words(
        "You cancelled the payment",
        "The prompt was cancelled on the phone, so nothing was paid. You can try again.",
    ),
    "timeout": Words(
        "The prompt ran out",
        "No PIN was entered in time, so nothing was paid. Unlock your phone, keep it near, "
        "and try again.",
    ),
    "insufficient_funds": Words(
        "Not enough money in M-Pesa",
        "Your M-Pesa balance is too low for this order. Top up, or pay from another phone.",
    ),
    "wrong_pin": Words(
        "The PIN was not right",
        "M-Pesa did not accept the PIN, so nothing was paid. Try again with care: "
        "M-Pesa locks a PIN after several wrong tries.",
    ),
    "pin_locked": Words(
        "Your M-Pesa PIN is locked",
        "Call Safaricom on 100 or 234 to unlock it, or pay from another phone.",
    ),
    "phone_busy": Words(
        "Another M-Pesa menu is open on your phone",
        "Leave that menu, wait half a minute, and try again.",
    ),
    "repeated_too_soon": Words(
        "M-Pesa wants a short pause",
        "The same amount was tried a moment ago. Wait two minutes, then try again.",
    ),
    "mpesa_busy": Words("M-Pesa is busy", "Nothing was paid. Wait a minute, then try again."),
    "prompt_not_sent": Words(
        "The prompt did not reach your phone",
        "Nothing was paid. Check that the phone is on and has network, then try again.",
    ),
    "daily_limit": Words(
        "Your M-Pesa limit for today is reached",
        "Nothing was paid. Pay from another phone, or try again tomorrow.",
    ),
    "no_answer": Words(
        "We never heard from M-Pesa",
        f"No news of this prompt ever came. {SUPPORT} Otherwise try again.",
    ),
    "refused_phone": Words(
        "M-Pesa does not know this number",
        "Check the number, or use another M-Pesa number. Nothing was paid.",
    ),
    "refused_busy_phone": Words(
        "Your phone already has an M-Pesa prompt open",
        "Answer or close it, wait a minute, and try again. Nothing new was sent.",
    ),
    "refused_unreachable": Words(
        "M-Pesa cannot be reached just now",
        "Nothing was sent to your phone. Try again in a minute.",
    ),
    "refused_throttled": Words(
        "M-Pesa is very busy", "Nothing was sent to your phone. Try again in a minute."
    ),
    "refused_credentials": Words(
        "The shop's M-Pesa account is not set up",
        "Nothing was sent to your phone. Please tell the shop.",
    ),
}
_DECLINED = Words(
    "The payment did not go through",
    "M-Pesa declined it, so nothing was paid. Try again, or use another M-Pesa number.",
)
WAITING = Words(
    "Check your phone",
    "An M-Pesa prompt is on its way to your phone. Enter your PIN there to pay. "
    "Keep this page open.",
)
OVERDUE = Words(
    "Still waiting for M-Pesa",
    "The prompt has ended and M-Pesa has not told us how. We keep asking; "
    f"do not pay twice. {SUPPORT}",
)
UNCONFIRMED = Words(
    "We are checking with M-Pesa",
    "M-Pesa did not answer clearly, so a prompt may be on your phone. If it is, enter your PIN. "
    "We are checking; do not pay twice.",
)
COMPLETED = Words("Paid. Thank you!", "Your payment has arrived and your order is confirmed.")
REVIEW = Words(
    "Money arrived, and a person is looking at it",
    "Something about the payment does not match the order. The shop has been told; "
    "you need not pay again.",
)
UNPAID = Words("Not paid yet", "Pay with M-Pesa: we send a prompt to your phone.")


def reason_of(result_code: str) -> str:
    """Return the short name of why a prompt ended without money."""
    return _REASONS.get(result_code, "declined")


def unpaid_end(reason: str | None) -> Words:
    """Return the words for an attempt that ended without money."""
    return _BY_REASON.get(reason or "", _DECLINED)


def refusal(answer: PushRefused, payment: Payment) -> LipaError:
    """Turn Daraja's refusal into the error that the caller is told."""
    words = _BY_REASON.get(f"refused_{answer.kind}", _DECLINED)
    details = {
        "transaction_id": payment.public_ref,
        "provider_code": answer.code,
        "provider_message": answer.description,
        "reason": f"refused_{answer.kind}",
    }
    message = f"{words.title}. {words.message}"
    if answer.kind == "phone":
        return InvalidPhone(message, details=details)
    if answer.kind in ("unreachable", "throttled"):
        return ProviderUnavailable(message, details=details)
    return ProviderRefused(message, details=details)
