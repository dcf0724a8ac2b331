"""What Daraja posts about money going out, in the shapes of recorded traffic."""

from __future__ import annotations

from typing import Any

from app.disbursements.models import Disbursement

Body = dict[str, Any]
SUCCESS = "The service request is processed successfully."
RECEIPT = "UKL6OUT001"
#: What a question is answered with in the place of a receipt.
PLACEHOLDER = "UKL0000000"


def items(**values: Any) -> Body:
    """Return ResultParameters; a value of ``...`` leaves a row without its Value."""
    rows = [
        {"Key": key} if value is ... else {"Key": key, "Value": value}
        for key, value in values.items()
    ]
    return {"ResultParameter": rows}


def result(
    originator_id: str | None, conversation_id: str | None, code: object = 0, **more: Any
) -> Body:
    """Return a bare result. ``more`` are further keys; ids that are None are left out."""
    ids = {"OriginatorConversationID": originator_id, "ConversationID": conversation_id}
    told = {"ResultType": 0, "ResultCode": code, "ResultDesc": SUCCESS if code == 0 else "Declined"}
    named = {name: value for name, value in ids.items() if value is not None}
    reference = {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://daraja.test/submit"}}
    rest = {"TransactionID": PLACEHOLDER, "ReferenceData": reference}
    return {"Result": told | named | rest | more}


def paid_out(
    record: Disbursement,
    *,
    amount: object = None,
    receipt: str | None = RECEIPT,
    utility: float | None = None,
    **more: Any,
) -> Body:
    """Say that a record was paid, as B2C does. ``more`` are its ids, where they are not the
    record's own, and further keys.
    """
    shillings = record.amount_cents // 100 if amount is None else amount
    parameters = {"TransactionAmount": shillings, "TransactionReceipt": receipt}
    parameters["ReceiverPartyPublicName"] = f"{record.msisdn} - JANE DOE"
    parameters["TransactionCompletedDateTime"] = "21.11.2026 22:48:52"
    if utility is not None:
        parameters["B2CUtilityAccountAvailableFunds"] = utility
        parameters["B2CWorkingAccountAvailableFunds"] = 1199371.0
        parameters["B2CChargesPaidAccountAvailableFunds"] = -1980.0
    told = {name: value for name, value in parameters.items() if value is not None}
    ended = {"TransactionID": receipt, "ResultParameters": items(**told)}
    return result(**(names_of(record) | ended | more))


def declined(record: Disbursement, code: object = 2001) -> Body:
    """Say that a record was not paid."""
    return result(**names_of(record), code=code)


def status_told(record: Disbursement, status: object = "Completed", **more: Any) -> Body:
    """Answer a question about a record: that it worked, and what the transaction's status is."""
    values: Body = {
        "DebitPartyName": "600000 - LIPA DUKA                    ",
        "CreditPartyName": f"{record.msisdn} - JANE DOE",
        "OriginatorConversationID": names_of(record)["originator_id"],
        "InitiatedTime": 20261121224850,
        "DebitPartyCharges": "Fee For B2C Payment|KES|22.40",
        "TransactionReason": ...,
        "TransactionStatus": status,
        "FinalisedTime": 20261121224852,
        "Amount": record.amount_cents / 100,
        "ConversationID": record.conversation_id,
        "ReceiptNo": RECEIPT if status == "Completed" else ...,
    }
    answered = {name: value for name, value in (values | more).items() if value is not None}
    return result("a-question-s-own-id", "AG_a_question", ResultParameters=items(**answered))


def no_status(code: object = "SFC_IC0003") -> Body:
    """Answer a question: that it cannot be answered."""
    return result("a-question-s-own-id", "AG_a_question", code=code)


def balance_told(utility: float, working: float = 700000, account: str = "Utility Account") -> Body:
    """Answer the question for the balance, codes as strings as its documentation has them."""
    lines = {"Working Account": working, account: utility, "Charges Paid Account": -1540}
    told = "&".join(f"{name}|KES|{held:.2f}|{held:.2f}|0.00|0.00" for name, held in lines.items())
    body = result("a-question-s-own-id", "AG_a_question", "0")
    body["Result"]["ResultParameters"] = items(AccountBalance=told, BOCompletedTime=20261121224852)
    return body


def names_of(record: Disbursement) -> dict[str, Any]:
    """Return the ids that Daraja's result about a record carries."""
    return {
        "originator_id": record.daraja_originator_id or record.originator_id,
        "conversation_id": record.conversation_id,
    }
