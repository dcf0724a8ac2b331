"""The payment API document: history, receipts and refunds."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.core.unit_of_work import transaction
from app.payments.models import Payment
from tests.documents.s0 import (
    called_back,
    completed,
    get,
    post,
    prompted,
    refused,
    short,
    verify,
    without_ellipsis,
)
from tests.simulator.client import eventually
from tests.support.app import Account, Shop, together
from tests.support.daraja import paid, refuse, unpaid

REFUND = {"amount": 1000.00, "reason": "Customer request"}
#: Noon in Nairobi is nine in the morning in UTC.
UTC_MOMENT = "2023-08-15T09:34:56Z"


def name(shop: Shop, who: Account, name: str) -> None:
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, who.id).name = name


def refund_path(payment: Payment) -> str:
    return f"/transactions/{payment.public_ref}/refund/"


def receipt_path(payment: Payment) -> str:
    return f"/transactions/{payment.public_ref}/receipt/"


def sent_back(shop: Shop) -> None:
    """Have Daraja say of everything that was sent that it arrived."""
    for refund in shop.outs():
        shop.paid_out(refund)


# History.


def test_s0_19_s0_20_s0_21_the_printed_history(shop: Shop, shopper: Account) -> None:
    """S0-19, S0-20, S0-21."""
    shop.written_by_hand = True  # Years ago by its own clock, so its news looks overdue.
    with time_machine.travel(UTC_MOMENT, tick=False):
        fresh = shop.person("amina")
        payment = completed(shop, fresh, price=1000)
        answer = get(shop, fresh, "/history/")
    row = {
        "id": payment.public_ref,
        "amount": 1000.00,
        "status": "completed",
        "payment_method": "mpesa",
        "created_at": UTC_MOMENT,
    }
    assert answer.status_code == 200
    assert answer.get_json() == {"results": [row], "total": 1, "page": 1}
    assert payment.public_ref.startswith("TXN20230815093456")


def test_s0_19_history_is_ones_own_even_for_an_admin(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S0-19."""
    prompted(shop, shopper)
    for who in (other_shopper, admin):
        assert get(shop, who, "/history/").get_json() == {"results": [], "total": 0, "page": 1}


def test_s0_20_history_is_paged_newest_first(shop: Shop, shopper: Account) -> None:
    """S0-20."""
    refs = [prompted(shop, shopper).public_ref for _ in range(3)][::-1]
    first = get(shop, shopper, "/history/?per_page=2").get_json()
    second = get(shop, shopper, "/history/?per_page=2&page=2").get_json()
    beyond = get(shop, shopper, "/history/?page=9").get_json()
    assert [row["id"] for row in first["results"] + second["results"]] == refs
    assert [page["total"] for page in (first, second, beyond)] == [3, 3, 3]
    assert [page["page"] for page in (first, second, beyond)] == [1, 2, 9]
    assert beyond["results"] == []


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=-1", "per_page=0", "page=1.5"])
def test_s0_20_a_page_that_cannot_be_is_refused(shop: Shop, shopper: Account, query: str) -> None:
    """S0-20."""
    refused(get(shop, shopper, f"/history/?{query}"), 400, "VALIDATION_ERROR")


def test_s0_21_every_end_has_its_word_and_what_went_back_is_told(
    shop: Shop, shopper: Account
) -> None:
    """S0-21: C-18."""
    for code in (1032, 1037, 1):
        payment = prompted(shop, shopper)
        called_back(shop, payment, unpaid(payment.checkout_request_id, code))
    short_money = prompted(shop, shopper)
    called_back(shop, short_money, paid(short_money.checkout_request_id, amount=1499))
    whole = completed(shop, shopper)
    assert post(shop, shopper, refund_path(whole), REFUND).status_code == 202
    rows = get(shop, shopper, "/history/").get_json()["results"]
    assert "refunded_amount" not in rows[0], "it is only on its way"
    sent_back(shop)
    rows = get(shop, shopper, "/history/").get_json()["results"]
    assert [row["status"] for row in rows] == [
        "completed",
        "pending",
        "failed",
        "expired",
        "cancelled",
    ]
    assert rows[0]["refunded_amount"] == 1000.00
    assert verify(shop, shopper, whole)["refunded_amount"] == 1000.00
    assert [row.get("review", False) for row in rows] == [False, True, False, False, False]
    assert rows[1]["amount"] == 1499, "what came in"


# Receipts.


def test_s0_22_to_s0_29_the_printed_receipt(shop: Shop) -> None:
    """S0-22, S0-23, S0-24, S0-25, S0-26, S0-27, S0-28, S0-29."""
    shop.written_by_hand = True  # Years ago by its own clock, so its news looks overdue.
    with time_machine.travel(UTC_MOMENT, tick=False):
        fresh = shop.person("amina")
        name(shop, fresh, "John Doe")
        payment = completed(shop, fresh, price=1000)
        answer = get(shop, fresh, receipt_path(payment))
    assert answer.status_code == 200
    assert answer.get_json() == {
        "receipt_number": payment.public_ref.replace("TXN", "RCP"),
        "date": "2023-08-15 12:34:56",
        "amount": "KES 1,000.00",
        "payment_method": "M-Pesa",
        "status": "Completed",
        "customer_name": "John Doe",
        "order_reference": f"Order #{payment.order_id}",
    }
    assert re.fullmatch(r"RCP\d{14}[A-Z0-9]{3}", answer.get_json()["receipt_number"])


def test_s0_27_a_refund_does_not_change_the_receipt(shop: Shop, shopper: Account) -> None:
    """S0-27."""
    payment = completed(shop, shopper)
    before = get(shop, shopper, receipt_path(payment)).get_json()
    assert post(shop, shopper, refund_path(payment), REFUND).status_code == 202
    sent_back(shop)
    assert get(shop, shopper, receipt_path(payment)).get_json() == before


@pytest.mark.parametrize(
    ("result_code", "code", "status"),
    [
        (1, "PAYMENT_FAILED", "Failed"),
        (1032, "PAYMENT_FAILED", "Cancelled"),
        (1037, "PAYMENT_EXPIRED", "Expired"),
    ],
)
def test_s0_22_s0_41_s0_42_an_unpaid_end_has_no_receipt_and_says_why(
    shop: Shop, shopper: Account, result_code: int, code: str, status: str
) -> None:
    """S0-22, S0-41, S0-42."""
    payment = prompted(shop, shopper)
    called_back(shop, payment, unpaid(payment.checkout_request_id, result_code))
    details = refused(get(shop, shopper, receipt_path(payment)), 409, code)
    assert details == {"transaction_id": payment.public_ref, "status": status}


def test_s0_22_s0_27_what_is_pending_has_no_receipt_yet(shop: Shop, shopper: Account) -> None:
    """S0-22, S0-27."""
    payment = prompted(shop, shopper)
    details = refused(get(shop, shopper, receipt_path(payment)), 409, "CONFLICT")
    assert details["status"] == "Pending"


@pytest.mark.parametrize(
    "reference", ["TXN20230815123456ABC", "x", "0", "9" * 400, "RCP20230815123456ABC"], ids=short
)
def test_s0_22_s0_30_a_transaction_that_is_not_there_is_not_found(
    shop: Shop, shopper: Account, reference: str
) -> None:
    """S0-22, S0-30."""
    refused(get(shop, shopper, f"/transactions/{reference}/receipt/"), 404, "NOT_FOUND")
    path = f"/transactions/{reference}/refund/"
    refused(post(shop, shopper, path, REFUND), 404, "NOT_FOUND")


def test_s0_22_s0_30_somebody_elses_is_not_found_and_an_admins_eye_sees_it(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S0-22, S0-30."""
    payment = completed(shop, shopper)
    refused(get(shop, other_shopper, receipt_path(payment)), 404, "NOT_FOUND")
    refused(post(shop, other_shopper, refund_path(payment), REFUND), 404, "NOT_FOUND")
    seen = get(shop, admin, receipt_path(payment)).get_json()
    assert seen["customer_name"] == "Wanjiku", "the payer's name and nobody else's"


# Refunds.


def test_s0_30_s0_31_s0_32_a_refund_is_accepted_under_its_name(
    shop: Shop, shopper: Account
) -> None:
    """S0-30, S0-31, S0-32: C-29: what has not gone back in time is not called processed."""
    payment = completed(shop, shopper)
    answer = post(shop, shopper, refund_path(payment), REFUND)
    body = answer.get_json()
    assert answer.status_code == 202
    assert re.fullmatch(r"RFD\d{14}[A-Z0-9]{3}", body["refund_id"])
    assert body == {
        "message": "Refund accepted",
        "refund_id": body["refund_id"],
        "status": "processing",
    }
    [asked] = shop.outs()
    assert (asked.public_ref, asked.amount_cents) == (body["refund_id"], 100_000)
    assert (asked.reason, asked.asked_by) == ("Customer request", shopper.id)
    assert shop.fresh(payment).status == "completed", "a refund is a record of its own"


def test_s0_32_a_refund_that_has_gone_back_is_processed(shop: Shop, shopper: Account) -> None:
    """S0-32."""
    payment = completed(shop, shopper, price=1000)
    shop.daraja_pays_at_once()
    answer = post(shop, shopper, refund_path(payment), REFUND)
    [asked] = shop.outs()
    assert (asked.status, asked.amount_cents, asked.channel) == ("completed", 100_000, "reversal")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "message": "Refund processed successfully",
        "refund_id": asked.public_ref,
    }


def test_s0_32_a_refund_whose_result_comes_within_the_wait_is_processed(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S0-32: C-29: the result comes after the acknowledgement, while the caller waits."""
    monkeypatch.setattr("app.disbursements.engine.RESULT_WAIT_SECONDS", 10)
    payment = completed(shop, shopper)
    said = together(2, lambda number: _ask_or_pay(shop, shopper, payment, number))
    assert [answer.status_code for answer in said if answer] == [200]


def _ask_or_pay(shop: Shop, who: Account, payment: Payment, number: int) -> TestResponse | None:
    if number == 0:
        return post(shop, who, refund_path(payment), REFUND)
    eventually(lambda: [one for one in shop.outs() if one.conversation_id])
    sent_back(shop)
    return None


def test_s0_32_a_refund_that_m_pesa_refuses_is_not_called_processed(
    shop: Shop, shopper: Account
) -> None:
    """S0-32: C-29."""
    shop.daraja.out_answer = refuse("Bad Request - Invalid PartyB", "400.002.02", 400)
    payment = completed(shop, shopper)
    answer = post(shop, shopper, refund_path(payment), REFUND)
    assert answer.get_json()["message"] != "Refund processed successfully"
    assert [one.status for one in shop.outs()] == ["failed"]
    assert "refunded_amount" not in get(shop, shopper, "/history/").get_json()["results"][0]


def test_s0_30_a_refund_above_the_limit_waits_for_a_yes(shop: Shop, shopper: Account) -> None:
    """S0-30: C-30."""
    shop.set(refund_auto_approve_limit=999)
    answer = post(shop, shopper, refund_path(completed(shop, shopper)), REFUND)
    assert (answer.status_code, answer.get_json()["status"]) == (202, "awaiting_approval")


def test_s0_31_a_part_may_go_back_and_never_more_than_was_paid(
    shop: Shop, shopper: Account
) -> None:
    """S0-31: D7."""
    payment = completed(shop, shopper)
    assert post(shop, shopper, refund_path(payment), REFUND).status_code == 202
    answer = post(shop, shopper, refund_path(payment), REFUND)
    assert refused(answer, 409, "CONFLICT") == {"refundable": 500}
    assert post(shop, shopper, refund_path(payment), REFUND | {"amount": 500}).status_code == 202


def test_s0_30_what_was_not_paid_is_not_refunded(shop: Shop, shopper: Account) -> None:
    """S0-30."""
    refused(post(shop, shopper, refund_path(prompted(shop, shopper)), REFUND), 409, "CONFLICT")


def test_s0_62_a_refund_repeated_by_its_key_is_asked_once(shop: Shop, shopper: Account) -> None:
    """S0-62."""
    payment, key = completed(shop, shopper), {"Idempotency-Key": "one"}
    answers = [post(shop, shopper, refund_path(payment), REFUND, **key) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert len(shop.outs()) == len(shop.daraja.moves) == 1


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("amount", ..., "VALIDATION_ERROR"),
        ("amount", None, "INVALID_AMOUNT"),
        ("amount", 0, "INVALID_AMOUNT"),
        ("amount", -1, "INVALID_AMOUNT"),
        ("amount", 10.5, "INVALID_AMOUNT"),
        ("amount", "", "INVALID_AMOUNT"),
        ("amount", {}, "INVALID_AMOUNT"),
        ("amount", "9" * 5000, "INVALID_AMOUNT"),
        ("reason", ..., "VALIDATION_ERROR"),
        ("reason", None, "VALIDATION_ERROR"),
        ("reason", 5, "VALIDATION_ERROR"),
        ("reason", "", "VALIDATION_ERROR"),
        ("reason", "   ", "VALIDATION_ERROR"),
        ("reason", "x" * 501, "VALIDATION_ERROR"),
        ("currency", "USD", "INVALID_CURRENCY"),
    ],
    ids=short,
)
def test_s0_31_a_wrong_field_is_refused(
    shop: Shop, shopper: Account, field: str, sent: Any, code: str
) -> None:
    """S0-31."""
    payment = completed(shop, shopper)
    body = without_ellipsis(REFUND | {field: sent})
    refused(post(shop, shopper, refund_path(payment), body), 400, code)
    assert (shop.outs(), shop.daraja.moves) == ([], [])


def test_s0_31_unknown_keys_are_passed_over(shop: Shop, shopper: Account) -> None:
    """S0-31."""
    payment = completed(shop, shopper)
    extra = {"status": "completed", "refund_id": "RFD20230815123456ABC", "asked_by": 1}
    answer = post(shop, shopper, refund_path(payment), REFUND | extra)
    assert answer.status_code == 202
    assert [asked.status for asked in shop.outs()] == ["processing"]
