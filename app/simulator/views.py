"""What the world is made of, as JSON; to be called under the world's lock."""

from typing import Any

from app.simulator.callbacks import result_text
from app.simulator.clock import clock_face, iso, iso_milliseconds, utc_now
from app.simulator.conversations import Conversation
from app.simulator.numbers import ksh, ksh_short, shillings
from app.simulator.organisations import Organisation
from app.simulator.records import LedgerEntry, Phone, Prompt


def phone_json(phone: Phone) -> dict[str, Any]:
    """Newest prompts and messages first; money in shillings, times in UTC, `clock` in Nairobi."""
    return {
        "msisdn": phone.msisdn,
        "name": phone.name,
        "balance": shillings(phone.balance_cents),
        "balance_text": ksh(phone.balance_cents),
        "clock": clock_face(utc_now()),
        "prompts": [prompt_json(prompt) for prompt in reversed(phone.prompts)],
        "messages": [
            {
                "text": message.text,
                "received_at": iso(message.received_at),
                "clock": clock_face(message.received_at),
            }
            for message in reversed(phone.messages)
        ],
    }


def phone_row_json(phone: Phone) -> dict[str, Any]:
    """A phone in a list of phones."""
    prompt = phone.open_prompt
    return {
        "msisdn": phone.msisdn,
        "name": phone.name,
        "balance": shillings(phone.balance_cents),
        "balance_text": ksh(phone.balance_cents),
        "prompt": prompt_json(prompt) if prompt else None,
        "prompt_text": ksh_short(prompt.push.amount_cents) if prompt else None,
        "message": phone.messages[-1].text if phone.messages else None,
    }


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    code = prompt.result_code
    return {
        "checkout_request_id": prompt.checkout_request_id,
        "status": prompt.status,
        "msisdn": prompt.push.msisdn,
        "amount": shillings(prompt.push.amount_cents),
        "shortcode": prompt.push.shortcode,
        "business_name": prompt.business_name,
        "account_reference": prompt.push.account_reference,
        "question": prompt.question,
        "opened_at": iso(prompt.opened_at),
        "expires_at": iso(prompt.expires_at),
        "seconds_left": prompt.seconds_left,
        "pin_attempts_left": prompt.pin_attempts_left,
        "result_code": code,
        "result_desc": None if code is None else result_text(code),
        "receipt": prompt.payment.receipt if prompt.payment else None,
        "summary": summary(prompt),
    }


def prompt_record_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt as a row of history: when it stood on the phone, and what was told about it."""
    return {
        "checkout_request_id": prompt.checkout_request_id,
        "status": prompt.status,
        "msisdn": prompt.push.msisdn,
        "amount": shillings(prompt.push.amount_cents),
        "shortcode": prompt.push.shortcode,
        "account_reference": prompt.push.account_reference,
        "opened_at": iso_milliseconds(prompt.opened_at),
        "ended_at": iso_milliseconds(prompt.ended_at) if prompt.ended_at else None,
        "result_code": prompt.result_code,
        "receipt": prompt.payment.receipt if prompt.payment else None,
        "callbacks_sent": prompt.callbacks_sent,
        "callbacks_answered": prompt.callbacks_answered,
    }


def summary(prompt: Prompt) -> str | None:
    """How a prompt ended, in the words of the handset; None while it is open."""
    amount, shop = ksh_short(prompt.push.amount_cents), prompt.business_name
    match prompt.status:
        case "open":
            return None
        case "paid":
            return _paid_summary(prompt, amount)
        case "cancelled":
            return f"You cancelled the request of {amount} from {shop}."
        case "timed_out":
            return f"The request of {amount} from {shop} ended without an answer."
    return f"{amount} to {shop} was not paid. {result_text(prompt.result_code or '')}"


def _paid_summary(prompt: Prompt, amount: str) -> str:
    push, shop = prompt.push, prompt.business_name
    if push.standing is not None:
        often = push.standing.how_often
        return f"You let {shop} collect {amount} {often}: {push.standing.name}."
    receipt = prompt.payment.receipt if prompt.payment else ""
    if push.till is not None:
        return f"Till {push.shortcode} paid {amount} to {push.till.vendor}. Receipt {receipt}."
    return f"You paid {amount} to {shop}. Receipt {receipt}."


def money_in_json(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "receipt": entry.receipt,
        "checkout_request_id": entry.checkout_request_id,
        "msisdn": entry.msisdn,
        "shortcode": entry.shortcode,
        "amount": shillings(entry.amount_cents),
        "account_reference": entry.account_reference,
        "time": iso(entry.moved_at),
    }


def money_out_json(entry: LedgerEntry) -> dict[str, Any]:
    """`charge` is what the shop paid beside the amount; only a reversal has an original.

    What went to a phone has its `msisdn`, what went to a shop its `payee`.
    """
    return {
        "kind": entry.kind,
        "receipt": entry.receipt,
        "originator_conversation_id": entry.originator_conversation_id,
        "conversation_id": entry.conversation_id,
        "msisdn": entry.msisdn or None,
        "payee": entry.payee,
        "shortcode": entry.shortcode,
        "amount": shillings(entry.amount_cents),
        "charge": shillings(entry.charge_cents),
        "original_receipt": entry.original_receipt,
        "time": iso(entry.moved_at),
    }


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """An asynchronous request as a row of history, in the manner of a prompt's."""
    outcome, subject = conversation.outcome, conversation.subject
    ended = conversation.finalised_at
    return {
        "kind": conversation.order.kind,
        "conversation_id": conversation.conversation_id,
        "originator_conversation_id": conversation.originator_conversation_id,
        "shortcode": conversation.order.terms.shortcode,
        "msisdn": subject.msisdn,
        "amount": None if subject.amount_cents is None else shillings(subject.amount_cents),
        "stage": conversation.stage,
        "result_code": outcome.code if outcome else None,
        "receipt": outcome.entry.receipt if outcome and outcome.entry else None,
        "accepted_at": iso_milliseconds(conversation.accepted_at),
        "finalised_at": iso_milliseconds(ended) if ended else None,
        "results_sent": conversation.results_sent,
        "results_answered": conversation.results_answered,
    }


def organisation_json(organisation: Organisation, name: str) -> dict[str, Any]:
    """A shop's accounts, in shillings; what it received is counted since the world began."""
    return {
        "shortcode": organisation.shortcode,
        "name": name,
        "utility": shillings(organisation.utility_cents),
        "working": shillings(organisation.working_cents),
        "charges_paid": shillings(organisation.charges_paid_cents),
        "received": shillings(organisation.received_cents),
        "paybill_charge": shillings(organisation.paybill_charge_cents),
    }
