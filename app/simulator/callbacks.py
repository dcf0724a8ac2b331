"""What is posted when a prompt has ended: STK callbacks, and those of its two relatives."""

import hashlib
import json
from typing import Any, Final

from app.mpesa.result_codes import stk_result
from app.simulator.clock import daraja_timestamp
from app.simulator.courier import Letter
from app.simulator.plans import CallbackPhone
from app.simulator.records import Prompt, StandingTerms, TillRequest
from app.simulator.standing_orders import NAME_TAKEN

# What a contradicting callback claims: nobody entered a PIN.
FALSE_RESULT: Final = "1037"
# Far enough apart that two letters arrive in the order in which they were sent.
CONTRADICTION_SECONDS: Final = 0.2
# Published for cancelled requests to tills, by a number of their own.
TILL_CANCELLED: Final = ("4001", "User cancelled transaction")
# What a standing order that failed has in the place of a receipt (documented).
NO_TRANSACTION: Final = "0000000000"
# The code is published, its words are not.
_TEXTS: Final = {NAME_TAKEN: "The payer has a standing order of this name."}


def stk_callback(prompt: Prompt, false_result: str | None = None) -> dict[str, Any]:
    """The body, in the shape of the plan: both are seen in recorded traffic.

    `false_result` is a code to claim in place of the prompt's own.
    """
    result = stk_result(false_result or prompt.result_code)
    callback: dict[str, Any] = {
        "MerchantRequestID": prompt.merchant_request_id,
        "CheckoutRequestID": prompt.checkout_request_id,
        # A number, except for codes that are none: E3008 came as a string.
        "ResultCode": int(result.code) if result.code.isdigit() else result.code,
        "ResultDesc": result.description,
    }
    if prompt.payment is not None and prompt.plan.callback_metadata and not false_result:
        callback["CallbackMetadata"] = {"Item": _metadata(prompt)}
    return {"Body": {"stkCallback": callback}}


def _metadata(prompt: Prompt) -> list[dict[str, Any]]:
    payment, plan = prompt.payment, prompt.plan
    if payment is None:
        return []
    amount = payment.amount_cents // 100 + plan.callback_extra_shillings
    is_old = plan.callback_shape == "2024"
    phone = _phone(payment.msisdn, plan.callback_phone)
    return [
        {"Name": "Amount", "Value": float(amount) if is_old else amount},
        {"Name": "MpesaReceiptNumber", "Value": payment.receipt},
        *([{"Name": "Balance"}] if is_old else []),
        {"Name": "TransactionDate", "Value": int(daraja_timestamp(payment.moved_at))},
        *([{"Name": "PhoneNumber", "Value": phone}] if phone is not None else []),
    ]


def _phone(msisdn: str, shown: CallbackPhone) -> int | str | None:
    """A number in every recording; the other forms are claimed, or known of other APIs."""
    match shown:
        case "number":
            return int(msisdn)
        case "text":
            return msisdn
        case "masked":
            return f"{msisdn[:6]}***{msisdn[-3:]}"
        case "hashed":
            return hashlib.sha256(msisdn.encode()).hexdigest()
    return None


def result_text(code: str) -> str:
    """The words that go with the code of a prompt."""
    return _TEXTS.get(code) or stk_result(code).description


def till_callback(prompt: Prompt, request: TillRequest, code: str) -> dict[str, Any]:
    """Of a request to a till: flat, and every value a string (documented)."""
    paid = prompt.payment if code == "0" else None
    said, text = TILL_CANCELLED if code == "1032" else (code, result_text(code))
    told = {
        "resultCode": said,
        "resultDesc": text,
        "amount": f"{prompt.push.amount_cents / 100:.1f}",
        "requestId": request.own_id,
    }
    if paid is None:
        return told | {"paymentReference": prompt.push.account_reference, "status": "FAILED"}
    return told | {
        "resultType": "0",
        "conversationID": paid.conversation_id,
        "transactionId": paid.receipt,
        "status": "SUCCESS",
    }


def standing_callback(prompt: Prompt, terms: StandingTerms, code: str) -> dict[str, Any]:
    """Of a standing order: success in keys of small letters, failure in capitals (documented)."""
    is_success, number = code == "0", prompt.push.msisdn
    header = {
        "responseRefID": terms.reference,
        "requestRefID": terms.reference,
        "responseCode": code,
        "responseDescription": result_text(code),
    }
    items = {
        "TransactionID": terms.receipt if is_success else NO_TRANSACTION,
        "responseCode": code,
        "Status": "OKAY" if is_success else "ERROR",
        "Msisdn": f"{number[:3]}******{number[-3:]}",
    }
    if is_success:
        data = [{"name": name, "value": value} for name, value in items.items()]
        return {"responseHeader": header, "responseBody": {"responseData": data}}
    data = [{"Name": name, "Value": value} for name, value in items.items()]
    return {"ResponseHeader": header, "ResponseBody": {"ResponseData": data}}


def _body(prompt: Prompt, false_result: str | None) -> dict[str, Any]:
    code = false_result or prompt.result_code or ""
    if prompt.push.standing is not None:
        return standing_callback(prompt, prompt.push.standing, code)
    if prompt.push.till is not None:
        return till_callback(prompt, prompt.push.till, code)
    return stk_callback(prompt, false_result)


def stk_letter(prompt: Prompt, false_result: str | None = None) -> Letter:
    """The callback of a prompt that has ended, as things stand."""
    return Letter(
        url=prompt.push.callback_url,
        body=json.dumps(_body(prompt, false_result)).encode(),
        says=f"callback with ResultCode {false_result or prompt.result_code}",
        checkout_request_id=prompt.checkout_request_id,
        # Seen in a sandbox log, on STK callbacks.
        headers={"Businessshortcode": prompt.push.shortcode} if prompt.push.is_payment else {},
    )


def letters_about(prompt: Prompt) -> list[tuple[float, Letter]]:
    """What is posted about a prompt that has ended, and how many seconds after its time.

    Only a payment is contradicted: to claim a success that never was, one must be a forger.
    """
    truth, told = stk_letter(prompt), prompt.plan.false_time_out
    letters = [(0.0, truth)]
    if prompt.payment is not None and told != "none":
        lie = stk_letter(prompt, FALSE_RESULT)
        first, second = (lie, truth) if told == "before" else (truth, lie)
        letters = [(0.0, first), (CONTRADICTION_SECONDS, second)]
    return letters * prompt.plan.callback_copies
