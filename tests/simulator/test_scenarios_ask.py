"""What can be made to go wrong with asking about money."""

import time
from collections.abc import Callable

import pytest
import requests

from tests.simulator.client import Daraja, Receiver, new_id, new_msisdn
from tests.simulator.test_scenarios_out import fate, settled
from tests.simulator.test_transaction_status import asked


@pytest.mark.parametrize("name", ["ask_500", "ask_html", "ask_rate_limited"])
@pytest.mark.parametrize("api", ["status", "balance"])
def test_a_question_is_refused_at_the_door(daraja: Daraja, name: str, api: str):
    daraja.arm(name)
    ask: dict[str, Callable[[], requests.Response]] = {
        "status": lambda: daraja.status(TransactionID="UKL0ABCDEF"),
        "balance": daraja.balance,
    }
    status = {"ask_500": 500, "ask_html": 403, "ask_rate_limited": 429}[name]
    assert ask[api]().status_code == status
    assert daraja.conversations() == []


def test_a_question_is_dropped_or_answered_late(daraja: Daraja):
    daraja.credential()
    daraja.arm("ask_reset")
    with pytest.raises(requests.ConnectionError):
        daraja.balance()
    daraja.arm("ask_hang", seconds=0.5)
    started = time.monotonic()
    assert daraja.balance().status_code == 200
    assert time.monotonic() - started >= 0.5


def test_the_result_of_a_question_is_lost_late_doubled_early_or_an_error(
    daraja: Daraja, receiver: Receiver
):
    daraja.arm("ask_no_result")
    lost = daraja.balance().json()["ConversationID"]
    settled(daraja)
    assert receiver.results(lost) == []
    daraja.arm("ask_early_result")
    early = daraja.balance().json()["ConversationID"]
    assert len(receiver.results(early)) == 1
    daraja.arm("ask_duplicate_result", copies=3)
    receiver.wait_for_result(daraja.balance().json()["ConversationID"], 3)
    daraja.arm("ask_late_result", seconds=0.4)
    asked_at, late = time.monotonic(), daraja.balance().json()["ConversationID"]
    assert receiver.wait_for_result(late)[0].at - asked_at >= 0.4
    daraja.arm("ask_result", code="17")
    ended = daraja.balance().json()["ConversationID"]
    assert receiver.wait_for_result(ended)[0].result["ResultCode"] == "17"


def test_a_late_answer_is_about_the_moment_of_the_question(daraja: Daraja, receiver: Receiver):
    daraja.arm("ask_late_result", seconds=0.4)
    late = daraja.balance().json()["ConversationID"]
    daraja.pay_out(new_msisdn(), 300)
    told = receiver.wait_for_result(late)[0].parameters["AccountBalance"]
    assert "Utility Account|KES|1000000.00|" in told


def test_a_question_comes_back_from_the_queue(daraja: Daraja, receiver: Receiver):
    own = new_id()
    daraja.arm("ask_queue_time_out")
    conversation = daraja.status(OriginalConversationID=own).json()["ConversationID"]
    settled(daraja)
    (echo,) = receiver.echoes(OriginalConversationID=own)
    assert echo.path == "/callback/time-out"
    assert receiver.results(conversation) == []


def test_a_status_query_may_find_a_completed_payout_pending_or_not_at_all(
    daraja: Daraja, receiver: Receiver
):
    own = new_id()
    daraja.pay_out(new_msisdn(), OriginatorConversationID=own)
    daraja.arm("status_pending")
    assert fate(daraja, receiver, own) == "Authorized"
    daraja.arm("status_unknown")
    letter = asked(daraja, receiver, OriginalConversationID=own)
    assert letter.result["ResultCode"] == 2032
    assert fate(daraja, receiver, own) == "Completed"


def test_a_status_query_says_the_word_that_it_is_armed_with(daraja: Daraja, receiver: Receiver):
    own, msisdn = new_id(), new_msisdn()
    receiver.wait_for_result(daraja.pay_out(msisdn, OriginatorConversationID=own))
    daraja.arm("status_says", on={"msisdn": msisdn}, status="Cancelled")
    assert fate(daraja, receiver, own) == "Cancelled"
    assert fate(daraja, receiver, own) == "Completed"
    assert daraja.arm("status_says", status="Lost").status_code == 400
