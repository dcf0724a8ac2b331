"""The books for people: both sides are the same, what moved last, and the float."""

from __future__ import annotations

import re

from app.ledger.models import Account as Books
from tests.rooms.admin.desk import Desk, flashed, section
from tests.support import results
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, html
from tests.support.money_out import secret_of

ROOM = "/admin/books"


def test_the_trial_balance_names_every_account_and_both_sides_are_the_same(
    shop: Shop, desk: Desk, admin: Account, shopper: Account
) -> None:
    shop.completed(shopper)
    shop.paid_out(shop.payout(admin, None, 600))
    shop.payout(admin, None, 250)
    balance = section(desk.read(ROOM), "balance-heading")
    assert "Both sides are the same: the books add up to zero." in balance
    rows = re.findall(r'<th scope="row">([^<]+)', balance)
    assert len(rows) == len(Books) + 1
    assert not set(rows) & set(Books)
    # KES 1,500 came, 600 arrived, 250 are on their way: 650 are left of it.
    for amount in ("KES 650", "KES 250", "KES 600"):
        assert amount in balance
    assert balance.count("KES 1,500") == 3


def test_the_newest_lines_come_first_and_older_ones_page_by_page(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    supplier = shop.supplier(admin)
    for number in range(26):
        shop.paid_out(shop.payout(admin, supplier, 100 + number))
    page = desk.read(ROOM)
    older = re.search(rf'href="({ROOM}\?before=\d+)"', page)
    assert older is not None
    lines = section(page, "lines-heading")
    assert lines.count("<tr>") == 1 + 50
    assert "KES 125" in lines
    assert "KES 100<" not in lines
    rest = desk.read(older[1])
    assert "KES 100<" in section(rest, "lines-heading")
    assert "?before=" not in rest.partition("<main")[2].partition("</main>")[0]
    assert "Both sides" in rest


def test_a_line_that_cannot_be_is_refused(desk: Desk) -> None:
    for before in ("-1", "x", "9" * 30, "1.5", "²"):
        assert desk.open(f"{ROOM}?before={before}").status_code == 400, before
    assert "None." in desk.read(f"{ROOM}?before=1")


def test_the_float_is_asked_for_and_told(shop: Shop, desk: Desk, daraja: FakeDaraja) -> None:
    assert "Nobody knows what the account that pays holds." in desk.read(ROOM)
    assert flashed(desk.told(f"{ROOM}/float")) == ["Daraja is asked."]
    assert flashed(desk.told(f"{ROOM}/float")) == ["Asked a moment ago."]
    assert "Not answered yet" in section(desk.read(ROOM), "float-heading")
    [question] = daraja.balance_questions
    shop.result(results.balance_told(1234), balance=secret_of(question["ResultURL"], "balance"))
    told = section(desk.read(ROOM), "float-heading")
    assert "KES 1,234</strong> can leave the utility account of 600000" in told


def test_a_float_that_cannot_be_asked_for_says_why(
    shop: Shop, desk: Desk, daraja: FakeDaraja
) -> None:
    daraja.ask_answer = html(502)
    assert "Daraja could not be asked" in flashed(desk.told(f"{ROOM}/float"))[0]
    shop.set(mpesa_environment="sandbox", mpesa_b2c_initiator_name=None)
    assert "Set MPESA_B2C_INITIATOR_NAME" in flashed(desk.told(f"{ROOM}/float"))[0]
