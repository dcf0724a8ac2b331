"""The payment API document: its test endpoints, which are not there in production, and the guide
that the README gives in its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.config import ROOT
from tests.documents.s0 import (
    PHONE,
    TXN,
    WRONG_NAMES,
    called_back,
    get,
    initiate,
    post,
    prompted,
    refused,
    short,
    verify,
    without_ellipsis,
)
from tests.support.app import Account, Shop, explicit_settings
from tests.support.daraja import FakeDaraja, html, paid

GUIDE = (ROOT / "README.md").read_text().partition("### The payment API dialect\n")[2]
GUIDE = GUIDE.partition("\n### ")[0]
TRIAL = {"phone_number": PHONE, "amount": 1000.00}


def move(shop: Shop, reference: str, status: str) -> Any:
    """Post the document's test callback, with no Authorization as it is shown."""
    return post(shop, None, "/test/callback/", {"transaction_id": reference, "status": status})


def test_s0_46_a_payment_without_an_order_is_tried_on_an_invoice_of_ones_own(
    shop: Shop, shopper: Account, other_shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-46."""
    answer = post(shop, shopper, "/test/mpesa/", TRIAL)
    body = answer.get_json()
    assert answer.status_code == 200
    assert body["message"] == "Payment initiated"
    assert TXN.fullmatch(body["transaction_id"])
    assert body["checkout_request_id"].startswith("ws_CO_")
    again = post(shop, shopper, "/test/mpesa/", TRIAL)
    assert again.get_json() == body, "it gives the live attempt back"
    [push] = daraja.pushes
    assert (push["Amount"], push["PhoneNumber"]) == (1000, PHONE)
    [row] = get(shop, shopper, "/history/").get_json()["results"]
    assert (row["id"], row["amount"]) == (body["transaction_id"], 1000.00)
    another = TRIAL | {"phone_number": "254712345679"}
    other = post(shop, other_shopper, "/test/mpesa/", another).get_json()
    assert other["order_id"] != body["order_id"]


def test_s0_46_s0_64_an_unknown_fate_is_202_here_too(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-46, S0-64."""
    daraja.push_answer = html(502)
    answer = post(shop, shopper, "/test/mpesa/", TRIAL)
    body = answer.get_json()
    assert (answer.status_code, body["status"]) == (202, "pending")
    assert body["checkout_request_id"] is None


def test_s0_46_it_needs_somebody_who_is_signed_in(shop: Shop) -> None:
    """S0-46."""
    refused(post(shop, None, "/test/mpesa/", TRIAL), 401, "UNAUTHORIZED")


def test_s0_46_s0_47_s0_59_a_trial_is_paid_verified_and_receipted(
    shop: Shop, shopper: Account
) -> None:
    """S0-46, S0-47, S0-59."""
    tried = post(shop, shopper, "/test/mpesa/", TRIAL).get_json()
    answer = move(shop, tried["transaction_id"], "completed")
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "completed"
    asked = {"transaction_id": tried["transaction_id"], "order_id": tried["order_id"]}
    told = post(shop, shopper, "/verify/", asked).get_json()
    assert told == {"status": "completed", "message": "Payment successful"}
    path = f"/transactions/{tried['transaction_id']}/receipt/"
    assert get(shop, shopper, path).get_json()["amount"] == "KES 1,000.00"
    assert post(shop, shopper, "/test/mpesa/", TRIAL).get_json()["order_id"] != tried["order_id"]


def test_s0_47_what_it_settles_says_so_in_the_books(shop: Shop, shopper: Account) -> None:
    """S0-47."""
    order = shop.order(shopper)
    payment = prompted(shop, shopper, order)
    assert move(shop, payment.public_ref, "completed").status_code == 200
    after = shop.fresh(payment)
    assert (after.status, after.evidence) == ("completed", "test endpoint")
    assert after.mpesa_receipt is None, "no receipt is made up"
    assert shop.timeline(payment)[-1].actor == "test endpoint"
    assert shop.order_now(shopper, order)["status"] == "paid"


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_s0_47_an_unpaid_end_can_be_tried_and_money_still_wins(
    shop: Shop, shopper: Account, status: str
) -> None:
    """S0-47."""
    order = shop.order(shopper)
    payment = prompted(shop, shopper, order)
    for _ in range(2):
        answer = move(shop, payment.public_ref, status)
        assert answer.get_json()["status"] == status
        assert verify(shop, shopper, payment)["status"] == status
    assert move(shop, payment.public_ref, "completed").get_json()["status"] == "completed"
    refused(move(shop, payment.public_ref, status), 409, "CONFLICT")
    assert verify(shop, shopper, payment)["status"] == "completed"


def test_s0_47_one_end_does_not_become_another(shop: Shop, shopper: Account) -> None:
    """S0-47."""
    payment = prompted(shop, shopper)
    move(shop, payment.public_ref, "cancelled")
    details = refused(move(shop, payment.public_ref, "expired"), 409, "CONFLICT")
    assert details == {"transaction_id": payment.public_ref, "status": "cancelled"}


def test_s0_47_money_for_an_order_that_is_paid_waits_for_a_person(
    shop: Shop, shopper: Account
) -> None:
    """S0-47."""
    order = shop.order(shopper)
    first = prompted(shop, shopper, order)
    move(shop, first.public_ref, "cancelled")
    assert initiate(shop, shopper, order).status_code == 200
    second = shop.payment(order)
    called_back(shop, second, paid(second.checkout_request_id))
    answer = move(shop, first.public_ref, "completed")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "pending")
    assert verify(shop, shopper, first)["review"] is True


@pytest.mark.parametrize("field", ["transaction_id", "status"])
@pytest.mark.parametrize("sent", [*WRONG_NAMES, 5], ids=short)
def test_s0_47_a_wrong_field_is_refused(
    shop: Shop, shopper: Account, field: str, sent: Any
) -> None:
    """S0-47."""
    payment = prompted(shop, shopper)
    body = {"transaction_id": payment.public_ref, "status": "completed", field: sent}
    answer = post(shop, None, "/test/callback/", without_ellipsis(body))
    assert field in refused(answer, 400, "VALIDATION_ERROR")["fields"]
    assert shop.fresh(payment).status == "pending"


@pytest.mark.parametrize("status", ["", "paid", "COMPLETED", "review", "x" * 5000], ids=short)
def test_s0_47_a_word_that_is_no_end_is_refused(shop: Shop, shopper: Account, status: str) -> None:
    """S0-47."""
    payment = prompted(shop, shopper)
    refused(move(shop, payment.public_ref, status), 400, "VALIDATION_ERROR")


def test_s0_47_only_the_name_that_the_payer_was_told_does(shop: Shop, shopper: Account) -> None:
    """S0-47."""
    payment = prompted(shop, shopper)
    for name in (str(payment.id), str(payment.uuid), "TXN20230815123456ABC", "", "TXN" * 2000):
        refused(move(shop, name, "completed"), 404, "NOT_FOUND")
    assert shop.fresh(payment).status == "pending"


def test_s0_47_it_is_rate_limited(shop: Shop) -> None:
    """S0-47."""
    shop.set(rate_limit_initiate="2/minute")
    for _ in range(2):
        refused(move(shop, "TXN20230815123456ABC", "completed"), 404, "NOT_FOUND")
    refused(move(shop, "TXN20230815123456ABC", "completed"), 429, "RATE_LIMITED")


def test_s0_46_s0_47_c_7_production_has_no_test_doors(tmp_path: Path) -> None:
    """S0-46, S0-47."""
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44)
    database = f"sqlite:///{tmp_path / 'lipa.db'}"
    app = create_app(
        explicit_settings(mpesa_environment="production", database_url=database, **secrets)
    )
    for path in ("/api/payment/test/mpesa/", "/api/payment/test/callback/"):
        answer = app.test_client().post(path, json={})
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")
    assert app.test_client().post("/api/payment/mpesa/", json={}).status_code == 401


def test_s0_54_to_s0_60_the_guide_names_every_door_and_walks_through_every_step(
    shop: Shop,
) -> None:
    """S0-54, S0-55, S0-56, S0-57, S0-58, S0-59, S0-60."""
    for rule in shop.app.url_map.iter_rules():
        path = rule.rule.replace("<transaction_id>", "<TXN…>").replace("<int:method_id>", "<id>")
        assert not path.startswith("/api/payment/") or path in GUIDE, path
    steps = re.findall(r"^\d\. (.*)$", GUIDE, re.MULTILINE)
    named = [
        "credentials",
        "mpesa/",
        "callback",
        "verify/",
        "try again",
        "sandbox",
        "waits for a person",
    ]
    assert len(steps) == len(named)
    for step, word in zip(steps, named, strict=True):
        assert word in step
