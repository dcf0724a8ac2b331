"""What happened, in people's words, with what to do next. One source for page and modal.

Nobody is told that money did not move unless it is known: an end that M-Pesa told only when we
asked, and one of which a payer may have been too slow to hear, is told as M-Pesa's word, with what
to do if money left the phone all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.errors import InvalidPhone, LipaError, ProviderRefused, ProviderUnavailable
from app.core.texts import marked, said
from app.mpesa.messages import PushRefused
from app.payments.evidence import Evidence
from app.payments.models import Payment

SUPPORT = marked("If money left your phone, keep the M-Pesa message and show it to the shop.")
CAUTION = marked(
    "But if money has left your phone, do not pay again: keep the M-Pesa message, and show it to "
    "the shop if this page does not soon say that you have paid."
)


@dataclass(frozen=True)
class Words:
    """A heading and a text below it; English, and said again in a page's language there."""

    title: str
    message: str


@dataclass(frozen=True)
class End:
    """An end without money: what it is called, what is known of it, and what to do next.

    One that is not ``is_sure`` is told with what to do if money left the phone all the same.
    """

    title: str
    step: str
    fact: str = marked("Nothing was paid.")
    is_sure: bool = True


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
    "2002": "shop_not_set_up",
    "2028": "shop_not_set_up",
    "8006": "pin_locked",
    "9999": "prompt_not_sent",
    "E3008": "number_refused",
    "SFC_IC0003": "shop_not_set_up",
}

_NOT_SENT = marked("Nothing was sent to your phone.")
#: M-Pesa's word for it, which may be the word of a moment before the PIN came.
_M_PESA_SAYS = marked("M-Pesa says that nothing was paid.")

_BY_REASON = {
    "cancelled": End(
        marked("You cancelled the payment"),
        marked("You can try again."),
        marked("The prompt was closed on the phone, so nothing was paid."),
    ),
    "timeout": End(
        marked("The prompt ran out"),
        marked("Unlock your phone, keep it near, and try again."),
        marked("M-Pesa says that no PIN was entered in time and nothing was paid."),
        is_sure=False,
    ),
    "insufficient_funds": End(
        marked("Not enough money in M-Pesa"),
        marked("Top up and try again, or pay from another phone."),
        marked("Your M-Pesa balance is too low for this order, so nothing was paid."),
    ),
    "wrong_pin": End(
        marked("The PIN was not right"),
        marked("Try again with care: M-Pesa locks a PIN after several wrong tries."),
        marked("M-Pesa did not accept the PIN, so nothing was paid."),
    ),
    "pin_locked": End(
        marked("Your M-Pesa PIN is locked"),
        marked("Call Safaricom on 100 or 234 to unlock it, or pay from another phone."),
    ),
    "phone_busy": End(
        marked("Another M-Pesa menu is open on your phone"),
        marked("Close that menu, wait half a minute, and try again."),
    ),
    "repeated_too_soon": End(
        marked("M-Pesa wants a short pause"),
        marked("Wait two minutes, then try again."),
    ),
    "mpesa_busy": End(marked("M-Pesa is busy"), marked("Wait a minute, then try again.")),
    "prompt_not_sent": End(
        marked("The prompt did not reach your phone"),
        marked("Check that the phone is on and has network, then try again."),
    ),
    "amount_too_low": End(
        marked("The amount is too small for M-Pesa"),
        marked("Please tell the shop, or put more into the order."),
    ),
    "amount_too_high": End(
        marked("The amount is too large for one M-Pesa payment"),
        marked("Split the order, or ask the shop how else to pay."),
    ),
    "daily_limit": End(
        marked("Your M-Pesa limit for today is reached"),
        marked("Pay from another phone, or try again tomorrow."),
    ),
    "balance_limit": End(
        marked("The M-Pesa account that is paid is full"),
        marked("Please tell the shop, and try again later."),
    ),
    "shop_not_set_up": End(
        marked("The shop's M-Pesa account is not set up for this"),
        marked("Please tell the shop: trying again does not help."),
    ),
    "number_refused": End(
        marked("M-Pesa does not let this number pay"),
        marked("Use another M-Pesa number. Safaricom tells why on 100."),
    ),
    "no_answer": End(
        marked("We never heard from M-Pesa"),
        marked("If no money left your phone, try again."),
        marked("No news of this prompt ever came, so nobody knows yet whether it was paid."),
        is_sure=False,
    ),
    "refused_phone": End(
        marked("M-Pesa does not know this number"),
        marked("Check the number, or use another M-Pesa number."),
        _NOT_SENT,
    ),
    "refused_busy_phone": End(
        marked("Your phone already has an M-Pesa prompt open"),
        marked("Answer or close it, wait a minute, and try again."),
        marked("Nothing new was sent."),
    ),
    "refused_unreachable": End(
        marked("M-Pesa cannot be reached just now"), marked("Try again in a minute."), _NOT_SENT
    ),
    "refused_throttled": End(
        marked("M-Pesa is very busy"), marked("Try again in a minute."), _NOT_SENT
    ),
    "refused_credentials": End(
        marked("The shop's M-Pesa account is not set up"),
        marked("Please tell the shop."),
        _NOT_SENT,
    ),
    "refused_other": End(
        marked("M-Pesa refused the request"),
        marked("Try again in a minute. If it is refused again, please tell the shop."),
        _NOT_SENT,
    ),
}
#: What a code means that is not known is not known either, so money is not ruled out.
_DECLINED = End(
    marked("The payment did not go through"),
    marked("Try again, or use another M-Pesa number."),
    marked("M-Pesa declined it and says that nothing was paid."),
    is_sure=False,
)
_COMING_ONCE_CLOSED = marked(
    "Nothing was paid. Close it on the phone: we send our prompt once more by ourselves. You can "
    "also pay from another phone."
)
_COMING = marked(
    "Nothing was paid. Keep the phone on: we send the prompt once more by ourselves. You can also "
    "pay from another phone."
)
WAITING = Words(
    marked("Check your phone"),
    marked(
        "An M-Pesa prompt is on its way to your phone. Enter your PIN there to pay. "
        "Keep this page open."
    ),
)
OVERDUE = Words(
    marked("Still waiting for M-Pesa"),
    said(
        "The prompt has ended and M-Pesa has not told us how. We keep asking; do not pay twice. "
        "{support}",
        support=SUPPORT,
    ),
)
#: Daraja has been asked for days, and is asked no more.
UNTOLD = Words(
    marked("M-Pesa has not told us how this ended"),
    said(
        "We asked many times, and a person of the shop is looking at it now. Do not pay twice. "
        "{support}",
        support=SUPPORT,
    ),
)
UNCONFIRMED = Words(
    marked("We are checking with M-Pesa"),
    marked(
        "M-Pesa did not answer clearly, so a prompt may be on your phone. If it is, enter your "
        "PIN. We are checking; do not pay twice."
    ),
)
UNCONFIRMED_OVERDUE = Words(
    UNCONFIRMED.title,
    said(
        "M-Pesa did not answer clearly, and by now no prompt should be on your phone. Wait a "
        "minute while we make sure; do not pay twice. {support}",
        support=SUPPORT,
    ),
)
COMPLETED = Words(
    marked("Paid. Thank you!"),
    marked("Your payment has arrived and your order is confirmed."),
)
#: The order was paid by another road while a prompt is still open.
PAID_ELSEWHERE = Words(
    COMPLETED.title,
    marked(
        "Your payment has arrived and your order is confirmed. If an M-Pesa prompt is still on a "
        "phone, close it: nothing more is owed."
    ),
)
REVIEW = Words(
    marked("Money arrived, and a person is looking at it"),
    marked(
        "Something about the payment does not match the order. The shop has been told; "
        "you need not pay again."
    ),
)
UNPAID = Words(marked("Not paid yet"), marked("Pay with M-Pesa: we send a prompt to your phone."))
PART_PAID = marked("Part of this order is paid")
ORDER_CANCELLED = Words(
    marked("Order cancelled"),
    marked("This order was cancelled. Nothing is owed."),
)
ORDER_EXPIRED = Words(
    marked("Order expired"),
    marked("It was not paid in time, so the goods went back on the shelf."),
)


def closed(order: Words, *, was_asked: bool) -> Words:
    """Return the words for a closed order; whoever had a prompt for it may have paid too late."""
    if not was_asked:
        return order
    return Words(order.title, said("{fact} {step}", fact=order.message, step=SUPPORT))


def reason_of(result_code: str) -> str:
    """Return the short name of why a prompt ended without money."""
    return _REASONS.get(result_code, "declined")


def unpaid_end(reason: str | None, evidence: str | None = None) -> Words:
    """Return the words for an attempt that ended without money.

    ``evidence`` is how the end is known: one that a query told may be overtaken by money.
    """
    end = _BY_REASON.get(reason or "", _DECLINED)
    if not end.is_sure:
        return Words(end.title, _unsure(end.fact, end.step))
    if evidence == Evidence.QUERY:
        return Words(end.title, _unsure(_M_PESA_SAYS, end.step))
    return Words(end.title, said("{fact} {step}", fact=end.fact, step=end.step))


def is_sure(reason: str | None, evidence: str | None) -> bool:
    """Tell whether an end without money is certain; see ``unpaid_end``."""
    return _BY_REASON.get(reason or "", _DECLINED).is_sure and evidence != Evidence.QUERY


def next_step(reason: str | None) -> str:
    """Return what to do after an end without money, and nothing else."""
    return _BY_REASON.get(reason or "", _DECLINED).step


def coming_again(reason: str | None) -> Words:
    """Return the words while the engine is about to send the prompt once more by itself."""
    title = _BY_REASON.get(reason or "", _DECLINED).title
    was_locked = reason in ("phone_busy", "refused_busy_phone")
    return Words(title, _COMING_ONCE_CLOSED if was_locked else _COMING)


def refusal(answer: PushRefused, payment: Payment) -> LipaError:
    """Turn Daraja's refusal into the error that the caller is told."""
    words = unpaid_end(f"refused_{answer.kind}")
    details = {
        "transaction_id": payment.public_ref,
        "provider_code": answer.code,
        "provider_message": answer.description,
        "reason": f"refused_{answer.kind}",
    }
    message = said("{title}. {message}", title=words.title, message=words.message)
    if answer.kind == "phone":
        return InvalidPhone(message, details=details)
    if answer.kind in ("unreachable", "throttled"):
        return ProviderUnavailable(message, details=details)
    return ProviderRefused(message, details=details)


def _unsure(fact: str, step: str) -> str:
    return said("{fact} {step} {caution}", fact=fact, step=step, caution=CAUTION)
