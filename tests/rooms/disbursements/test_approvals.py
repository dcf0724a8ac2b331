"""The second person's yes: whose it is, what it is given to, and how long one waits for it."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.disbursements import approvals
from app.disbursements.models import Disbursement
from app.extensions import db
from app.suppliers import numbers
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html
from tests.support.money_out import SUPPLIERS_PATH

HOUR = 3600


@pytest.fixture
def second(shop: Shop) -> Account:
    """Another admin."""
    return shop.person("kamau", admin=True)


@pytest.fixture
def waiting(shop: Shop, admin: Account) -> Disbursement:
    """A payout above the limit, which waits for another admin."""
    shop.set(payout_approval_above=1000)
    record = shop.payout(admin)
    assert record.status == "awaiting_approval"
    return record


def change_number(
    shop: Shop, who: Account, record: Disbursement, number: str = "0733000222"
) -> TestResponse:
    path = f"/api/payments/supplier/{record.supplier_id}/update-mpesa"
    body = {"mpesa_number": number, "reason": "a new line"}
    answer = shop.client().put(path, json=body, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer


def supplier_of(record: Disbursement) -> dict[str, Any]:
    return {"id": str(record.supplier_id)}


@pytest.mark.parametrize(
    ("limit", "amount", "waits"),
    [(None, 250_000, False), (5000, 5000, False), (5000, 5001, True), (0, 10, True)],
)
def test_above_the_limit_another_admin_has_to_agree(
    shop: Shop, admin: Account, daraja: FakeDaraja, limit: int | None, amount: int, waits: bool
) -> None:
    shop.set(payout_approval_above=limit)
    answer = shop.ask_payout(admin, amount=amount)
    [record] = shop.outs()
    assert record.status == ("awaiting_approval" if waits else "processing")
    assert answer.status_code == (202 if waits else 200)
    assert len(daraja.moves) == (0 if waits else 1)
    assert (record.approval_why is not None) == waits


def test_nothing_leaves_before_the_yes_and_one_thing_after_it(
    shop: Shop, waiting: Disbursement, second: Account, daraja: FakeDaraja
) -> None:
    with later(23 * HOUR):
        shop.sweep_out()
    assert daraja.moves == []
    answer = shop.decide(second, waiting, "approve")
    assert (answer.status_code, answer.get_json()["data"]["status"]) == (200, "processing")
    after = shop.out(waiting)
    assert (after.approved_by, after.asked_by) == (second.id, waiting.asked_by)
    assert after.approved_at is not None
    assert shop.out_events(waiting) == ["asked", "approved", "sending", "accepted"]
    assert shop.out_timeline(waiting)[1].actor == f"person {second.id}"
    assert len(daraja.moves) == 1


def test_the_maker_never_agrees(shop: Shop, waiting: Disbursement, admin: Account) -> None:
    answer = shop.decide(admin, waiting, "approve")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "FORBIDDEN")
    assert "another person" in answer.get_json()["message"]
    assert shop.out(waiting).status == "awaiting_approval"


def test_two_admins_who_agree_at_once_send_it_once(
    shop: Shop, waiting: Disbursement, second: Account, daraja: FakeDaraja
) -> None:
    """D4."""
    third = shop.person("otieno", admin=True)
    people = [second, third] * 2
    said = together(4, lambda number: shop.decide(people[number], waiting, "approve").status_code)
    assert sorted(said) == [200, 409, 409, 409]
    assert len(daraja.moves) == 1
    assert shop.out_events(waiting).count("approved") == 1


def test_a_yes_that_is_said_twice_is_one(
    shop: Shop, waiting: Disbursement, second: Account, daraja: FakeDaraja
) -> None:
    """D4, D2."""
    key = {"Idempotency-Key": "one yes"}
    first = shop.decide(second, waiting, "approve", **key)
    again = shop.decide(second, waiting, "approve", **key)
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert shop.decide(second, waiting, "approve").status_code == 409
    assert len(daraja.moves) == 1


def test_yes_and_no_at_once_end_as_one_of_them(
    shop: Shop, waiting: Disbursement, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    words = [(second, "approve"), (admin, "cancel")]
    said = together(2, lambda number: shop.decide(words[number][0], waiting, words[number][1]))
    yes, no = (answer.status_code for answer in said)
    # Between the yes and the sending there is time for a no.
    ends = {"processing": (200, 409, 1), "cancelled": (yes, 200, 0)}
    assert (yes, no, len(daraja.moves)) == ends[shop.out(waiting).status]


def test_a_yes_that_comes_too_late_is_none(
    shop: Shop, waiting: Disbursement, second: Account, daraja: FakeDaraja
) -> None:
    with later(24 * HOUR + 1):
        second = shop.person("kamau2", admin=True)
        answer = shop.decide(second, waiting, "approve")
        assert answer.status_code == 409
        assert "anew" in answer.get_json()["message"]
        shop.sweep_out()
        after = shop.out(waiting)
        assert (after.status, after.failure) == ("cancelled", "approval_lapsed")
        assert shop.decide(second, waiting, "approve").status_code == 409
    assert daraja.moves == []


def test_how_long_one_waits_is_a_setting(shop: Shop, admin: Account) -> None:
    shop.set(payout_approval_above=0, approval_hours=2)
    record = shop.payout(admin)
    with later(1.9 * HOUR):
        shop.sweep_out()
        assert shop.out(record).status == "awaiting_approval"
    with later(2.1 * HOUR):
        shop.sweep_out()
        assert shop.out(record).status == "cancelled"


def test_it_lapses_once_however_many_sweeps_there_are(shop: Shop, waiting: Disbursement) -> None:
    def lapse(_: int) -> str:
        with shop.app.app_context():
            return approvals.lapse(waiting.id)

    with later(24 * HOUR + 1):
        said = together(3, lapse)
    assert sorted(said) == ["it is cancelled", "it is cancelled", "lapsed"]
    assert shop.out_events(waiting).count("approval_lapsed") == 1


def test_what_was_sent_cannot_be_called_off(shop: Shop, admin: Account) -> None:
    record = shop.payout(admin)
    answer = shop.decide(admin, record, "cancel")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert shop.paid_out(record).status == "completed"
    assert shop.decide(admin, record, "cancel").status_code == 409


def test_what_waits_can_be_called_off_by_any_admin(
    shop: Shop, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    daraja.out_answer = html(403)
    queued = shop.payout(admin)
    shop.set(payout_approval_above=0)
    waiting = shop.payout(admin)
    daraja.requests.clear()
    for record in (queued, waiting):
        answer = shop.decide(second, record, "cancel")
        assert (answer.status_code, answer.get_json()["data"]["status"]) == (200, "cancelled")
    with later(HOUR):
        shop.sweep_out()
    assert daraja.moves == []
    assert shop.balances() == {}


# A number that changes.


def test_a_number_that_changed_since_is_not_paid_by_the_yes_to_the_old_one(
    shop: Shop, waiting: Disbursement, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    """D5."""
    change_number(shop, admin, waiting)
    answer = shop.decide(second, waiting, "approve")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "CONFLICT")
    assert "changed" in answer.get_json()["message"]
    assert daraja.moves == []
    assert shop.decide(second, waiting, "cancel").status_code == 200


def test_a_number_that_changes_after_the_yes_changes_nothing(
    shop: Shop, waiting: Disbursement, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    """D5: paid is the number that was on file when it was agreed to."""
    daraja.out_answer = html(403)
    shop.decide(second, waiting, "approve")
    change_number(shop, admin, waiting)
    daraja.out_answer = daraja.accept_out
    with later(20):
        shop.sweep_out()
    assert {asked["PartyB"] for asked in daraja.payouts} == {"254722000111"}
    assert shop.out(waiting).status == "processing"


def test_after_a_change_each_payout_needs_another_admin_who_did_not_change_it(
    shop: Shop, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    """D5."""
    first = shop.payout(admin)
    change_number(shop, second, first)
    record = shop.payout(admin, supplier_of(first), amount=10)
    assert record.status == "awaiting_approval"
    assert record.approval_why is not None
    assert "changed lately" in record.approval_why
    assert record.msisdn == "254733000222"
    assert shop.decide(second, record, "approve").status_code == 403, "the changer"
    assert shop.decide(admin, record, "approve").status_code == 403, "the maker"
    third = shop.person("otieno", admin=True)
    assert shop.decide(third, record, "approve").status_code == 200
    assert daraja.payouts[-1]["PartyB"] == "254733000222"


@pytest.mark.parametrize(("hours", "waits"), [(23.9, True), (24.1, False)])
def test_a_changed_number_cools_off_in_time(
    shop: Shop, admin: Account, hours: float, waits: bool
) -> None:
    first = shop.payout(admin)
    change_number(shop, admin, first)
    with later(hours * HOUR):
        admin = shop.person("achieng2", admin=True)
        record = shop.payout(admin, supplier_of(first))
    assert (record.status == "awaiting_approval") == waits


def test_a_number_that_a_second_admin_has_proved_does_not_cool_off(
    shop: Shop, admin: Account, second: Account
) -> None:
    first = shop.payout(admin)
    change_number(shop, admin, first)
    with shop.app.app_context():
        numbers.prove(first.supplier_id or 0, db.session.get_one(Person, second.id))
    assert shop.payout(admin, supplier_of(first)).status == "processing"
    change_number(shop, admin, first, "0744000333")
    assert shop.payout(admin, supplier_of(first)).status == "awaiting_approval"


def test_a_number_that_goes_there_and_back_cools_off_too(shop: Shop, admin: Account) -> None:
    first = shop.payout(admin)
    change_number(shop, admin, first)
    change_number(shop, admin, first, "0722000111")
    assert shop.payout(admin, supplier_of(first)).status == "awaiting_approval"


def test_a_number_that_changes_while_a_payout_is_asked_for(
    shop: Shop, admin: Account, second: Account, daraja: FakeDaraja
) -> None:
    """D5: either the old number without a second person, or the new one with one."""
    supplier = shop.supplier(admin)

    def act(number: int) -> None:
        if number % 2:
            shop.ask_payout(admin, supplier, amount=100)
        else:
            body = {"mpesa_number": "0733000222", "reason": "a new line"}
            path = f"{SUPPLIERS_PATH}/{supplier['id']}"
            shop.client().patch(path, json=body, headers=second.headers)

    together(6, act)
    for record in shop.outs():
        is_new = record.msisdn == "254733000222"
        assert record.status == ("awaiting_approval" if is_new else "processing")
    assert {asked["PartyB"] for asked in daraja.payouts} <= {"254722000111"}


def test_a_supplier_who_was_retired_is_not_agreed_to(
    shop: Shop, waiting: Disbursement, admin: Account, second: Account
) -> None:
    path = f"{SUPPLIERS_PATH}/{waiting.supplier_id}"
    shop.client().patch(path, json={"is_active": False}, headers=admin.headers)
    assert shop.decide(second, waiting, "approve").status_code == 409
    assert shop.out(waiting).status == "awaiting_approval"
