"""The messages that M-Pesa sends to the payer, in its own manner of speaking."""

from typing import TYPE_CHECKING

from app.simulator.clock import sms_moment
from app.simulator.numbers import ksh

if TYPE_CHECKING:
    from app.simulator.world import LedgerEntry, Prompt


def about(prompt: "Prompt", balance_cents: int) -> str | None:
    """What the payer is told when the prompt ends; None where M-Pesa says nothing."""
    if prompt.payment is not None:
        return _confirmation(prompt, prompt.payment, balance_cents)
    match prompt.result_code:
        case "1":
            return (
                "Failed. You do not have enough money in your M-PESA account to pay "
                f"{ksh(prompt.push.amount_cents)} to {prompt.business_name}. "
                f"Your M-PESA balance is {ksh(balance_cents)}."
            )
        case "2001":
            return "You have entered the wrong PIN. The payment was not made. Please try again."
        case "3":
            return (
                "Failed. You have entered an amount above the most that one M-PESA transaction "
                "may be, Ksh250,000.00."
            )
    return None


def _confirmation(prompt: "Prompt", payment: "LedgerEntry", balance_cents: int) -> str:
    account = ""
    if prompt.push.transaction_type == "CustomerPayBillOnline":
        account = f" for account {payment.account_reference}"
    paid = "sent" if account else "paid"
    return (
        f"{payment.receipt} Confirmed. {ksh(payment.amount_cents)} {paid} to "
        f"{prompt.business_name}{account} on {sms_moment(payment.moved_at)}. "
        f"New M-PESA balance is {ksh(balance_cents)}. Transaction cost, Ksh0.00."
    )
