"""Results of asynchronous requests: what they say, and what comes in their place."""

import json
from typing import Any

from app.simulator.conversations import Conversation, Item, Outcome
from app.simulator.courier import Letter
from app.simulator.out_codes import OUT_RESULTS


def item(key: str, value: Any = ...) -> Item:
    """A parameter or a reference; without a value it has no such key at all (recorded)."""
    return {"Key": key} if value is ... else {"Key": key, "Value": value}


def result_body(conversation: Conversation, outcome: Outcome) -> dict[str, Any]:
    """Numbers are numbers, but codes that are none come as strings (recorded)."""
    order, as_strings = conversation.order, conversation.order.codes_are_strings
    is_number = outcome.code.isdigit() and not as_strings
    result: dict[str, Any] = {
        "ResultType": "0" if as_strings else 0,
        "ResultCode": int(outcome.code) if is_number else outcome.code,
        "ResultDesc": OUT_RESULTS[outcome.code],
        "OriginatorConversationID": conversation.originator_conversation_id,
        "ConversationID": conversation.conversation_id,
        "TransactionID": outcome.transaction_id,
    }
    if outcome.items and conversation.plan.callback_metadata:
        result["ResultParameters"] = {"ResultParameter": list(outcome.items)}
    result["ReferenceData"] = {"ReferenceItem": order.reference()}
    return {"Result": result}


def letters_after(conversation: Conversation) -> list[Letter]:
    """What is posted once a request has taken its course; nothing when it was lost."""
    if conversation.plan.queue_time_out:
        letter = _time_out_letter(conversation)
    elif conversation.outcome is not None:
        letter = _result_letter(conversation, conversation.outcome)
    else:
        return []
    return [letter] * conversation.plan.callback_copies


def _result_letter(conversation: Conversation, outcome: Outcome) -> Letter:
    says = f"result with ResultCode {outcome.code}"
    return Letter(
        url=conversation.order.terms.result_url,
        body=json.dumps(result_body(conversation, outcome)).encode(),
        says=f"{says}: {conversation.complaint}" if conversation.complaint else says,
        conversation_id=conversation.conversation_id,
    )


def _time_out_letter(conversation: Conversation) -> Letter:
    """The request itself goes back, by the word of Safaricom's staff to one who asked."""
    return Letter(
        url=conversation.order.terms.queue_time_out_url,
        body=conversation.echo,
        says="the request, to QueueTimeOutURL",
        conversation_id=conversation.conversation_id,
    )
