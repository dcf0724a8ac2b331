"""The pages about payouts: how each stands, in words, and what can be done about it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from app.disbursements import words
from app.disbursements.models import Disbursement
from app.disbursements.states import OutStatus
from app.mpesa.out_codes import DECLINED
from app.mpesa.out_messages import NotSentKind
from tests.rooms.admin.desk import Desk, flashed, section, title
from tests.support import results
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html

ROOM = "/admin/payouts"
APPROVAL_SECONDS = 24 * 3600


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


@pytest.fixture
def waiting(shop: Shop, admin: Account, supplier: dict[str, Any]) -> Disbursement:
    """A payout above the limit, which the first admin has asked for."""
    shop.set(payout_approval_above=1000)
    return shop.payout(admin, supplier, 5000)


@pytest.fixture
def unknown(shop: Shop, admin: Account, supplier: dict[str, Any]) -> Disbursement:
    """A payout of which nobody knows whether it has arrived."""
    shop.daraja.out_answer = html(502)
    record = shop.payout(admin, supplier, 5000)
    shop.daraja.out_answer = shop.daraja.accept_out
    assert record.status == OutStatus.UNKNOWN
    return record


def path_of(record: Disbursement) -> str:
    return f"{ROOM}/{record.public_ref}"


def test_the_list_has_sums_a_filter_and_pages(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    for number in range(26):
        shop.payout(admin, supplier, 100 + number)
    shop.declined(shop.outs()[0])
    shop.paid_out(shop.outs()[1])
    page = desk.read(ROOM)
    assert "Page 1 of 2" in page
    assert "KES 2,724" in page  # on its way: 100 to 125 without the first two
    assert "0722 *** 111" in page
    assert "0722 000 111" not in page
    failed = desk.read(f"{ROOM}?status=failed")
    assert "Not paid: 1" in failed
    assert shop.outs()[0].public_ref in failed
    assert shop.outs()[1].public_ref not in failed
    moving = desk.read(f"{ROOM}?status=processing&page=1&per_page=10")
    assert f"{ROOM}?status=processing&page=2" in moving
    assert desk.open(f"{ROOM}?status=paid").status_code == 400


def test_a_second_admin_sees_the_whole_number_and_agrees(
    desk: Desk, other_desk: Desk, shop: Shop, daraja: FakeDaraja, waiting: Disbursement
) -> None:
    mine, theirs = desk.read(path_of(waiting)), other_desk.read(path_of(waiting))
    assert title(mine) == "Waits for another admin"
    assert "You asked for this yourself: another person has to agree." in mine
    assert "/approve" not in mine
    assert "0722 000 111" not in mine
    panel = section(theirs, "approve-heading")
    for told in ("0722 000 111", "Achieng", "it is above KES 1,000", "then it lapses"):
        assert told in panel
    assert daraja.payouts == []
    told = other_desk.told(f"{path_of(waiting)}/approve")
    assert title(told) == "On its way"
    assert "Baraka" in section(told, "facts-heading")
    assert [sent["Amount"] for sent in daraja.payouts] == [5000]


def test_the_maker_s_own_yes_counts_for_nothing(
    shop: Shop, desk: Desk, daraja: FakeDaraja, waiting: Disbursement
) -> None:
    told = desk.told(f"{path_of(waiting)}/approve")
    assert flashed(told) == ["You asked for this yourself: another person has to agree."]
    assert daraja.payouts == []
    assert shop.out(waiting).status == OutStatus.AWAITING_APPROVAL


def test_d4_two_who_agree_at_once_send_it_once(
    shop: Shop, other_admin: Account, daraja: FakeDaraja, waiting: Disbursement
) -> None:
    """D4."""
    people = [other_admin, shop.person("chebet", admin=True)]
    desks = [Desk(shop, who) for who in people for _ in range(2)]
    together(4, lambda number: desks[number].sent(f"{path_of(waiting)}/approve"))
    assert len(daraja.payouts) == 1


def test_d5_whoever_changed_the_number_does_not_agree_and_is_told(
    desk: Desk, other_desk: Desk, shop: Shop, supplier: dict[str, Any], other_admin: Account
) -> None:
    """D5: the number changed lately, by the second admin, so a third one is needed."""
    change = {"mpesa_number": "0733000222", "reason": "A new line"}
    other_desk.sent(f"/admin/suppliers/{supplier['id']}/number", **change)
    record = shop.payout(desk.who, supplier, 700)
    page = other_desk.read(path_of(record))
    assert "You changed this supplier's number yourself" in page
    assert "/approve" not in page
    third = Desk(shop, shop.person("chebet", admin=True))
    assert "0733 000 222" in section(third.read(path_of(record)), "approve-heading")


def test_d5_a_number_that_has_changed_since_is_told_and_cannot_be_agreed_to(
    desk: Desk, other_desk: Desk, shop: Shop, waiting: Disbursement, supplier: dict[str, Any]
) -> None:
    """D5."""
    change = {"mpesa_number": "0733000222", "reason": "A new line"}
    desk.sent(f"/admin/suppliers/{supplier['id']}/number", **change)
    page = other_desk.read(path_of(waiting))
    assert "The supplier's number has changed since this was asked for." in page
    assert "/approve" not in page
    assert shop.daraja.payouts == []


def test_a_yes_that_comes_too_late_is_told(
    shop: Shop, other_admin: Account, waiting: Disbursement
) -> None:
    with later(APPROVAL_SECONDS + 1):
        # Whoever signed in a day ago signs in again.
        desk = Desk(shop, shop.person("chebet", admin=True))
        assert flashed(desk.told(f"{path_of(waiting)}/approve")) == [
            "The time to agree is over. Ask for it anew."
        ]
        shop.sweep_out()
        page = desk.read(path_of(waiting))
        assert title(page) == "Called off"
        assert "Nobody agreed in time." in page


def test_what_has_not_been_sent_is_called_off_with_a_reason(
    desk: Desk, other_desk: Desk, shop: Shop, waiting: Disbursement
) -> None:
    told = desk.told(f"{path_of(waiting)}/call-off", why=" ")
    assert flashed(told) == ["Say why, in 1 to 500 characters."]
    told = other_desk.told(f"{path_of(waiting)}/call-off", why="It is the wrong lorry")
    assert title(told) == "Called off"
    assert "It is the wrong lorry" in section(told, "timeline-heading")
    assert shop.daraja.payouts == []
    assert "cannot be called off" in flashed(desk.told(f"{path_of(waiting)}/call-off", why="x"))[0]


def test_a_payout_without_float_says_what_to_move(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.float_is(admin, 1200)
    record = shop.payout(admin, supplier, 5000)
    page = desk.read(path_of(record))
    assert title(page) == "Waits for float"
    assert "Move KES 3,800 into the utility account of 600000" in page
    assert "Nothing has been sent." in page
    assert shop.daraja.payouts == []
    shop.daraja_pays_at_once()
    with later(120):
        shop.float_is(admin, 10_000)
        shop.sweep_out()
    assert shop.out(record).status == OutStatus.COMPLETED


def test_what_is_not_known_is_told_with_what_is_and_can_be_asked_about(
    shop: Shop, desk: Desk, unknown: Disbursement
) -> None:
    page = desk.read(path_of(unknown))
    assert title(page) == "Nobody knows yet whether it arrived"
    known = section(page, "ask-heading")
    assert "0 times" in known
    assert "acknowledged it</dt><dd>no" in known
    told = desk.told(f"{path_of(unknown)}/ask")
    assert flashed(told) == ["M-Pesa is being asked. Its answer comes by itself."]
    shop.take_turn(unknown)
    assert len(shop.daraja.status_questions) == 1
    shop.result(results.status_told(shop.out(unknown)), query=shop.question_token())
    assert title(desk.read(path_of(unknown))) == "Paid"


def test_a_person_with_a_receipt_says_that_it_has_arrived(
    shop: Shop, desk: Desk, unknown: Disbursement
) -> None:
    path = f"{path_of(unknown)}/declare-paid"
    assert "Give the M-Pesa receipt" in flashed(desk.told(path, receipt="!", evidence="x"))[0]
    assert "Say why" in flashed(desk.told(path, receipt="UKL6QQQQQQ", evidence=""))[0]
    assert shop.out(unknown).status == OutStatus.UNKNOWN
    told = desk.told(path, receipt="ukl6qqqqqq", evidence="She sent me the message")
    assert title(told) == "Paid"
    assert "UKL6QQQQQQ" in told
    assert "She sent me the message" in section(told, "timeline-heading")
    assert "Achieng" in section(told, "timeline-heading")


def test_a_person_who_has_looked_says_that_nothing_has_left_and_it_can_be_paid_again(
    shop: Shop, desk: Desk, unknown: Disbursement
) -> None:
    path = f"{path_of(unknown)}/declare-not-paid"
    assert "tick that you have" in flashed(desk.told(path, evidence="Statement of today"))[0]
    told = desk.told(path, evidence="Statement of today", looked="yes")
    assert title(told) == "Not paid"
    assert f"{path_of(unknown)}/again" in told


def test_a_failed_payout_is_paid_again_as_a_new_one_after_a_look(
    shop: Shop, desk: Desk, other_desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    failed = shop.declined(shop.payout(admin, supplier, 5000), 2040)
    page = desk.read(path_of(failed))
    assert "This number is not on M-Pesa." in page
    again = f"{path_of(failed)}/again"
    look = desk.read(again)
    assert "0722 000 111" in look
    assert "KES 5,000" in look
    assert len(shop.outs()) == 1
    led = desk.sent(again)
    assert led != path_of(failed)
    # Another admin who presses a moment later is led to the same one.
    assert other_desk.sent(again) == led
    assert [record.amount_cents for record in shop.outs()] == [500_000] * 2
    assert shop.outs()[1].public_ref in desk.read(path_of(failed))
    assert "again-heading" not in desk.read(path_of(failed))
    assert len(shop.daraja.payouts) == 2


def test_d4_two_admins_who_pay_again_at_once_make_one_payout(
    shop: Shop, desk: Desk, other_desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    """D4."""
    failed = shop.declined(shop.payout(admin, supplier, 5000))
    desks = [desk, other_desk, Desk(shop, admin), Desk(shop, other_desk.who)]
    led = together(4, lambda number: desks[number].sent(f"{path_of(failed)}/again"))
    assert len(set(led)) == 1
    assert len(shop.outs()) == len(shop.daraja.payouts) == 2


def test_what_is_not_over_or_was_paid_is_not_paid_again(
    shop: Shop, desk: Desk, unknown: Disbursement, admin: Account
) -> None:
    assert desk.open(f"{path_of(unknown)}/again").status_code == 409
    assert "it is not paid again" in flashed(desk.told(f"{path_of(unknown)}/again"))[0]
    paid = shop.paid_out(shop.payout(admin, None, 50))
    assert "it is not paid again" in flashed(desk.told(f"{path_of(paid)}/again"))[0]
    assert len(shop.outs()) == 2


def test_a_flag_is_shown_until_a_person_has_settled_it(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = shop.paid_out(shop.payout(admin, supplier, 5000), amount=4999)
    page = desk.read(path_of(record))
    assert "M-Pesa names another amount" in page
    path = f"{path_of(record)}/acknowledge"
    assert "Say why" in flashed(desk.told(path, why=""))[0]
    told = desk.told(path, why="The statement says 5,000")
    assert "flag-heading" not in told
    assert "The statement says 5,000" in told


def test_a_page_tells_ids_timeline_and_the_lines_of_the_ledger(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = shop.paid_out(shop.payout(admin, supplier, 5000))
    page = desk.read(path_of(record))
    assert record.originator_id in page
    assert str(record.conversation_id) in page
    assert "Achieng" in section(page, "timeline-heading")
    books = section(page, "books-heading")
    assert "Payout sent" in books
    assert "Payout arrived" in books
    assert "Suppliers" in books


def test_only_pages_that_can_change_look_again(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = shop.payout(admin, supplier, 5000)
    moving = desk.read(path_of(record))
    assert f'data-follow="{record.public_ref}"' in moving
    assert '<meta http-equiv="refresh" content="5">' in moving
    shop.paid_out(record)
    over = desk.read(path_of(record))
    assert "data-follow" not in over
    assert "refresh" not in over
    assert "live.js" not in over


def test_names_and_actions_that_do_not_exist_are_not_found(
    shop: Shop, desk: Desk, waiting: Disbursement
) -> None:
    assert desk.open(f"{ROOM}/PAY20261121090000K7Q").status_code == 404
    assert desk.send(f"{path_of(waiting)}/explode").status_code == 404
    assert desk.open(f"/admin/refunds/{waiting.public_ref}").status_code == 404
    assert desk.send(f"/admin/refunds/{waiting.public_ref}/approve").status_code == 404


def test_every_state_reason_and_flag_has_words() -> None:
    assert set(words._BY_STATUS) == set(OutStatus)
    assert {*DECLINED.values(), "refused", "declined"} == set(words.FAILED)
    held = {"float_short", "not_configured", "supplier_inactive", *get_args(NotSentKind)}
    assert held == set(words.HELD)
