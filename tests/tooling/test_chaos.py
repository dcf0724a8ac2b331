"""The chaos run: a small one ends well, and its comparison finds each kind of fault."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts.chaos.books import KINDS, NOT_JUDGED, Findings, compare, most_at_once, unsettled
from scripts.chaos.out_books import OUT_KINDS
from tests.support.chaos_run import ROOT, TEST_SECONDS, chaos

SMALL = ["--payments=40", "--payouts=20", "--shoppers=8", "--kills=1", "--seed=13", "--pace=15"]


@pytest.mark.timeout(TEST_SECONDS)
def test_a_small_run_through_bad_weather_ends_with_books_that_agree() -> None:
    done = chaos(*SMALL, "--prompt-seconds=3")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^  (\S.*?) {2,}(\S.*)$", done.stdout, re.MULTILINE))
    assert figures["payments begun"] == "40"
    assert figures["kills"] == "1"
    assert figures["prompts per order live at once"] == "at most 1"
    assert int(figures["orders paid"]) > 10
    assert int(figures["forged callbacks"]) > 0
    assert figures["payouts begun"] == "20"
    assert int(figures["payouts completed"]) > 5
    assert int(figures["refunds in the books"]) > 0
    assert int(figures["forged results"]) > 0
    kinds = KINDS | OUT_KINDS
    for kind in set(kinds) - NOT_JUDGED:
        assert figures[f"{kind} ({kinds[kind]})"] == "0"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--payments=0"],
        ["--payments=1e3"],
        ["--payouts=-1"],
        ["--pace=101"],
        ["--database=mysql"],
    ],
)
def test_what_cannot_be_run_is_refused_in_words(arguments: list[str]) -> None:
    refused = chaos(*arguments)
    assert refused.returncode == 2
    assert arguments[0].partition("=")[0] in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_document_explains_every_row_that_is_judged() -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    assert [kind for kind in KINDS | OUT_KINDS if f"| {kind} |" not in text] == []


def a_payment(status: str = "completed", **changes: Any) -> dict[str, Any]:
    row = {"transaction_id": "TXN1", "status": status, "receipt": None, "reason": None}
    return row | {"review": False} | changes


def an_order(booked: int = 100, status: str = "paid", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "o",
        "number": 1,
        "reference": "REF",
        "status": status,
        "total": 100,
        "amount_paid": booked,
        "review": False,
        "payments": [a_payment(receipt="R1")],
    }
    return row | changes


def a_prompt(number: int = 1, opened: str = "10", ended: str | None = "20") -> dict[str, Any]:
    return {
        "account_reference": "REF",
        "checkout_request_id": f"ws{number}",
        "opened_at": opened,
        "ended_at": ended,
        "callbacks_answered": 1,
    }


def a_movement(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"account_reference": "REF", "checkout_request_id": f"ws{number}", "amount": 100}
    return row | {"receipt": f"R{number}"} | changes


def kinds(found: Findings) -> list[str]:
    return [offence.kind for offence in found.offences]


def test_books_that_agree_hold_no_offence() -> None:
    found = compare([an_order()], [a_prompt()], [a_movement()])
    assert kinds(found) == []
    assert found.all_agrees
    assert (found.figures["paid"], found.figures["shillings moved"]) == (1, 100)


def test_a_run_in_which_nothing_moved_shows_nothing() -> None:
    assert not compare([an_order(0, "pending", payments=[])], [], []).all_agrees


UNPAID = [a_payment("expired", reason="timeout")]


@pytest.mark.parametrize(
    ("kind", "orders", "moved"),
    [
        ("lost", [an_order(0, "pending", payments=UNPAID)], [a_movement()]),
        ("lost", [an_order()], [a_movement(), a_movement(2)]),
        ("lost", [], [a_movement()]),
        ("phantom", [an_order(payments=[a_payment()])], []),
        ("double-counted", [an_order(200)], [a_movement()]),
        ("double-counted", [an_order(101)], [a_movement()]),
        ("stuck", [an_order(payments=[a_payment("pending")])], [a_movement()]),
        ("wrongly paid", [an_order(99)], [a_movement(amount=99)]),
        ("wrongly paid", [an_order(100, "pending")], [a_movement()]),
        ("foreign receipt", [an_order()], [a_movement(receipt="OTHER")]),
    ],
)
def test_each_kind_of_fault_is_found(
    kind: str, orders: list[dict[str, Any]], moved: list[dict[str, Any]]
) -> None:
    found = compare(orders, [a_prompt()], moved)
    assert kinds(found) == [kind]
    assert found.all_agrees == (kind in NOT_JUDGED)
    assert found.offences[0].detail


def test_an_offender_is_named_by_order_attempt_and_prompt() -> None:
    (offence,) = compare([an_order(200)], [a_prompt()], [a_movement()]).offences
    assert (offence.order, offence.transactions) == ("1", ("TXN1",))
    assert offence.checkout_request_ids == ("ws1",)


def test_what_a_person_looks_at_is_neither_stuck_nor_wrongly_paid() -> None:
    order = an_order(100, "review", review=True, payments=[a_payment("pending", review=True)])
    found = compare([order], [a_prompt()], [a_movement()])
    assert kinds(found) == []
    assert found.figures["in review"] == 1
    assert not unsettled(order)


@pytest.mark.parametrize(
    ("status", "booked", "wrong"),
    [
        ("review", 0, []),
        ("review", 100, ["double-counted"]),
        ("paid", 100, []),
        ("paid", 0, ["lost", "wrongly paid"]),
    ],
)
def test_what_has_gone_back_has_come_in_although_an_order_that_is_not_paid_leaves_it_out(
    status: str, booked: int, wrong: list[str]
) -> None:
    order = an_order(booked, status, review=status == "review")
    found = compare([order], [a_prompt()], [a_movement()], {"TXN1": 100})
    assert kinds(found) == wrong


def silent(number: int) -> dict[str, Any]:
    return a_prompt(number, f"{number}0", f"{number}5") | {"callbacks_answered": 0}


def test_money_that_nobody_could_tell_of_is_excused_once_for_each_question_to_a_person() -> None:
    asked_about = a_payment("expired", reason="no_answer")
    order = an_order(0, "pending", payments=[asked_about])
    found = compare([order], [silent(1)], [a_movement()])
    assert (kinds(found), found.figures["unseen"]) == ([], 1)
    both = compare([order], [silent(1), silent(2)], [a_movement(), a_movement(2)])
    assert kinds(both) == ["lost"]


def test_an_acknowledged_callback_excuses_nothing() -> None:
    order = an_order(0, "pending", payments=[a_payment("expired", reason="no_answer")])
    assert kinds(compare([order], [a_prompt()], [a_movement()])) == ["lost"]


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([("10", "20"), ("20", "30")], 1),
        ([("10", "20"), ("19", "30")], 2),
        ([("10", None), ("15", "16"), ("17", None)], 2),
        ([("10", "40"), ("20", "30"), ("25", "26")], 3),
    ],
)
def test_prompts_at_once_are_counted(times: list[tuple[str, str | None]], most: int) -> None:
    prompts = [a_prompt(number, *span) for number, span in enumerate(times)]
    assert most_at_once(prompts) == most
    found = compare([an_order()], prompts, [a_movement()])
    assert kinds(found) == (["two prompts"] if most > 1 else [])
