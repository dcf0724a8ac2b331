"""Killed while a supplier is paid: case A5. And D4: one payout, however many press at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.crash.arming import Death
from tests.crash.buyer import Answer, Caller
from tests.crash.databases import on_both, sqlite_only
from tests.crash.paymaster import PAYOUTS_PATH, Paymaster, Request, together

STORED = ["payout.after_commit", "send.enter", "claim.before_commit"]
ON_THE_WIRE = ["b2c.sent", "b2c.answered", "record.before_commit", "record.after_commit"]
BY_THE_RESULT = [
    "result.enter",
    "keep.before_commit",
    "keep.after_commit",
    "conclude.before_commit",
    "conclude.after_commit",
    "hear.after_commit",
]
ASKING = ["question.after_commit", "status.sent", "status.answered"]
APPROVING = ["approve.before_commit", "approve.after_commit"]


def killed_at(paymaster: Paymaster, moments: Sequence[str], *scenarios: str) -> list[Request]:
    """Pay a supplier at each moment's death; Daraja goes by the same scenarios each time."""
    requests = [paymaster.payout() for _ in moments]
    for moment, request in zip(moments, requests, strict=True):
        for scenario in scenarios:
            paymaster.daraja.arm(scenario, request.phone, times=100)
        paymaster.killed(moment, request)
    return requests


def test_a5_killed_before_it_is_stored_nothing_is_paid_until_it_is_asked_for_again(
    paymaster: Paymaster,
) -> None:
    [request] = killed_at(paymaster, ["payout.before_commit"])
    assert paymaster.records(request) == []
    assert request.insist().status == 200
    paymaster.wait_until("completed", request)


@on_both("moment", STORED, postgresql=STORED[:1])
def test_a5_killed_once_it_is_stored_it_is_paid_once(paymaster: Paymaster, moment: str) -> None:
    [request] = killed_at(paymaster, [moment])
    # Whoever heard no answer asks again, and hears of the first one.
    reference = paymaster.record(request).public_ref
    assert request.insist().data["reference"] == reference
    paymaster.wait_until("completed", request)


def test_a5_killed_once_it_is_claimed_it_is_before_a_person_and_never_sent(
    paymaster: Paymaster,
) -> None:
    """It may have left, for all that the shop can know, and Daraja knows nothing of it."""
    [request] = killed_at(paymaster, ["claim.after_commit"])
    paymaster.wait_until("unknown", request)
    assert paymaster.moved(request) == []
    answer = request.insist()
    assert (answer.status, answer.data["status"]) == (202, "unknown")
    assert paymaster.record(request).sends == 1


@on_both("moments", [(ON_THE_WIRE,)], postgresql=[(ON_THE_WIRE[2:],)])
def test_a5_killed_with_the_request_on_the_wire_daraja_is_asked_and_it_is_paid_once(
    paymaster: Paymaster, moments: list[str]
) -> None:
    # No result: whatever came while the shop was away is lost, as it is in life.
    requests = killed_at(paymaster, moments, "no_result")
    paymaster.wait_until("completed", *requests)


@sqlite_only
def test_a5_what_daraja_cannot_tell_stays_unknown_whether_it_moved_or_not(
    paymaster: Paymaster,
) -> None:
    [moved] = killed_at(paymaster, ["b2c.answered"], "no_result", "status_unknown")
    [unmoved] = killed_at(paymaster, ["b2c.sent"], "out_reset")
    paymaster.wait_until("unknown", moved, unmoved)
    assert len(paymaster.moved(moved)) == 1
    assert paymaster.moved(unmoved) == []


@on_both("moments", [(BY_THE_RESULT,)], postgresql=[(BY_THE_RESULT[2:-1],)])
def test_a5_killed_by_its_result_it_is_paid_once(paymaster: Paymaster, moments: list[str]) -> None:
    requests = killed_at(paymaster, moments)
    for request in requests:
        # The result of an earlier one may have been what struck. Who heard no answer asks again.
        assert request.insist().status in (200, 202)
    paymaster.wait_until("completed", *requests)


@sqlite_only
def test_a5_a_kept_result_is_acted_on_although_daraja_tells_nothing_more(
    paymaster: Paymaster,
) -> None:
    requests = killed_at(paymaster, ["keep.after_commit", "conclude.before_commit"], "ask_500")
    paymaster.wait_until("completed", *requests)


@on_both("moment", ASKING, postgresql=ASKING[:1])
def test_a5_killed_while_daraja_is_asked_it_is_found_out(paymaster: Paymaster, moment: str) -> None:
    request = paymaster.payout()
    paymaster.daraja.arm("no_result", request.phone)
    paymaster.killed(moment, request, "background")
    paymaster.wait_until("completed", request)


def test_a5_killed_twice_the_background_that_sends_it_dies_too(paymaster: Paymaster) -> None:
    request = paymaster.payout()
    paymaster.till.dies(Death("payout.after_commit", "request"), request.send)
    # Armed before it is opened: the background sends as soon as it lives.
    paymaster.shop.death.arm(Death("b2c.sent", "background"))
    paymaster.shop.start()
    paymaster.till.sweeps_until_struck()
    paymaster.wait_until("completed", request)


@on_both("moment", APPROVING, postgresql=APPROVING[1:])
def test_a5_killed_by_a_second_admin_s_yes_it_is_paid_once(
    paymaster: Paymaster, moment: str
) -> None:
    request, payout_id = paymaster.awaiting()
    yes = Request(f"{PAYOUTS_PATH}/{payout_id}/approve", {}, paymaster.others[0], "", 0)
    paymaster.killed(moment, yes)
    # It stands or it does not; said again, it does, and once.
    assert yes.insist().status in (200, 202, 409)
    paymaster.wait_until("completed", request)


def test_d4_a_double_click_pays_once(paymaster: Paymaster) -> None:
    request = paymaster.payout()
    first, second = together(request.insist, request.insist)
    assert {first.status, second.status} <= {200, 202}
    assert first.data["reference"] == second.data["reference"]
    # A request that somebody replays later is the same one.
    assert request.send().data["reference"] == first.data["reference"]
    paymaster.wait_until("completed", request)


def test_d4_two_admins_who_agree_at_once_pay_once(paymaster: Paymaster) -> None:
    request, payout_id = paymaster.awaiting()

    def agree(caller: Caller) -> Callable[[], Answer]:
        return lambda: caller.post(f"{PAYOUTS_PATH}/{payout_id}/approve", {})

    maker, first, second = paymaster.admin, *paymaster.others
    answers = together(*(agree(caller) for caller in (first, second, first, second, maker)))
    told = sorted(answer.status or 0 for answer in answers[:-1])
    assert told[0] in (200, 202)
    assert told[1:] == [409] * 3
    assert answers[-1].status in (403, 409)
    paymaster.wait_until("completed", request)


def test_a10_after_all_these_kills_every_invariant_holds(paymaster: Paymaster) -> None:
    assert paymaster.complaints() == []
