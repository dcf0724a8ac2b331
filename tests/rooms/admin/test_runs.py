"""Payouts from a file: asked for together, agreed to together, and written once."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from app.disbursements.states import OutStatus
from app.suppliers import run_pages, run_writing, runs
from tests.rooms.admin.desk import GOOD, HEAD, Desk, flashed, hidden, runs_of, title, wrong_rows
from tests.services.engines import sqlite_will_do
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja

pytestmark = pytest.mark.usefixtures("suppliers")


# Asking for it.


def test_a_run_is_asked_for_and_left_to_the_queue(
    shop: Shop, desk: Desk, daraja: FakeDaraja
) -> None:
    run = desk.draft(GOOD)
    page = desk.ask_for(run)
    assert title(page) == "0 of 2 payouts have come to an end"
    assert [record.amount_cents for record in shop.outs()] == [150_000, 80_000]
    assert {record.run_id for record in shop.outs()} == {runs_of(shop)[0].id}
    assert daraja.payouts == [], "nothing is sent while somebody waits for a page"
    shop.daraja_pays_at_once()
    with later(60):
        shop.sweep_out()
    page = desk.read(run)
    assert title(page) == "All 2 payouts have come to an end"
    assert "data-follow" not in page
    told = desk.results(run)
    assert [row["status"] for row in told] == ["completed"] * 2
    assert [row["mpesa receipt"] for row in told] == [record.receipt for record in shop.outs()]
    assert told[0]["mpesa number"] == "0722 *** 111"


def test_d4_a_double_click_asks_once(shop: Shop, desk: Desk) -> None:
    """D4."""
    run = desk.draft(GOOD)
    seal = hidden(desk.read(run), "seal")
    clients = [Desk(shop, desk.who) for _ in range(4)]
    led = together(4, lambda number: clients[number].sent(f"{run}/ask", seal=seal))
    assert set(led) == {run}
    assert len(shop.outs()) == 2
    desk.sent(f"{run}/ask", seal="anything")
    assert len(shop.outs()) == 2


def test_a_bad_row_is_left_out_only_by_a_tick(shop: Shop, desk: Desk) -> None:
    run = desk.draft(f"{GOOD}Nobody,,70,\n")
    page = desk.ask_for(run)
    assert flashed(page) == ["Mend the rows with problems, or tick that they are left out."]
    assert shop.outs() == []
    page = desk.ask_for(run, leave_out="yes")
    assert len(shop.outs()) == 2
    assert "Row 4, Nobody, 70: There is no supplier called Nobody." in page
    [left] = [row for row in desk.results(run) if row["status"] == "left out"]
    assert (left["row"], left["supplier"]) == ("4", "Nobody")


def test_rows_that_repeat_a_payment_need_a_tick(shop: Shop, desk: Desk) -> None:
    run = desk.draft(f"{GOOD}Kamau,,1500,More beans\nKamau,,1501,Beans\n")
    assert "Row 4 pays Kamau KES 1,500, as row 2 does." in desk.read(run)
    assert "Tick that the rows which repeat" in flashed(desk.ask_for(run))[0]
    assert shop.outs() == []
    desk.ask_for(run, repeated="yes")
    assert len(shop.outs()) == 4


def test_the_same_rows_again_need_a_tick_whoever_brings_them(
    shop: Shop, desk: Desk, other_desk: Desk
) -> None:
    desk.ask_for(desk.draft(GOOD))
    again = (
        "supplier;mpesa number;amount;notes\nOtieno;0722 000 222;800;Delivery\nKamau;;1500;Beans"
    )
    run = other_desk.draft(again)
    page = other_desk.read(run)
    assert "The same rows have been asked for before" in page
    assert "by Achieng" in page
    assert "have been asked for before" in flashed(other_desk.ask_for(run))[0]
    assert len(shop.outs()) == 2
    other_desk.ask_for(run, again="yes")
    assert len(shop.outs()) == 4


def test_d4_two_admins_with_the_same_file_at_once_pay_it_once(
    shop: Shop, desk: Desk, other_desk: Desk
) -> None:
    """D4: neither saw the other's run, so one of them is asked whether it is meant."""
    desks, drafts = [desk, other_desk], [desk.draft(GOOD), other_desk.draft(GOOD)]
    seals = [hidden(each.read(run), "seal") for each, run in zip(desks, drafts, strict=True)]
    together(2, lambda at: desks[at].sent(f"{drafts[at]}/ask", seal=seals[at]))
    assert len(shop.outs()) == 2
    assert sum(run.asked_at is not None for run in runs_of(shop)) == 1


def test_what_has_changed_since_the_preview_is_looked_at_again(
    shop: Shop, desk: Desk, kamau: dict[str, Any]
) -> None:
    run = desk.draft(GOOD)
    seal = hidden(desk.read(run), "seal")
    change = {"mpesa_number": "0733000999", "reason": "A new line"}
    desk.sent(f"/admin/suppliers/{kamau['id']}/number", **change)
    told = desk.told(f"{run}/ask", seal=seal)
    assert flashed(told)[-1] == "Something has changed since you looked. Look at the rows again."
    assert shop.outs() == []
    assert "0733 *** 999" in told
    desk.ask_for(run)
    assert {record.msisdn for record in shop.outs()} == {"254733000999", "254722000222"}


def test_only_whoever_read_a_file_in_asks_for_it(shop: Shop, desk: Desk, other_desk: Desk) -> None:
    run = desk.draft(GOOD)
    page = other_desk.read(run)
    assert "seal" not in page
    seal = hidden(desk.read(run), "seal")
    told = other_desk.told(f"{run}/ask", seal=seal)
    assert flashed(told) == ["Another admin has read this file in, and they ask for it."]
    assert shop.outs() == []


def test_a_file_without_a_good_row_cannot_be_asked_for(shop: Shop, desk: Desk) -> None:
    run = desk.draft(f"{HEAD}Nobody,,70,\n")
    page = desk.read(run)
    assert "No row can be paid." in page
    told = desk.told(f"{run}/ask", seal="", leave_out="yes")
    assert flashed(told) == ["No row of this file can be paid."]


# The one yes.


def test_a_run_above_the_limit_waits_for_another_admin_however_small_its_rows(
    shop: Shop, desk: Desk, other_desk: Desk
) -> None:
    shop.set(payout_approval_above=2000)
    run = desk.draft(GOOD)
    why = "its total of KES 2,300 is above KES 2,000"
    assert why in desk.read(run)
    page = desk.ask_for(run)
    assert title(page) == "2 of 2 payouts wait for another admin"
    assert "You asked for this run yourself" in page
    assert {record.status for record in shop.outs()} == {OutStatus.AWAITING_APPROVAL}
    assert "A run of payouts waits for another admin" in other_desk.read("/admin")
    assert flashed(desk.told(f"{run}/approve")) == [
        "You asked for this run yourself: another person has to agree."
    ]
    theirs = other_desk.read(run)
    assert "Agree to 2 payouts, KES 2,300" in theirs
    assert why in theirs
    page = other_desk.told(f"{run}/approve")
    assert flashed(page) == ["Agreed to 2 payouts, with your name beside them."]
    assert {record.status for record in shop.outs()} == {OutStatus.QUEUED}
    assert "Baraka" in page
    assert "A run of payouts waits" not in other_desk.read("/admin")
    assert flashed(other_desk.told(f"{run}/approve")) == ["Nothing in this run waits for a yes."]


def test_a_number_that_cools_off_makes_the_whole_run_wait(
    shop: Shop, desk: Desk, kamau: dict[str, Any]
) -> None:
    change = {"mpesa_number": "0733000999", "reason": "A new line"}
    desk.sent(f"/admin/suppliers/{kamau['id']}/number", **change)
    run = desk.draft(GOOD)
    assert "numbers that changed lately are among those it pays (1)" in desk.read(run)
    desk.ask_for(run)
    assert {record.status for record in shop.outs()} == {OutStatus.AWAITING_APPROVAL}


def test_d5_a_row_that_may_not_be_agreed_to_waits_and_the_others_go(
    shop: Shop, desk: Desk, other_desk: Desk, kamau: dict[str, Any]
) -> None:
    """D5: the number has changed since the run was asked for."""
    shop.set(payout_approval_above=0)
    run = desk.draft(GOOD)
    desk.ask_for(run)
    change = {"mpesa_number": "0733000999", "reason": "A new line"}
    desk.sent(f"/admin/suppliers/{kamau['id']}/number", **change)
    said = flashed(other_desk.told(f"{run}/approve"))
    assert said[0] == "Agreed to 1 payouts, with your name beside them."
    assert said[1].startswith("1 payouts still wait for a yes. The supplier's number has changed")
    assert [record.status for record in shop.outs()] == ["awaiting_approval", "queued"]


def test_d4_two_who_agree_at_once_send_everything_once(
    shop: Shop, desk: Desk, other_admin: Account, daraja: FakeDaraja
) -> None:
    """D4."""
    shop.set(payout_approval_above=0)
    run = desk.draft(GOOD)
    desk.ask_for(run)
    people = [other_admin, shop.person("chebet", admin=True)]
    desks = [Desk(shop, who) for who in people for _ in range(2)]
    together(4, lambda number: desks[number].sent(f"{run}/approve"))
    with later(60):
        shop.sweep_out()
        shop.sweep_out()
    assert sorted(sent["Amount"] for sent in daraja.payouts) == [800, 1500]


def test_a_run_is_called_off_as_far_as_nothing_was_sent(
    shop: Shop, desk: Desk, other_desk: Desk, daraja: FakeDaraja
) -> None:
    run = desk.draft(GOOD)
    desk.ask_for(run)
    first = shop.outs()[0]
    with later(60):
        shop.take_turn(first)
    assert flashed(desk.told(f"{run}/call-off", why=" ")) == ["Say why, in 1 to 500 characters."]
    told = other_desk.told(f"{run}/call-off", why="The wrong month")
    assert flashed(told) == ["1 payouts are called off. Nothing of them was sent."]
    assert [record.status for record in shop.outs()] == [OutStatus.PROCESSING, OutStatus.CANCELLED]
    told = desk.told(f"{run}/call-off", why="Again")
    assert flashed(told) == ["Nothing of this run can be called off any more."]
    assert len(daraja.payouts) == 1


# Crashes and size.


def test_a_run_that_was_cut_off_goes_on_and_writes_nothing_twice(
    shop: Shop, desk: Desk, other_desk: Desk
) -> None:
    """A5: whoever goes on writes what is missing."""
    rows = "".join(f"Kamau,,{100 + number},\n" for number in range(7))
    run = desk.draft(HEAD + rows)
    seal = hidden(desk.read(run), "seal")
    broken = mock.patch.object(run_writing, "_close", side_effect=RuntimeError("killed"))
    with broken, mock.patch.object(run_writing, "BATCH", 3):
        assert desk.send(f"{run}/ask", seal=seal).status_code == 500
    assert len(shop.outs()) == 7
    page = other_desk.read(run)
    assert title(page) == "Being written: 7 of 7 payouts"
    assert "Not written completely yet" in page
    with later(600):
        late = Desk(shop, shop.person("chebet", admin=True))
        assert "A run of payouts was cut off" in late.read("/admin")
    assert flashed(other_desk.told(f"{run}/write")) == ["Every row is written now."]
    assert len(shop.outs()) == 7
    assert title(desk.read(run)) == "0 of 7 payouts have come to an end"


def test_a_run_that_was_cut_off_in_the_middle_is_finished_or_stopped(
    shop: Shop, desk: Desk
) -> None:
    """A5: of seven rows three are written when the process dies."""
    rows = "".join(f"Kamau,,{100 + number},\n" for number in range(7))
    for ending in ("write", "call-off"):
        run = desk.draft(f"{HEAD}{rows}Otieno,,{len(shop.outs()) + 500},\n")
        seal, before = hidden(desk.read(run), "seal"), len(shop.outs())
        with mock.patch.object(run_writing, "BATCH", 3), killed_after_one_batch():
            assert desk.send(f"{run}/ask", seal=seal).status_code == 500
        assert len(shop.outs()) == before + 3
        assert flashed(desk.told(f"{run}/approve")) != []
        desk.told(f"{run}/{ending}", why="Not this month")
        written = len(shop.outs()) - before
        assert written == (8 if ending == "write" else 3)
        if ending == "call-off":
            assert {record.status for record in shop.outs()[before:]} == {OutStatus.CANCELLED}
            told = [row["what is wrong"] for row in desk.results(run)]
            assert told.count("Called off: Not this month") == 5
            assert flashed(desk.told(f"{run}/write")) == ["Every row is written now."]
            assert len(shop.outs()) - before == 3


def killed_after_one_batch() -> Any:
    """Let the second batch of a run find its process dying."""
    times = []

    def is_open(*_: object) -> bool:
        times.append(1)
        if len(times) > 1:
            raise RuntimeError("killed")
        return True

    return mock.patch.object(run_writing, "_is_open", is_open)


def test_a_number_that_changes_while_a_run_is_written_leaves_its_rows_out(
    shop: Shop, desk: Desk, kamau: dict[str, Any]
) -> None:
    """D5: what is paid goes to the number that was on file when it was asked for."""
    run = desk.draft(GOOD)
    seal = hidden(desk.read(run), "seal")
    claim = runs._claim

    def then_change(*arguments: Any) -> None:
        claim(*arguments)
        change = {"mpesa_number": "0733000999", "reason": "A new line"}
        thief = Desk(shop, desk.who)
        thief.sent(f"/admin/suppliers/{kamau['id']}/number", **change)

    with mock.patch.object(runs, "_claim", then_change):
        desk.sent(f"{run}/ask", seal=seal)
    assert [record.msisdn for record in shop.outs()] == ["254722000222"]
    left = desk.results(run)[0]
    assert "The supplier's number has changed since this was asked for." in left["what is wrong"]


def test_names_that_are_taken_are_made_anew(shop: Shop, desk: Desk) -> None:
    """Only 46,656 names exist a second, and a run takes many of them."""
    names = iter(["PAY20261121090000AAA"] * 3 + ["PAY20261121090000BBB"] * 5)
    with mock.patch("app.suppliers.payouts.new_name", side_effect=names):
        desk.ask_for(desk.draft(GOOD))
    assert [record.public_ref[-3:] for record in shop.outs()] == ["AAA", "BBB"]


@sqlite_will_do
def test_many_rows_are_shown_in_part_and_downloaded_whole(shop: Shop, desk: Desk) -> None:
    rows = "".join(f"Kamau,,{number},\n" for number in range(1, 301))
    with mock.patch.object(run_pages, "MOST_SHOWN", 5):
        run = desk.draft(HEAD + rows)
        page = desk.read(run)
        assert len(wrong_rows(page)) == 5
        assert "The first 5 of them." in page
        assert len(desk.results(run)) == 300
        page = desk.ask_for(run, leave_out="yes")
    assert "Page 1 of 6" in page
    assert len(shop.outs()) == 291
    assert "KES 300" in page
    assert "KES 10<" in desk.read(f"{run}?page=6")
    assert len(desk.results(run)) == 300
