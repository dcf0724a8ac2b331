"""The road that all asynchronous requests take: acknowledged now, answered by a result later."""

import time
from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify

from app.simulator.answers import spoilt, turned_away
from app.simulator.conversations import (
    Conversation,
    DuplicateId,
    Order,
    TooManyConversations,
)
from app.simulator.faults import DarajaFault, duplicate, system_busy
from app.simulator.simulator import current_simulator
from app.simulator.world import SystemBusy


def serve(order: Order, body: Mapping[str, Any]) -> Response:
    """Accept a request whose fields have been checked; raises DarajaFault."""
    simulator = current_simulator()
    if simulator.conversations.has(order.own_id):
        raise _duplicate()
    subject = order.subject(simulator.bank)
    plan = simulator.plan_for(order.kind, subject.msisdn, subject.shillings)
    if plan.answer == "dropped_unread":
        time.sleep(plan.answer_delay_seconds)
    if (refusal := turned_away(plan)) is not None:
        return refusal
    try:
        conversation = simulator.begin(order, plan, subject, body)
    except DuplicateId:
        raise _duplicate() from None
    except (SystemBusy, TooManyConversations):
        raise system_busy() from None
    g.conversation_id = conversation.conversation_id
    g.why = conversation.complaint or "ok"
    time.sleep(plan.answer_delay_seconds)
    return spoilt(_acknowledged(conversation), plan)


def _acknowledged(conversation: Conversation) -> Response:
    return jsonify(
        ConversationID=conversation.conversation_id,
        OriginatorConversationID=conversation.originator_conversation_id,
        ResponseCode="0",
        ResponseDescription="Accept the service request successfully.",
    )


def _duplicate() -> DarajaFault:
    return duplicate("A request with this OriginatorConversationID was accepted before.")
