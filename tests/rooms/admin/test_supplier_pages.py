"""The pages about suppliers: whom the shop pays, under which number, and paying once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rooms.admin.desk import Desk, flashed, hidden, problems, section, title
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja

ROOM = "/admin/suppliers"


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


@pytest.fixture
def page(supplier: dict[str, Any]) -> str:
    return f"{ROOM}/{supplier['id']}"


def pay(desk: Desk, page: str, amount: str, notes: str = "Beans") -> str:
    """Pay by the form of a supplier's page, and return where it leads."""
    key = hidden(desk.read(page), "form_key")
    return desk.sent(f"{page}/pay", amount=amount, notes=notes, form_key=key)


def test_a_supplier_is_added_found_changed_and_retired(desk: Desk) -> None:
    assert "None yet." in desk.read(ROOM)
    form = {"name": "Otieno & Sons", "mpesa_number": "0722 000 111", "email": "o@example.com"}
    page = desk.sent(ROOM, **form)
    told = desk.read(page)
    assert flashed(told) == ["Otieno & Sons is a supplier now."]
    assert "0722 000 111" in told
    assert "0722 *** 111" in desk.read(ROOM)
    assert "Otieno & Sons" in desk.read(f"{ROOM}?search=otieno")
    assert "Nobody has that name" in desk.read(f"{ROOM}?search=kamau")
    told = desk.told(page, name="Otieno", email="", notes="Beans")
    assert "<h1>Otieno</h1>" in told
    told = desk.told(f"{page}/active", active="no")
    assert "Retired" in told
    assert "pay-heading" not in told
    assert "pay-heading" in desk.told(f"{page}/active", active="yes")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "", "mpesa_number": "0722000111"}, "Give the supplier's name"),
        ({"name": "A" * 121, "mpesa_number": "0722000111"}, "Give the supplier's name"),
        ({"name": "A", "mpesa_number": "0522000111"}, "That is not a Kenyan mobile number"),
        ({"name": "A", "mpesa_number": "0722000111", "email": "a@"}, "Write the e-mail as"),
        ({"name": "A", "mpesa_number": "0722000111", "email": f"a@{'b' * 260}"}, "Write the e-"),
        ({"name": "A", "mpesa_number": "0722000111", "notes": "x" * 2001}, "Notes take 2,000"),
        ({}, "Give the supplier's name"),
    ],
)
def test_what_is_wrong_with_a_new_supplier_is_told_at_its_field_and_nothing_is_lost(
    desk: Desk, form: dict[str, str], words: str
) -> None:
    answer = desk.send(ROOM, **form)
    assert answer.status_code == 400
    assert words.replace("'", "&#39;") in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert form.get("name", "") in answer.text
    assert "None yet." in desk.read(ROOM)


def test_many_suppliers_come_page_by_page(shop: Shop, desk: Desk, admin: Account) -> None:
    for number in range(26):
        shop.supplier(admin, f"Supplier {number:02d}", f"07220000{number:02d}")
    first, second = desk.read(ROOM), desk.read(f"{ROOM}?page=2")
    assert "Page 1 of 2" in first
    assert "Supplier 24" in first
    assert "Supplier 25" not in first
    assert "Supplier 25" in second
    kept = desk.read(f"{ROOM}?search=supplier")
    assert f"{ROOM}?search=supplier&page=2" in kept
    assert desk.open(f"{ROOM}?page=0").status_code == 400


def test_a_number_changes_with_a_reason_and_stands_in_the_history(
    desk: Desk, other_desk: Desk, page: str
) -> None:
    refused = desk.send(f"{page}/number", mpesa_number="0733000222", reason=" ")
    assert refused.status_code == 400
    assert "Say why the number changes" in refused.text
    assert 'value="0733000222"' in refused.text
    told = desk.told(f"{page}/number", mpesa_number="0733000222", reason="A new line")
    assert "0733 000 222" in section(told, "number-heading")
    history = section(told, "history-heading")
    assert history.index("0733 000 222") < history.index("0722 000 111")
    assert "A new line" in history
    assert "Achieng" in history
    assert flashed(desk.told(f"{page}/number", mpesa_number="0733 000 222", reason="x")) == [
        "This is the number already. Nothing was changed."
    ]


def test_a_new_number_is_made_sure_of_by_another_admin(
    desk: Desk, other_desk: Desk, page: str
) -> None:
    desk.told(f"{page}/number", mpesa_number="0733000222", reason="A new line")
    mine, theirs = desk.read(page), other_desk.read(page)
    assert "I have made sure of this number" not in mine
    assert "Another admin can end this sooner" in mine
    assert "I have made sure of this number" in theirs
    refused = desk.send(f"{page}/prove")
    assert refused.status_code == 403
    assert "another person has to make sure" in refused.text
    told = other_desk.told(f"{page}/prove")
    assert "This number is new." not in told
    assert "Made sure of" in section(told, "history-heading")
    assert other_desk.send(f"{page}/prove").status_code == 409


def test_a_supplier_is_paid_and_the_payout_stands_on_its_page(
    shop: Shop, desk: Desk, daraja: FakeDaraja, page: str
) -> None:
    payout = pay(desk, page, "5000")
    [sent] = daraja.payouts
    assert (sent["Amount"], sent["PartyB"], sent["Remarks"]) == (5000, "254722000111", "Beans")
    assert title(desk.read(payout)) == "On its way"
    shop.paid_out(shop.outs()[0], receipt="UKL6ABCDEF")
    told = desk.read(payout)
    assert title(told) == "Paid"
    assert "UKL6ABCDEF" in told
    assert payout.rpartition("/")[2] in section(desk.read(page), "payouts-heading")


def test_its_payouts_come_page_by_page(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any], page: str
) -> None:
    for number in range(11):
        shop.payout(admin, supplier, 101 + number)
    shop.payout(admin, None, 999)
    first = section(desk.read(page), "payouts-heading")
    assert "Payouts: 11" in first
    assert "KES 111" in first
    assert "KES 101<" not in first
    assert "KES 101<" in section(desk.read(f"{page}?page=2"), "payouts-heading")
    assert "KES 999" not in first


@pytest.mark.parametrize(
    ("amount", "status", "words"),
    [
        ("0", 400, "The least that M-Pesa pays out is KES 10."),
        ("9", 400, "The least that M-Pesa pays out is KES 10."),
        ("-50", 400, "must be a whole number of shillings"),
        ("10.50", 400, "must be a whole number of shillings"),
        ("1,500", 400, "must be a whole number of shillings"),
        ("1e3", 400, "must be a whole number of shillings"),
        ("", 400, "must be a whole number of shillings"),
        ("250001", 400, "One payout is at most KES 250,000"),
        ("9" * 30, 400, "must be a whole number of shillings"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_explained_at_its_field(
    shop: Shop, desk: Desk, page: str, amount: str, status: int, words: str
) -> None:
    key = hidden(desk.read(page), "form_key")
    answer = desk.send(f"{page}/pay", amount=amount, notes="Beans", form_key=key)
    assert answer.status_code == status
    assert words in problems(answer.text)[0]
    assert f'name="amount" value="{amount}"' in answer.text
    assert shop.outs() == []


def test_d4_a_double_click_pays_once(shop: Shop, desk: Desk, daraja: FakeDaraja, page: str) -> None:
    """D4."""
    key = hidden(desk.read(page), "form_key")
    form = {"amount": "5000", "notes": "Beans", "form_key": key}
    clients = [Desk(shop, desk.who) for _ in range(4)]
    led = together(4, lambda number: clients[number].sent(f"{page}/pay", **form))
    assert len(set(led)) == 1
    assert len(daraja.payouts) == len(shop.outs()) == 1
    # The same form an hour later, from the browser's history.
    assert desk.sent(f"{page}/pay", **form) == led[0]
    assert len(shop.outs()) == 1


def test_a_form_that_was_used_does_not_pay_something_else(
    shop: Shop, desk: Desk, page: str
) -> None:
    key = hidden(desk.read(page), "form_key")
    desk.sent(f"{page}/pay", amount="5000", notes="Beans", form_key=key)
    refused = desk.send(f"{page}/pay", amount="6000", notes="Beans", form_key=key)
    assert refused.status_code == 409
    assert "has made PAY" in problems(refused.text)[0]
    for broken in ("", "short", "x" * 65, "not/a/key/of/this/form"):
        refused = desk.send(f"{page}/pay", amount="700", notes="", form_key=broken)
        assert refused.status_code == 409, broken
    assert [record.amount_cents for record in shop.outs()] == [500_000]


def test_a_supplier_that_was_retired_in_between_is_not_paid(
    shop: Shop, desk: Desk, other_desk: Desk, page: str
) -> None:
    key = hidden(desk.read(page), "form_key")
    other_desk.sent(f"{page}/active", active="no")
    refused = desk.send(f"{page}/pay", amount="700", notes="", form_key=key)
    assert refused.status_code == 409
    assert shop.outs() == []


def test_who_is_not_there_is_not_found(desk: Desk) -> None:
    for path in ("00000000-0000-4000-8000-000000000000", "77", "..%2f..", "x" * 300):
        assert desk.open(f"{ROOM}/{path}").status_code == 404, path
        assert desk.send(f"{ROOM}/{path}/pay", amount="100").status_code == 404, path
