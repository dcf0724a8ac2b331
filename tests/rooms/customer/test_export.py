"""Taking one's data along: all of it, nobody else's, and no secrets."""

from __future__ import annotations

import json
from typing import Any

from app.accounts.models import Person
from app.audit import service as audit
from app.customer import erasure, kept
from app.extensions import db
from app.payments.links import Opens, make, opened, pay
from tests.rooms.admin.desk import Desk
from tests.support.app import PASSWORD, PHONE, Account, Shop

STRANGER_S_PHONE = "0722000919"


#: Which columns name a shopper, and which somebody of the staff, who acts for the shop.
OF_SHOPPERS = {
    "claims.person_id",
    "enrolments.person_id",
    "orders.person_id",
    "payment_methods.person_id",
    "payments.person_id",
    "sign_ins.person_id",
    "audit_entries.actor_id",
    "shared_links.made_by",
}
WITHOUT_MEANING = {"recovery_codes.person_id"}
OF_STAFF = {
    "daily_closes.closed_by",
    "disbursements.approved_by",
    "disbursements.asked_by",
    "manual_settlements.decided_by",
    "manual_settlements.proposed_by",
    "order_notes.person_id",
    "payout_runs.approved_by",
    "payout_runs.made_by",
    "statement_differences.resolved_by",
    "statements.uploaded_by",
    "supplier_number_changes.changed_by",
    "supplier_number_changes.proved_by",
    "suppliers.created_by",
    "webhook_endpoints.created_by",
}


def test_no_table_that_points_at_people_was_forgotten() -> None:
    """Whoever adds one decides whether the file and the erasure have to know it."""
    pointing = {
        f"{table.name}.{column.name}"
        for table in db.metadata.sorted_tables
        for column in table.columns
        if any(key.target_fullname == "people.id" for key in column.foreign_keys)
    }
    assert pointing == OF_SHOPPERS | WITHOUT_MEANING | OF_STAFF


def take(shop: Shop, who: Account) -> tuple[dict[str, Any], str]:
    answer = Desk(shop, who).send("/account/data", present=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my-data-')
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = json.loads(answer.text)
    return found, answer.text


def test_the_file_holds_everything_about_oneself(shop: Shop, shopper: Account) -> None:
    payment = shop.completed(shopper, price=1500)
    desk = Desk(shop, shopper)
    desk.sent("/account/numbers", phone=PHONE, default="yes")
    refund = shop.refund(shopper, payment, 500)
    found, _text = take(shop, shopper)
    assert found["person"]["email"] == shopper.email
    [order] = found["orders"]
    assert (order["status"], order["total"]) == ("paid", 1500)
    assert order["lines"] == [{"name": "Kiondo", "quantity": 1, "unit_price": 1500}]
    [attempt] = found["payments"]
    assert (attempt["id"], attempt["phone"]) == (payment.public_ref, "254712345678")
    assert attempt["mpesa_code"] == payment.mpesa_receipt
    assert [money["amount"] for money in found["money_received"]] == [1500]
    assert [number["phone"] for number in found["mpesa_numbers"]] == ["254712345678"]
    assert found["sign_ins"][0]["address"] == "127.0.0.1"
    assert [row["action"] for row in found["written_down"]] == ["person.took_data"]
    assert [(one["id"], one["amount"]) for one in found["refunds"]] == [(refund.public_ref, 500)]


def test_long_histories_come_whole_and_in_order(
    shop: Shop, shopper: Account, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kept, "CHUNK", 2)
    numbers = [shop.order(shopper)["number"] for _ in range(5)]
    found, _text = take(shop, shopper)
    assert [order["number"] for order in found["orders"]] == numbers


def test_nothing_of_anybody_else_and_no_secret_is_in_it(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    theirs = shop.completed(other_shopper, price=777)
    mine = shop.completed(shopper, price=100)
    Desk(shop, other_shopper).send("/account/data", present=PASSWORD)
    found, text = take(shop, shopper)
    assert len(found["orders"]) == len(found["payments"]) == 1
    with shop.app.app_context():
        person = db.session.get_one(Person, shopper.id)
        secrets = (person.password_hash, mine.callback_token)
    for foreign in ("otieno", theirs.public_ref, theirs.mpesa_receipt, *secrets):
        assert str(foreign) not in text


def test_the_number_of_somebody_who_paid_by_a_link_is_masked(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    with shop.app.app_context():
        person = db.session.get_one(Person, shopper.id)
        token = make(order["id"], person, Opens.PAYING)
        pay(opened(token, Opens.PAYING), STRANGER_S_PHONE)
    found, text = take(shop, shopper)
    assert [attempt["phone"] for attempt in found["payments"]] == ["0722 *** 919"]
    assert "722000919" not in text
    assert token not in text
    assert [link["opens"] for link in found["links"]] == ["pay"]


def test_only_the_password_opens_it_and_it_is_written_down(shop: Shop, shopper: Account) -> None:
    refused = Desk(shop, shopper).send("/account/data", present="perhaps this")
    assert refused.status_code == 400
    assert "That is not your password" in refused.text
    with shop.app.app_context():
        assert audit.newest(wanted=audit.Wanted(action="person.took_data")) == []
    take(shop, shopper)
    with shop.app.app_context():
        [entry] = audit.newest(wanted=audit.Wanted(action="person.took_data"))
        assert (entry.actor_id, entry.subject) == (shopper.id, f"person {shopper.email}")


def test_taking_it_again_and_again_is_slowed_down(shop: Shop, shopper: Account) -> None:
    desk = Desk(shop, shopper)
    statuses = [desk.send("/account/data", present=PASSWORD).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_what_was_written_of_whoever_had_the_e_mail_before_is_not_in_it(
    shop: Shop, shopper: Account
) -> None:
    take(shop, shopper)
    with shop.app.app_context():
        erasure.erase(shopper.id)
    # Nobody proves that an e-mail is theirs, so anybody can register one that is free again.
    found, _text = take(shop, shop.person(shopper.email.partition("@")[0]))
    assert [(row["by"], row["action"]) for row in found["written_down"]] == [
        ("you", "person.took_data")
    ]
