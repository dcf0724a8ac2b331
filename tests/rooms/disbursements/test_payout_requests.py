"""Asking for a payout: once whatever is repeated, by admins only, and carefully in production."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.accounts.models import Person
from app.config import Environment
from app.core.errors import NotFound
from app.disbursements import references
from app.disbursements.models import Disbursement, Kind
from app.extensions import db
from app.suppliers import payouts
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, html, refuse
from tests.support.money_out import PAYOUT_PATH, PAYOUTS_PATH, SUPPLIERS_PATH

KEY = {"Idempotency-Key": "one payout"}


# Repetitions.


def test_the_same_request_with_the_same_key_pays_once(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D2, D4."""
    supplier = shop.supplier(admin)
    first, again = (shop.ask_payout(admin, supplier, **KEY) for _ in range(2))
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(daraja.moves) == len(shop.outs()) == 1


def test_another_request_with_the_same_key_is_refused(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D2."""
    supplier = shop.supplier(admin)
    shop.ask_payout(admin, supplier, **KEY)
    answer = shop.ask_payout(admin, supplier, amount=5001, **KEY)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert len(daraja.moves) == 1


def test_a_key_is_its_caller_s_own(shop: Shop, admin: Account, daraja: FakeDaraja) -> None:
    """D2."""
    supplier, second = shop.supplier(admin), shop.person("kamau", admin=True)
    first = shop.ask_payout(admin, supplier, **KEY)
    other = shop.ask_payout(second, supplier, **KEY)
    assert "Idempotency-Replayed" not in other.headers
    assert first.get_json()["data"]["payout_id"] != other.get_json()["data"]["payout_id"]


def test_repetitions_at_the_same_moment_pay_once(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D2, D4."""
    supplier = shop.supplier(admin)
    said = together(6, lambda _: shop.ask_payout(admin, supplier, **KEY).status_code)
    assert set(said) <= {200, 409}
    assert len(daraja.moves) == len(shop.outs()) == 1


@pytest.mark.parametrize(
    ("script", "status"),
    [(html(502), 202), (html(403), 202), (refuse("No", "400.002.02", 400), 502)],
)
def test_what_was_not_simply_accepted_is_told_again_and_not_done_again(
    shop: Shop, admin: Account, daraja: FakeDaraja, script: Any, status: int
) -> None:
    """D2."""
    supplier = shop.supplier(admin)
    daraja.out_answer = script
    said = [shop.ask_payout(admin, supplier, **KEY) for _ in range(3)]
    assert [answer.status_code for answer in said] == [status] * 3
    assert len({answer.data for answer in said}) == 1
    assert len(daraja.moves) == len(shop.outs()) == 1


def test_a_request_whose_process_died_goes_on_with_what_it_had_begun(
    shop: Shop, admin: Account, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5, D2."""
    supplier = shop.supplier(admin)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("app.disbursements.engine.send_now", die)
        with pytest.raises(KeyboardInterrupt):
            shop.ask_payout(admin, supplier, **KEY)
    assert shop.ask_payout(admin, supplier, **KEY).status_code == 409, "it may still be at it"
    monkeypatch.setattr("app.core.idempotency.LEASE_SECONDS", 0)
    answer = shop.ask_payout(admin, supplier, **KEY)
    [record] = shop.outs()
    assert answer.get_json()["data"]["payout_id"] == str(record.uuid)
    assert len(daraja.moves) == 1


def test_a_form_that_is_sent_twice_pays_once(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D4."""
    supplier = shop.supplier(admin)

    def submit(_: int) -> int:
        with shop.app.app_context():
            person = db.session.get_one(Person, admin.id)
            return payouts.ask(supplier["id"], 50_000, "Tea", person, form_key="a-form").id

    assert len(set(together(5, submit))) == 1
    [record] = shop.outs()
    assert (record.form_key, record.amount_cents) == ("a-form", 50_000)


def test_two_payouts_that_are_both_meant_are_two(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    supplier = shop.supplier(admin)
    together(3, lambda _: shop.ask_payout(admin, supplier))
    assert len(daraja.moves) == len(shop.outs()) == 3
    assert len({asked["OriginatorConversationID"] for asked in daraja.moves}) == 3


def test_who_asked_for_what_is_written_down(shop: Shop, admin: Account) -> None:
    record = shop.payout(admin, shop.supplier(admin, "Basic Foods, 0712345678"), amount=1500)
    first = shop.out_timeline(record)[0]
    assert (first.event, first.actor) == ("asked", f"person {admin.id}")
    assert first.why == "KES 1,500 to Basic Foods, 0712***678"


# By name.


def test_a_payout_has_three_names_and_no_others(shop: Shop, admin: Account) -> None:
    record = shop.payout(admin)
    for name in (record.id, record.uuid, record.public_ref):
        answer = shop.client().get(f"{PAYOUTS_PATH}/{name}", headers=admin.headers)
        assert answer.get_json()["data"]["payout_id"] == str(record.uuid)


def test_other_names_are_not_found(shop: Shop, admin: Account) -> None:
    """F10: whatever stands there, and whatever the database makes of it."""
    record = shop.payout(admin)
    ref = record.public_ref
    for name in ("0", "9" * 16, "-1", "x", f"{ref}x", f"x{ref}", ref.lower(), record.token, "é"):
        answer = shop.client().get(f"{PAYOUTS_PATH}/{name}", headers=admin.headers)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND"), name
    for name in ("%00", f"{ref}%00"):
        answer = shop.client().get(f"{PAYOUTS_PATH}/{name}", headers=admin.headers)
        assert answer.status_code == 400, name


def test_a_refund_is_no_payout(shop: Shop, shopper: Account, admin: Account) -> None:
    refund = shop.refund(shopper, shop.completed(shopper), 500)
    path = f"{PAYOUTS_PATH}/{refund.uuid}"
    for method, where in (("GET", path), ("POST", f"{path}/approve"), ("POST", f"{path}/cancel")):
        answer = shop.client().open(where, method=method, headers=admin.headers)
        assert answer.status_code == 404
    with shop.app.app_context(), pytest.raises(NotFound):
        references.find(refund.id, Kind.PAYOUT)


# Who may.

DOORS = [
    ("POST", PAYOUT_PATH),
    ("GET", PAYOUTS_PATH),
    ("GET", f"{PAYOUTS_PATH}/{{payout}}"),
    ("POST", f"{PAYOUTS_PATH}/{{payout}}/approve"),
    ("POST", f"{PAYOUTS_PATH}/{{payout}}/cancel"),
    ("PUT", "/api/payments/supplier/{supplier}/update-mpesa"),
    ("GET", SUPPLIERS_PATH),
    ("POST", SUPPLIERS_PATH),
    ("GET", f"{SUPPLIERS_PATH}/{{supplier}}"),
    ("PATCH", f"{SUPPLIERS_PATH}/{{supplier}}"),
]


@pytest.fixture
def waiting(shop: Shop, admin: Account) -> Disbursement:
    shop.set(payout_approval_above=0)
    return shop.payout(admin)


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_shoppers_and_strangers_stay_outside(
    shop: Shop, shopper: Account, waiting: Disbursement, method: str, path: str
) -> None:
    """E2: they learn nothing and change nothing."""
    supplier = f"{waiting.supplier_id}"
    where = path.format(payout=waiting.uuid, supplier=supplier)
    body = {
        "supplier_id": supplier,
        "amount": 100,
        "name": "X",
        "mpesa_number": "0700111222",
        "reason": "mine now",
    }
    for headers, status in (({}, 401), (shopper.headers, 403)):
        answer = shop.client().open(where, method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert "254722" not in answer.text
    assert [record.status for record in shop.outs()] == ["awaiting_approval"]
    assert len(shop.numbers_of(waiting.supplier_id or 0)) == 1


@pytest.mark.parametrize(("method", "path"), [door for door in DOORS if door[0] != "GET"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_was_sent_from_elsewhere_moves_nothing(
    shop: Shop, waiting: Disbursement, method: str, path: str, site: str
) -> None:
    """E4: an admin's cookie does not pay for another site."""
    second = shop.person("kamau", admin=True)
    where = path.format(payout=waiting.uuid, supplier=waiting.supplier_id)
    client = shop.client()
    client.set_cookie("access_token_cookie", second.access)
    body = {"supplier_id": str(waiting.supplier_id), "amount": 100, "name": "X"}
    body |= {"mpesa_number": "0700111222", "reason": "mine now"}
    answer = client.open(where, method=method, json=body, headers={"Sec-Fetch-Site": site})
    assert answer.status_code in (400, 403)
    assert [record.status for record in shop.outs()] == ["awaiting_approval"]
    assert len(shop.numbers_of(waiting.supplier_id or 0)) == 1


# In production.


@pytest.fixture
def production(shop: Shop) -> Shop:
    given = {"mpesa_consumer_key": "k", "mpesa_consumer_secret": "s", "mpesa_passkey": "p"}
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        public_url="https://shop.test",
        settings_encryption_key=Fernet.generate_key().decode(),
        mpesa_shortcode="174379",
        mpesa_b2c_shortcode="600000",
        mpesa_b2c_initiator_name="lipa",
        mpesa_b2c_security_credential="made by the portal",
        **given,
    )
    return shop


def test_in_production_every_payout_needs_another_admin_unless_a_limit_says_otherwise(
    production: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    assert production.payout(admin, amount=10).status == "awaiting_approval"
    production.set(payout_approval_above=1000)
    assert production.payout(admin, amount=1000).status == "processing"
    assert production.payout(admin, amount=1001).status == "awaiting_approval"
    assert len(daraja.moves) == 1


def test_in_production_every_refund_needs_another_admin_unless_a_limit_says_otherwise(
    production: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    """C-30."""
    payment = production.completed(shopper)
    for who in (shopper, admin):
        assert production.refund(who, payment, 10).status == "awaiting_approval"
    production.set(refund_auto_approve_limit=100)
    assert production.refund(shopper, payment, 100).status == "processing"
    assert production.refund(admin, payment, 101).status == "awaiting_approval"


def test_in_production_what_daraja_posts_is_kept_encrypted(
    production: Shop, admin: Account
) -> None:
    """C-40."""
    production.set(payout_approval_above=None, payout_max_amount=250_000)
    production.set(payout_approval_above=250_000)
    record = production.payout(admin)
    production.paid_out(record)
    [message] = production.result_inbox()
    assert b"JANE DOE" not in message.raw
    assert b"Result" not in message.raw
    assert production.out(record).status == "completed"
