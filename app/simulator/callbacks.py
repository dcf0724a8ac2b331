"""STK callbacks: what they say."""

import hashlib
import json
from typing import Any, Final

from app.mpesa.result_codes import stk_result
from app.simulator.clock import daraja_timestamp
from app.simulator.courier import Letter
from app.simulator.plans import CallbackPhone
from app.simulator.records import Prompt

# What a contradicting callback claims: nobody entered a PIN.
FALSE_RESULT: Final = "1037"
# Far enough apart that two letters arrive in the order in which they were sent.
CONTRADICTION_SECONDS: Final = 0.2


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


def stk_letter(prompt: Prompt, false_result: str | None = None) -> Letter:
    """The callback of a prompt that has ended, as things stand."""
    return Letter(
        url=prompt.push.callback_url,
        body=json.dumps(stk_callback(prompt, false_result)).encode(),
        says=f"callback with ResultCode {false_result or prompt.result_code}",
        checkout_request_id=prompt.checkout_request_id,
        # Seen in a sandbox log, on STK callbacks.
        headers={"Businessshortcode": prompt.push.shortcode},
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
