"""Suppliers: made, listed, changed and retired by admins, and every number they have had."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.core.errors import Conflict, Forbidden
from app.extensions import db
from app.suppliers import numbers
from app.suppliers import service as suppliers
from tests.support.app import Account, Shop, later, together
from tests.support.money_out import SUPPLIERS_PATH

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HOUR = 3600
NEW_NUMBER = {"mpesa_number": "0733000222", "reason": "a new line"}


@pytest.fixture
def second(shop: Shop) -> Account:
    """Another admin."""
    return shop.person("kamau", admin=True)


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


def call(shop: Shop, who: Account, method: str, path: str = "", **more: Any) -> TestResponse:
    return shop.client().open(f"{SUPPLIERS_PATH}{path}", method=method, headers=who.headers, **more)


def change(shop: Shop, who: Account, supplier: dict[str, Any], **body: Any) -> TestResponse:
    return call(shop, who, "PATCH", f"/{supplier['id']}", json=body)


def read(shop: Shop, who: Account, supplier: dict[str, Any]) -> dict[str, Any]:
    answer = call(shop, who, "GET", f"/{supplier['id']}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def ids_of(shop: Shop, supplier: dict[str, Any]) -> int:
    with shop.app.app_context():
        return suppliers.find(supplier["id"]).id


def prove(shop: Shop, who: Account, supplier: dict[str, Any]) -> None:
    with shop.app.app_context():
        found = suppliers.find(supplier["id"])
        numbers.prove(found.id, db.session.get_one(Person, who.id))


# Made and read.


def test_a_supplier_is_made_and_read(shop: Shop, admin: Account) -> None:
    body = {"name": " Kamau  Supplies ", "mpesa_number": "+254 722 000 111", "email": "k@duka.test"}
    made = call(shop, admin, "POST", json=body | {"notes": "Beans"})
    assert made.status_code == 201
    told = made.get_json()
    assert UUID.fullmatch(told["id"])
    assert told == {
        "id": told["id"],
        "name": "Kamau Supplies",
        "mpesa_number": "254722000111",
        "email": "k@duka.test",
        "notes": "Beans",
        "is_active": True,
        "cooling_off_until": None,
        "created_at": told["created_at"],
    }
    assert read(shop, admin, told) == told


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ...}, "VALIDATION_ERROR"),
        ({"name": None}, "VALIDATION_ERROR"),
        ({"name": ""}, "VALIDATION_ERROR"),
        ({"name": "   "}, "VALIDATION_ERROR"),
        ({"name": "x" * 121}, "VALIDATION_ERROR"),
        ({"name": "a\u202eb"}, "VALIDATION_ERROR"),
        ({"name": 7}, "VALIDATION_ERROR"),
        ({"mpesa_number": ...}, "VALIDATION_ERROR"),
        ({"mpesa_number": None}, "VALIDATION_ERROR"),
        ({"mpesa_number": 254722000111}, "VALIDATION_ERROR"),
        ({"mpesa_number": ""}, "INVALID_PHONE"),
        ({"mpesa_number": "072200011"}, "INVALID_PHONE"),
        ({"mpesa_number": "+255722000111"}, "INVALID_PHONE"),
        ({"mpesa_number": "0302000111"}, "INVALID_PHONE"),
        ({"mpesa_number": "254 OR 1=1"}, "INVALID_PHONE"),
        ({"email": "no address"}, "VALIDATION_ERROR"),
        ({"email": "x" * 250 + "@duka.test"}, "VALIDATION_ERROR"),
        ({"notes": "x" * 2001}, "VALIDATION_ERROR"),
        ({"notes": ["x"]}, "VALIDATION_ERROR"),
        ({"notes": "a\x00b"}, "VALIDATION_ERROR"),
    ],
    ids=repr,
)
def test_a_supplier_that_cannot_be_is_refused_in_words(
    shop: Shop, admin: Account, changes: dict[str, Any], code: str
) -> None:
    body = {"name": "Kamau Supplies", "mpesa_number": "0722000111"} | changes
    sent = {name: value for name, value in body.items() if value is not ...}
    answer = call(shop, admin, "POST", json=sent)
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)
    assert call(shop, admin, "GET").get_json()["total"] == 0


def test_what_nobody_asked_for_is_passed_over(shop: Shop, admin: Account) -> None:
    extra: dict[str, Any] = {"id": "mine", "is_active": False, "created_by": 99, "balance": 10**9}
    made = shop.supplier(admin, **extra)
    assert (made["is_active"], len(made["id"])) == (True, 36)


@pytest.mark.parametrize("name", ["0", "99", "9" * 20, "x", "3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11"])
def test_a_supplier_that_is_not_there_is_not_found(shop: Shop, admin: Account, name: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "X"})):
        answer = call(shop, admin, method, f"/{name}", json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")


def test_suppliers_are_listed_by_name_in_pages_and_found(shop: Shop, admin: Account) -> None:
    for name, number in (("Wanjiru", "0711000001"), ("Abdi", "0711000002"), ("Otieno", "0712999")):
        shop.supplier(admin, name, number.ljust(10, "3"))

    def listed(query: str) -> list[str]:
        return [row["name"] for row in call(shop, admin, "GET", query).get_json()["results"]]

    assert listed("") == ["Abdi", "Otieno", "Wanjiru"]
    assert listed("?per_page=2") == ["Abdi", "Otieno"]
    assert listed("?per_page=2&page=2") == ["Wanjiru"]
    assert listed("?search=tien") == ["Otieno"]
    assert listed("?search=ABDI") == ["Abdi"]
    assert listed("?search=254711") == ["Abdi", "Wanjiru"]
    assert listed("?search=%25") == [], "a sign of the database's is a sign like any other"
    assert listed("?search=_") == []
    for query in ("?page=0", "?per_page=x", "?search=%00"):
        assert call(shop, admin, "GET", query).status_code == 400


def test_what_stands_in_a_name_is_only_text(shop: Shop, admin: Account) -> None:
    """F1."""
    made = shop.supplier(admin, "<script>alert(1)</script>; DROP TABLE suppliers")
    answer = call(shop, admin, "GET", f"/{made['id']}")
    assert answer.get_json()["name"] == "<script>alert(1)</script>; DROP TABLE suppliers"
    assert answer.content_type == "application/json"


# Changed.


def test_what_is_not_sent_stays(shop: Shop, admin: Account, supplier: dict[str, Any]) -> None:
    changed = change(shop, admin, supplier, notes="Rice").get_json()
    assert changed == supplier | {"notes": "Rice"}
    assert change(shop, admin, supplier).get_json() == changed
    assert change(shop, admin, supplier, email="a@b.test").get_json()["email"] == "a@b.test"
    assert change(shop, admin, supplier, email="").get_json()["email"] is None


def test_a_retired_supplier_is_not_paid_and_comes_back(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    assert change(shop, admin, supplier, is_active=False).get_json()["is_active"] is False
    answer = shop.ask_payout(admin, supplier)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert "Activate" in answer.get_json()["message"]
    change(shop, admin, supplier, is_active=True)
    assert shop.ask_payout(admin, supplier).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "\u202e"},
        {"is_active": "no"},
        {"email": "nobody"},
        {"mpesa_number": "0733000222"},
        {"mpesa_number": "0733000222", "reason": "  "},
        {"mpesa_number": "0733000222", "reason": "x" * 501},
        {"mpesa_number": "nonsense", "reason": "a new line"},
        NEW_NUMBER | {"name": "\u202e"},
        NEW_NUMBER | {"email": "nobody"},
    ],
    ids=repr,
)
def test_a_change_with_something_wrong_changes_nothing(
    shop: Shop, admin: Account, supplier: dict[str, Any], body: dict[str, Any]
) -> None:
    """Not even what is right about it: the number stays with the name."""
    assert change(shop, admin, supplier, notes="Rice", **body).status_code == 400
    assert read(shop, admin, supplier) == supplier
    assert len(shop.numbers_of(ids_of(shop, supplier))) == 1


# Numbers.


def test_every_number_stands_in_the_history_with_who_and_why(
    shop: Shop, admin: Account, second: Account, supplier: dict[str, Any]
) -> None:
    assert change(shop, second, supplier, **NEW_NUMBER).get_json()["mpesa_number"] == "254733000222"
    first, changed = shop.numbers_of(ids_of(shop, supplier))
    assert (first.previous, first.number, first.changed_by) == (None, "254722000111", admin.id)
    assert (changed.previous, changed.number) == ("254722000111", "254733000222")
    assert (changed.reason, changed.changed_by) == ("a new line", second.id)


def test_the_same_number_in_another_spelling_is_no_change(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    same = {"mpesa_number": "+254 722-000-111", "reason": "the same"}
    assert change(shop, admin, supplier, **same).get_json() == supplier
    assert len(shop.numbers_of(ids_of(shop, supplier))) == 1


def test_a_first_number_does_not_cool_off_and_a_changed_one_does(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    assert supplier["cooling_off_until"] is None
    until = change(shop, admin, supplier, **NEW_NUMBER).get_json()["cooling_off_until"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", until)
    with shop.app.app_context():
        assert [one.number for one in numbers.changed_lately()] == ["254733000222"]
    with later(24 * HOUR + 1), shop.app.app_context():
        assert numbers.cooling_now(ids_of(shop, supplier)) is None
        assert list(numbers.changed_lately()) == []


def test_how_long_a_number_cools_off_is_a_setting(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.set(supplier_cooling_hours=0)
    assert change(shop, admin, supplier, **NEW_NUMBER).get_json()["cooling_off_until"] is None
    assert shop.payout(admin, supplier).status == "processing"


def test_who_changed_a_number_does_not_prove_it_and_another_admin_does_once(
    shop: Shop, admin: Account, second: Account, supplier: dict[str, Any]
) -> None:
    with pytest.raises(Conflict):
        prove(shop, second, supplier)
    change(shop, admin, supplier, **NEW_NUMBER)
    with pytest.raises(Forbidden):
        prove(shop, admin, supplier)
    prove(shop, second, supplier)
    assert read(shop, admin, supplier)["cooling_off_until"] is None
    changed = shop.numbers_of(ids_of(shop, supplier))[-1]
    assert (changed.proved_by, changed.proved_at is not None) == (second.id, True)
    with pytest.raises(Conflict):
        prove(shop, second, supplier)
    with shop.app.app_context():
        assert list(numbers.changed_lately()) == []


def test_a_newer_number_has_to_be_proved_anew(
    shop: Shop, admin: Account, second: Account, supplier: dict[str, Any]
) -> None:
    change(shop, admin, supplier, **NEW_NUMBER)
    prove(shop, second, supplier)
    change(shop, admin, supplier, mpesa_number="0744000333", reason="and another")
    assert read(shop, admin, supplier)["cooling_off_until"] is not None


def test_two_admins_who_change_a_number_at_once_leave_an_unbroken_history(
    shop: Shop, admin: Account, second: Account, supplier: dict[str, Any]
) -> None:
    """D5."""
    people = [admin, second] * 3

    def act(number: int) -> int:
        body = {"mpesa_number": f"073300000{number}", "reason": "a new line"}
        return change(shop, people[number], supplier, **body).status_code

    assert set(together(6, act)) <= {200, 409}
    history = shop.numbers_of(ids_of(shop, supplier))
    before = [None, *(one.number for one in history)]
    assert [one.previous for one in history] == before[:-1]
    assert read(shop, admin, supplier)["mpesa_number"] == history[-1].number
