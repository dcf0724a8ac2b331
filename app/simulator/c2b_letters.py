"""What a shop is told of payments by hand: before it is made, and when it has been."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from app.simulator.bills import Biller
from app.simulator.c2b_rules import Registration
from app.simulator.clock import NAIROBI, daraja_timestamp
from app.simulator.courier import Letter
from app.simulator.numbers import plain
from app.simulator.records import HandPayment, LedgerEntry

#: What a ValidationURL may answer in place of 0, and what each means (documented).
REJECTIONS: Final = {
    "C2B00011": "Invalid MSISDN",
    "C2B00012": "Invalid Account Number",
    "C2B00013": "Invalid Amount",
    "C2B00014": "Invalid KYC Details",
    "C2B00015": "Invalid Shortcode",
    "C2B00016": "Other Error",
}


def validation(
    registered: Registration,
    payment: HandPayment,
    receipt: str,
    at: datetime,
    names: dict[str, str],
) -> Letter:
    """The question before the money moves. No balance is told yet (documented)."""
    body = _body(registered, payment, receipt, at, names)
    return _letter(registered.validation_url, body, f"validation of {receipt}")


def confirmation(
    registered: Registration,
    entry: LedgerEntry,
    balance_cents: int,
    names: dict[str, str],
    *,
    own_id: str = "",
    extra_shillings: int = 0,
) -> Letter:
    """The news that money has moved, by hand or by a prompt."""
    payment = HandPayment(
        entry.msisdn, entry.shortcode, entry.amount_cents, entry.account_reference or ""
    )
    body = _body(registered, payment, entry.receipt, entry.moved_at, names) | {
        "TransAmount": plain(entry.amount_cents + extra_shillings * 100),
        "OrgAccountBalance": plain(balance_cents),
        "ThirdPartyTransID": own_id,
    }
    return _letter(registered.confirmation_url, body, f"confirmation of {entry.receipt}")


def transfer_confirmation(
    registered: Registration, entry: LedgerEntry, balance_cents: int
) -> Letter:
    """The news that another shop has paid: it has no phone and no name (recorded)."""
    payment = HandPayment(
        "", registered.shortcode, entry.amount_cents, entry.account_reference or ""
    )
    body = _body(registered, payment, entry.receipt, entry.moved_at, {"FirstName": ""}) | {
        "TransactionType": "Organization To Organization Transfer",
        "OrgAccountBalance": plain(balance_cents),
        "MSISDN": "",
    }
    return _letter(registered.confirmation_url, body, f"confirmation of {entry.receipt}")


def bill_payment(biller: Biller, entry: LedgerEntry) -> Letter:
    """Bill Manager's news that an invoice was paid, in whole or in part."""
    body = {
        "transactionId": entry.receipt,
        "paidAmount": entry.amount_cents // 100,
        "msisdn": entry.msisdn,
        "dateCreated": entry.moved_at.astimezone(NAIROBI).strftime("%Y-%m-%d"),
        "accountReference": entry.account_reference,
        "shortCode": int(entry.shortcode),
    }
    return _letter(biller.callback_url, body, f"payment {entry.receipt} of an invoice")


def names_of(full_name: str, *, all_of_them: bool) -> dict[str, str]:
    """The sandbox has three; production recordings of 2022 to 2024 have the first alone."""
    first, _, last = full_name.partition(" ")
    rest = {"MiddleName": "", "LastName": last} if all_of_them else {}
    return {"FirstName": first, **rest}


def hidden(msisdn: str, *, hashes: bool) -> str:
    """A payer's number as shops see it.

    v1 sends its SHA-256 in lower-case hex: a recorded one is that of the test number. v2 masks it,
    ``2547 ***** 126``, as in many recordings.
    """
    if hashes:
        return hashlib.sha256(msisdn.encode()).hexdigest()
    return f"{msisdn[:4]} ***** {msisdn[-3:]}"


def _body(
    registered: Registration,
    payment: HandPayment,
    receipt: str,
    at: datetime,
    names: dict[str, str],
) -> dict[str, Any]:
    """Flat, in the recorded order, and every value a string."""
    return {
        "TransactionType": payment.transaction_type,
        "TransID": receipt,
        "TransTime": daraja_timestamp(at),
        "TransAmount": plain(payment.amount_cents),
        "BusinessShortCode": payment.shortcode,
        "BillRefNumber": payment.account,
        "InvoiceNumber": "",
        "OrgAccountBalance": "",
        "ThirdPartyTransID": "",
        "MSISDN": hidden(payment.msisdn, hashes=registered.hashes),
        **names,
    }


def _letter(url: str, body: dict[str, Any], says: str) -> Letter:
    return Letter(url=url, body=json.dumps(body).encode(), says=says)
