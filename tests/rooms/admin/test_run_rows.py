"""Reading a file of payouts in: every problem by its row, before anything is asked for."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from app.suppliers import run_pages, runs
from tests.rooms.admin.desk import GOOD, HEAD, Desk, problems, runs_of, section, wrong_rows
from tests.support.app import Account, Shop

pytestmark = pytest.mark.usefixtures("suppliers")

ROOM = "/admin/runs"
#: What is wrong with each row, in words.
BAD_ROWS = [
    ("Nobody,,1500,", "There is no supplier called Nobody."),
    (",,1500,", "It names no supplier."),
    (",0799000999,1500,", "No supplier has the number 0799 *** 999."),
    (",0722,1500,", "The number is not a Kenyan mobile number"),
    (",2.54722E+11,1500,", "The spreadsheet has shortened the number."),
    ("Kamau,0722000222,1500,", "The number 0722 *** 222 is not the one on file, 0722 *** 111."),
    ("Kamau,oops,1500,", "The number is not a Kenyan mobile number"),
    ("99,,1500,", "There is no supplier called 99."),
    ("Twin,,1500,", "2 suppliers fit. Name it by its id too."),
    ("Retired,,1500,", "Retired is not active any more."),
    ("Kamau,,,Beans", "The amount is missing."),
    ("Kamau,,0,", "KES 0 is less than M-Pesa pays out, which is KES 10."),
    ("Kamau,,9,", "KES 9 is less than M-Pesa pays out"),
    ("Kamau,,250001,", "KES 250,001 is above KES 250,000, the most for one payout."),
    ("Kamau,,10.50,", "10.50 has cents, and M-Pesa pays whole shillings."),
    ('Kamau,,"1,500",', "1,500 can be read in two ways."),
    ('Kamau,,"1,5",', "1,5 can be read in two ways."),
    ("Kamau,,20.000,", "20.000 can be read in two ways."),
    ("Kamau,,1 500,", "1 500 can be read in two ways."),
    ("Kamau,,-1500,", "The amount -1500 is not a number of shillings"),
    ("Kamau,,+1500,", "The amount +1500 is not a number of shillings"),
    ("Kamau,,=10*150,", "The amount =10*150 is not a number of shillings"),
    ("Kamau,,1e3,", "The amount 1e3 is not a number of shillings"),
    ("Kamau,,KES 1500,", "The amount KES 1500 is not a number of shillings"),
    ("Kamau,,\u0661\u0662\u0663,", "is not a number of shillings"),
    ("Kamau,,NaN,", "The amount NaN is not a number of shillings"),
    ("Kamau,,99999999999,", "is not a number of shillings"),
    ("Kamau,,1500,=HYPERLINK(1)", "A cell begins like a formula"),
    ("Kamau,,1500,+1", "A cell begins like a formula"),
    ("Kamau,,1500,-1", "A cell begins like a formula"),
    ("Kamau,,1500,@SUM(1)", "A cell begins like a formula"),
    ("Kamau,,1500,\uff1dcmd", "A cell begins like a formula"),
    ("=Kamau,,1500,", "A cell begins like a formula"),
    ("Kamau,,1500,a\u200bb", "A cell has a character that cannot be seen."),
    (f"Kamau,,1500,{'x' * 501}", "Notes take 500 characters at most."),
    ("Kamau,,1,500", "Its amount seems to be cut in two by a comma."),
]
#: Each of them pays Kamau KES 1,500.
CLEAR_ROWS = [
    "KAMAU,,1500,",
    "  Kamau ,0722000111,1500,",
    "Kamau,+254 722 000 111,1500.00,",
    "Kamau,722000111,1500,",
    "0722000111,,1500.0,",
    ",254722000111,1500,",
]


def test_a_file_is_read_in_as_a_draft_and_nothing_is_paid(shop: Shop, desk: Desk) -> None:
    run = desk.draft(GOOD)
    page = desk.read(run)
    assert "A draft: nothing has been paid." in page
    assert "KES 2,300" in page
    for told in ("Kamau", "0722 *** 111", "KES 1,500", "Beans", "Otieno"):
        assert told in section(page, "rows-heading")
    assert "Nobody else has to agree" in page
    assert shop.outs() == []
    assert "wages.csv" in desk.read(ROOM)
    assert "Draft" in desk.read(ROOM)


def test_every_problem_is_told_by_its_row_and_is_not_paid(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    for _ in range(2):
        shop.supplier(admin, "Twin", "0722000333")
    retired = shop.supplier(admin, "Retired", "0722000444")
    desk.sent(f"/admin/suppliers/{retired['id']}/active", active="no")
    run = desk.draft(GOOD + "".join(f"{row}\n" for row, _words in BAD_ROWS))
    page = desk.read(run)
    shown, downloaded = wrong_rows(page), {row["row"]: row for row in desk.results(run)}
    assert list(shown) == [str(row) for row in range(4, 4 + len(BAD_ROWS))]
    for number, (row, words) in enumerate(BAD_ROWS, start=4):
        assert words in shown[str(number)], row
        assert words in downloaded[str(number)]["what is wrong"], row
    assert "Ask for 2 payouts, KES 2,300" in page
    assert shop.outs() == []


def test_a_supplier_may_be_named_in_any_way_that_is_clear(desk: Desk) -> None:
    page = desk.read(desk.draft(HEAD + "".join(f"{row}\n" for row in CLEAR_ROWS)))
    assert "wrong-heading" not in page
    assert f"Ask for {len(CLEAR_ROWS)} payouts, KES 9,000" in page
    assert section(page, "rows-heading").count(">Kamau<") == len(CLEAR_ROWS)


def test_a_supplier_may_be_named_by_its_id_and_every_name_must_fit(
    shop: Shop, desk: Desk, kamau: dict[str, Any]
) -> None:
    head = "id,name,amount\n"
    page = desk.read(desk.draft(f"{head}{kamau['id'].upper()},kamau,10\n{kamau['id']},Otieno,10\n"))
    assert "Ask for 1 payout" in page
    assert "is not one and the same" in wrong_rows(page)["3"]


def test_of_two_with_one_name_the_retired_one_is_not_meant(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    old = shop.supplier(admin, "Njeri", "0722000555")
    shop.supplier(admin, "Njeri", "0722000666")
    desk.sent(f"/admin/suppliers/{old['id']}/active", active="no")
    page = desk.read(desk.draft(f"{HEAD}Njeri,,100,\n"))
    assert "0722 *** 666" in section(page, "rows-heading")


def test_a_file_that_cannot_be_read_is_explained_beside_its_field(desk: Desk) -> None:
    answer = desk.upload("supplier,amount\nKamau,1500\n".encode("utf-16"))
    assert answer.status_code == 400
    assert "The file is written in UTF-16." in problems(answer.text)[0]
    assert "Choose a file first." in problems(desk.send(ROOM).text)[0]
    assert "Choose a file first." in problems(desk.upload(b"", name="").text)[0]
    assert "The file is empty." in problems(desk.upload(b"").text)[0]
    assert "None yet." in desk.read(ROOM)


def test_f6_a_file_that_is_too_large_is_refused_with_words(shop: Shop, desk: Desk) -> None:
    """F6: 100,000 rows, and more than is read at all."""
    row = b"Kamau Supplies of Kisumu,,1500,Beans\n"
    answer = desk.upload(HEAD.encode() + row * 100_000)
    assert answer.status_code == 400
    assert "5,000 payouts are the most. Split it" in problems(answer.text)[0]
    huge = desk.upload(b"x" * (run_pages.MOST_READ_BYTES + 1))
    assert huge.status_code == 413
    assert "Too large" in huge.text
    assert runs_of(shop) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\wages.csv", "a\x07\x1b[31mb.csv", "x" * 400]
)
def test_f3_a_file_s_name_is_only_shown(shop: Shop, desk: Desk, name: str) -> None:
    """F3."""
    answer = desk.upload(GOOD.encode(), name=name)
    assert answer.status_code == 303
    [run] = runs_of(shop)
    assert run.name.isprintable()
    assert "/" not in run.name
    assert "\\" not in run.name
    assert len(run.name) <= 120


def test_old_drafts_make_room_and_what_was_asked_for_stays(shop: Shop, desk: Desk) -> None:
    asked = desk.draft(GOOD)
    desk.ask_for(asked)
    with mock.patch.object(runs, "MOST_DRAFTS", 3):
        drafts = [desk.draft(f"{HEAD}Kamau,,{100 + number},\n") for number in range(5)]
    assert [desk.open(run).status_code for run in drafts] == [404, 404, 200, 200, 200]
    assert desk.open(asked).status_code == 200
