"""What a payout may be: whole shillings that M-Pesa pays, for somebody who is there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja
from tests.support.money_out import PAYOUT_PATH, PAYOUTS_PATH


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


def refused(shop: Shop, who: Account, body: object, code: str, status: int = 400) -> dict[str, Any]:
    """Hold a refusal against the one shape of errors: nothing is written, nothing is sent."""
    answer = shop.client().post(PAYOUT_PATH, json=body, headers=who.headers)
    told: dict[str, Any] = answer.get_json()
    assert (answer.status_code, told["code"]) == (status, code), told
    assert (told["success"], told["error"]) == (False, told["message"])
    assert (shop.outs(), shop.daraja.moves) == ([], [])
    return told


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, "AMOUNT_TOO_LOW"),
        (9, "AMOUNT_TOO_LOW"),
        ("1", "AMOUNT_TOO_LOW"),
        (-1, "INVALID_AMOUNT"),
        (-5000, "INVALID_AMOUNT"),
        (0.001, "INVALID_AMOUNT"),
        (10.5, "INVALID_AMOUNT"),
        ("5000.01", "INVALID_AMOUNT"),
        ("1,500", "INVALID_AMOUNT"),
        ("1e3", "INVALID_AMOUNT"),
        ("", "INVALID_AMOUNT"),
        (" ", "INVALID_AMOUNT"),
        ("five", "INVALID_AMOUNT"),
        (True, "INVALID_AMOUNT"),
        (None, "INVALID_AMOUNT"),
        ([5000], "INVALID_AMOUNT"),
        ({"value": 1}, "INVALID_AMOUNT"),
        (250_001, "AMOUNT_TOO_HIGH"),
        (1_000_000_000, "AMOUNT_TOO_HIGH"),
        (10**12, "INVALID_AMOUNT"),
        ("9" * 5000, "INVALID_AMOUNT"),
        (..., "VALIDATION_ERROR"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_amount_that_cannot_be_paid_out_is_refused(
    shop: Shop, admin: Account, supplier: dict[str, Any], amount: Any, code: str
) -> None:
    """D6, D9."""
    body = {"supplier_id": supplier["id"], "amount": amount}
    told = refused(
        shop, admin, {key: value for key, value in body.items() if value is not ...}, code
    )
    if code in ("AMOUNT_TOO_LOW", "AMOUNT_TOO_HIGH"):
        limit = {"AMOUNT_TOO_LOW": "minimum", "AMOUNT_TOO_HIGH": "maximum"}[code]
        assert told["details"][limit] in (10, 250_000)
        assert "payout" in told["message"] or "pays out" in told["message"]


@pytest.mark.parametrize("raw", [b'{"amount": NaN}', b'{"amount": 1e400}', b"[]", b"", b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(
    shop: Shop, admin: Account, supplier: dict[str, Any], raw: bytes
) -> None:
    answer = shop.client().post(
        PAYOUT_PATH, data=raw, content_type="application/json", headers=admin.headers
    )
    assert answer.status_code == 400
    form = {"supplier_id": supplier["id"], "amount": 100}
    assert shop.client().post(PAYOUT_PATH, data=form, headers=admin.headers).status_code == 415
    assert shop.outs() == []


@pytest.mark.parametrize(
    ("amount", "sent"),
    [(10, 10), ("5000.00", 5000), (5000.0, 5000), ("10", 10), (250_000, 250_000)],
)
def test_whole_shillings_in_any_spelling_are_paid(
    shop: Shop,
    admin: Account,
    supplier: dict[str, Any],
    daraja: FakeDaraja,
    amount: object,
    sent: int,
) -> None:
    assert shop.ask_payout(admin, supplier, amount=amount).status_code == 200
    assert daraja.payouts[0]["Amount"] == sent


def test_the_most_that_one_payout_may_be_is_a_setting(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.set(payout_max_amount=1000)
    body = {"supplier_id": supplier["id"], "amount": 1001}
    assert "KES 1,000" in refused(shop, admin, body, "AMOUNT_TOO_HIGH")["message"]
    assert shop.ask_payout(admin, supplier, amount=1000).status_code == 200


@pytest.mark.parametrize(
    ("named", "code", "status"),
    [
        (..., "VALIDATION_ERROR", 400),
        (None, "VALIDATION_ERROR", 400),
        (7, "VALIDATION_ERROR", 400),
        ([], "VALIDATION_ERROR", 400),
        ("", "NOT_FOUND", 404),
        ("x", "NOT_FOUND", 404),
        ("0", "NOT_FOUND", 404),
        ("99", "NOT_FOUND", 404),
        ("9" * 400, "NOT_FOUND", 404),
        ("3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11", "NOT_FOUND", 404),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_supplier_that_is_not_there_is_not_paid(
    shop: Shop, admin: Account, supplier: dict[str, Any], named: Any, code: str, status: int
) -> None:
    body = {"supplier_id": named, "amount": 100}
    sent = {key: value for key, value in body.items() if value is not ...}
    refused(shop, admin, sent, code, status)


@pytest.mark.parametrize("notes", [7, [], "x" * 501, "a\x00b", None])
def test_notes_that_cannot_be_kept_are_refused(
    shop: Shop, admin: Account, supplier: dict[str, Any], notes: object
) -> None:
    body = {"supplier_id": supplier["id"], "amount": 100, "notes": notes}
    refused(shop, admin, body, "VALIDATION_ERROR")


def test_what_nobody_asked_for_is_passed_over(
    shop: Shop, admin: Account, supplier: dict[str, Any], daraja: FakeDaraja
) -> None:
    """Neither the number nor the status nor the approval is the caller's to say."""
    extra = {
        "mpesa_number": "0700111222",
        "msisdn": "254700111222",
        "status": "completed",
        "approved_by": 1,
        "amount_cents": 1,
        "originator_id": "mine",
        "token": "mine",
    }
    shop.set(payout_approval_above=0)
    body = {"supplier_id": supplier["id"], "amount": 5000} | extra
    assert shop.client().post(PAYOUT_PATH, json=body, headers=admin.headers).status_code == 202
    [record] = shop.outs()
    assert (record.status, record.msisdn, record.amount_cents) == (
        "awaiting_approval",
        "254722000111",
        500_000,
    )
    assert "mine" not in (record.originator_id, record.token)


@pytest.mark.parametrize("query", ["status=paid", "status=COMPLETED", "page=0", "per_page=-1"])
def test_a_list_that_cannot_be_is_refused(shop: Shop, admin: Account, query: str) -> None:
    answer = shop.client().get(f"{PAYOUTS_PATH}?{query}", headers=admin.headers)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("reason", [7, "x" * 501, []])
def test_calling_off_takes_a_reason_or_none(
    shop: Shop, admin: Account, supplier: dict[str, Any], reason: object
) -> None:
    shop.set(payout_approval_above=0)
    record = shop.payout(admin, supplier)
    path = f"{PAYOUTS_PATH}/{record.uuid}/cancel"
    bad = shop.client().post(path, json={"reason": reason}, headers=admin.headers)
    assert bad.status_code == 400
    assert shop.out(record).status == "awaiting_approval"
    told = shop.client().post(path, json={"reason": "typed wrong"}, headers=admin.headers)
    assert told.status_code == 200
    assert shop.out_timeline(record)[-1].why == "typed wrong"
