"""The messages that M-Pesa sends to people's phones, in its own manner of speaking."""

from typing import TYPE_CHECKING, Final

from app.simulator.clock import sms_moment
from app.simulator.numbers import ksh

if TYPE_CHECKING:
    from app.simulator.records import HandPayment, LedgerEntry, Prompt


_TOO_MUCH: Final = (
    "Failed. You have entered an amount above the most that one M-PESA transaction may be, "
    "Ksh250,000.00."
)


def about(prompt: "Prompt", balance_cents: int) -> str | None:
    """What the payer is told when the prompt ends; None where M-Pesa says nothing."""
    push, amount = prompt.push, ksh(prompt.push.amount_cents)
    if push.standing is not None and prompt.result_code == "0":
        return (
            f"{push.standing.receipt} Confirmed. You let {prompt.business_name} collect {amount} "
            f"{push.standing.how_often} until {push.standing.last_day}: {push.standing.name}."
        )
    if push.till is not None and prompt.payment is not None:
        return (
            f"{prompt.payment.receipt} Confirmed. {amount} sent from till {push.shortcode} to "
            f"{push.till.vendor} on {sms_moment(prompt.payment.moved_at)}."
        )
    if push.till is not None and prompt.result_code == "1":
        return f"Failed. Till {push.shortcode} does not hold {amount}. Nothing was paid."
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
            return _TOO_MUCH
    return None


def _confirmation(prompt: "Prompt", payment: "LedgerEntry", balance_cents: int) -> str:
    is_till = prompt.push.transaction_type != "CustomerPayBillOnline"
    account = "" if is_till else payment.account_reference or ""
    return _paid(payment, prompt.business_name, account, balance_cents)


def paid_by_hand(entry: "LedgerEntry", business_name: str, balance_cents: int) -> str:
    """What a payer is told who was not prompted."""
    return _paid(entry, business_name, entry.account_reference or "", balance_cents)


def refused_by_hand(
    payment: "HandPayment", business_name: str, balance_cents: int, code: str
) -> str:
    """What a payer is told whose payment was not made, by M-Pesa's code or the shop's."""
    amount = ksh(payment.amount_cents)
    match code:
        case "1":
            return (
                f"Failed. You do not have enough money in your M-PESA account to pay {amount} to "
                f"{business_name}. Your M-PESA balance is {ksh(balance_cents)}."
            )
        case "3":
            return _TOO_MUCH
        case "C2B00012":
            return (
                f"Failed. You have entered the wrong account number, {payment.account}, to pay "
                f"{business_name}. Check it and try again."
            )
    return f"Failed. {business_name} did not accept your payment of {amount}. Nothing was paid."


def _paid(payment: "LedgerEntry", business_name: str, account: str, balance_cents: int) -> str:
    """To a paybill money is sent for an account; a till is paid."""
    paid = "sent" if account else "paid"
    for_account = f" for account {account}" if account else ""
    return (
        f"{payment.receipt} Confirmed. {ksh(payment.amount_cents)} {paid} to "
        f"{business_name}{for_account} on {sms_moment(payment.moved_at)}. "
        f"New M-PESA balance is {ksh(balance_cents)}. Transaction cost, Ksh0.00."
    )


def received(entry: "LedgerEntry", business_name: str, balance_cents: int) -> str:
    """What the payee of a payout is told."""
    return (
        f"{entry.receipt} Confirmed. You have received {ksh(entry.amount_cents)} from "
        f"{business_name} on {sms_moment(entry.moved_at)}. "
        f"New M-PESA balance is {ksh(balance_cents)}."
    )


def reversed_payment(entry: "LedgerEntry", balance_cents: int) -> str:
    """What the payer is told whose payment comes back."""
    return (
        f"{entry.receipt} Confirmed. Transaction {entry.original_receipt} has been reversed on "
        f"{sms_moment(entry.moved_at)} and {ksh(entry.amount_cents)} is credited to your M-PESA "
        f"account. New M-PESA balance is {ksh(balance_cents)}."
    )
