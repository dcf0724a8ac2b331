"""The shop guide: asking whether the payment went through, with or without a callback."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.config import ROOT
from app.mpesa.out_codes import DECLINED
from app.mpesa.result_codes import meaning
from app.payments.states import Status
from tests.documents.s4 import (
    PRICE,
    QUERY,
    RECEIPT,
    SUCCESS,
    VERIFY,
    begun,
    call_back,
    order,
    post,
    queried,
    refused,
)
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, refuse, unpaid

#: The document's table of codes, word for word.
CODES = {
    "0": "Success",
    "1": "Insufficient funds",
    "1032": "User cancelled transaction",
    "1037": "Timeout - user didn't enter PIN",
    "2001": "Invalid initiator credentials",
    "500.001.1001": "Invalid phone number",
}


def verified(shop: Shop, who: Account, ref: object) -> dict[str, Any]:
    answer = shop.client().get(f"{VERIFY}/{ref}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"success", "data"}
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


def test_s4_33_to_s4_37_the_printed_query_has_the_printed_answer(
    shop: Shop, shopper: Account
) -> None:
    """S4-33, S4-35, S4-36, S4-37, S4-05, S4-08."""
    wanted = order(shop, shopper)
    call_back(shop, begun(shop, shopper, wanted))
    data = queried(shop, shopper, wanted)
    printed = {
        "status": "completed",
        "payment_reference": RECEIPT,
        "payment_status": "completed",
    }
    assert data | printed == data
    assert re.fullmatch(r"[A-Z0-9]{10}", data["payment_reference"])
    assert data["receipt_url"] == f"/receipts/{shop.payment(wanted).public_ref}"


def test_s4_35_before_anything_is_paid_the_query_says_pending(shop: Shop, shopper: Account) -> None:
    """S4-35, S4-37."""
    wanted = order(shop, shopper)
    for _ in range(2):
        data = queried(shop, shopper, wanted)
        assert (data["status"], data["payment_status"]) == ("pending", "pending")
        assert data["payment_reference"] is None
        begun(shop, shopper, wanted)


@pytest.mark.parametrize("path", [QUERY, f"{QUERY}/"])
def test_s4_34_the_query_is_for_its_owner_with_a_bearer_token(
    shop: Shop, shopper: Account, other_shopper: Account, path: str
) -> None:
    """S4-33, S4-34."""
    body = {"order_id": order(shop, shopper)["id"]}
    assert post(shop, shopper, path, body).status_code == 200
    refused(post(shop, None, path, body), 401, "UNAUTHORIZED")
    refused(post(shop, other_shopper, path, body), 404, "NOT_FOUND")


@pytest.mark.parametrize("order_id", [..., None, True, 1.5, [], {}])
def test_s4_35_an_order_id_that_is_none_is_named(
    shop: Shop, shopper: Account, order_id: object
) -> None:
    """S4-35."""
    body = {} if order_id is ... else {"order_id": order_id}
    answer = post(shop, shopper, QUERY, body)
    fields = refused(answer, 400, "VALIDATION_ERROR")["details"]["fields"]
    assert {name.partition(".")[0] for name in fields} == {"order_id"}


@pytest.mark.parametrize("order_id", ["", "uuid", "ORDER_ID", 0, -1, 10**18, "' OR 1=1 --"])
def test_s4_35_an_order_that_is_not_there_is_not_found(
    shop: Shop, shopper: Account, order_id: object
) -> None:
    """S4-35."""
    refused(post(shop, shopper, QUERY, {"order_id": order_id}), 404, "NOT_FOUND")


def test_s4_38_the_quick_check_tells_the_whole_order(shop: Shop, shopper: Account) -> None:
    """S4-38."""
    wanted = order(shop, shopper)
    before = verified(shop, shopper, wanted["id"])
    assert before == {
        "order_id": wanted["id"],
        "order_number": wanted["number"],
        "payment_status": "pending",
        "payment_method": None,
        "payment_reference": None,
        "paid_at": None,
        "total": PRICE,
    }
    call_back(shop, begun(shop, shopper, wanted))
    after = verified(shop, shopper, wanted["number"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", after["paid_at"])
    assert after == before | {
        "payment_status": "completed",
        "payment_method": "mpesa",
        "payment_reference": RECEIPT,
        "paid_at": after["paid_at"],
    }


def test_s4_38_the_quick_check_is_for_its_owner(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S4-38."""
    path = f"{VERIFY}/{order(shop, shopper)['id']}"
    refused(shop.client().get(path), 401, "UNAUTHORIZED")
    refused(shop.client().get(path, headers=other_shopper.headers), 404, "NOT_FOUND")
    assert shop.client().get(f"{path}/", headers=shopper.headers).status_code == 200


# Without a callback.


def test_s4_05_s4_67_s4_68_s4_126_polling_is_enough_without_any_callback(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-05, S4-67, S4-68, S4-126: C-12. The receipt comes when a callback does."""
    wanted = order(shop, shopper)
    payment = begun(shop, shopper, wanted)
    daraja.query_answer = ended("0", SUCCESS)
    with later(20):
        assert queried(shop, shopper, wanted)["status"] == "pending"
        shop.sweep()
        data = queried(shop, shopper, wanted)
    assert (data["status"], data["payment_reference"]) == ("completed", None)
    assert shop.fresh(payment).evidence == "query"
    call_back(shop, payment)
    assert queried(shop, shopper, wanted)["payment_reference"] == RECEIPT


def test_s4_74_a_page_that_asks_every_five_seconds_reaches_our_books_and_not_daraja(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-74: C-21."""
    wanted = order(shop, shopper)
    begun(shop, shopper, wanted)
    for _ in range(24):
        assert queried(shop, shopper, wanted)["status"] == "pending"
    assert daraja.queries == []
    with later(20):
        for _ in range(3):
            shop.sweep()
    assert len(daraja.queries) == 1


def test_s4_68_an_error_of_the_query_is_no_end(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-68, S4-114: C-28."""
    wanted = order(shop, shopper)
    begun(shop, shopper, wanted)
    daraja.query_answer = refuse("The transaction is being processed")
    with later(20):
        shop.sweep()
    assert len(daraja.queries) == 1
    assert queried(shop, shopper, wanted)["status"] == "pending"


# The codes.


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        ("1", "insufficient_funds", Status.FAILED),
        ("1032", "cancelled", Status.CANCELLED),
        ("1037", "timeout", Status.EXPIRED),
    ],
)
def test_s4_110_s4_111_s4_112_a_code_ends_the_payment_in_the_documents_words(
    shop: Shop, shopper: Account, code: str, reason: str, status: Status
) -> None:
    """S4-110, S4-111, S4-112: C-20. Each is `failed` to a page that knows no other end."""
    wanted = order(shop, shopper)
    payment = begun(shop, shopper, wanted)
    body = unpaid(payment.checkout_request_id, int(code), "in Daraja's own words")
    shop.callback(body, token=payment.callback_token)
    assert shop.fresh(payment).status == status
    data = queried(shop, shopper, wanted)
    assert (data["status"], data["payment_status"]) == ("failed", "failed")
    assert (data["reason"], data["result_code"]) == (reason, code)
    assert data["result_meaning"] == CODES[code]
    assert data["result_desc"] == "in Daraja's own words"


def test_s4_109_success_is_code_0(shop: Shop, shopper: Account) -> None:
    """S4-109."""
    wanted = order(shop, shopper)
    call_back(shop, begun(shop, shopper, wanted))
    data = queried(shop, shopper, wanted)
    assert (data["result_code"], data["result_meaning"]) == ("0", CODES["0"])


def test_s4_113_2001_is_the_initiator_of_a_payout_and_the_pin_of_a_prompt(
    shop: Shop, shopper: Account
) -> None:
    """S4-113: C-28. The number is the same, and Daraja's service says which is meant."""
    assert meaning("b2c", "2001") == CODES["2001"]
    assert DECLINED["2001"] == "credentials"
    wanted = order(shop, shopper)
    payment = begun(shop, shopper, wanted)
    body = unpaid(payment.checkout_request_id, 2001, "The initiator information is invalid.")
    shop.callback(body, token=payment.callback_token)
    data = queried(shop, shopper, wanted)
    assert (data["reason"], data["result_meaning"]) == ("wrong_pin", "Wrong PIN")


def test_a_code_that_guides_leave_out_has_no_short_meaning(shop: Shop, shopper: Account) -> None:
    wanted = order(shop, shopper)
    payment = begun(shop, shopper, wanted)
    shop.callback(unpaid(payment.checkout_request_id, 1019), token=payment.callback_token)
    data = queried(shop, shopper, wanted)
    assert (data["result_code"], data["result_meaning"]) == ("1019", None)


def test_s4_109_to_s4_114_the_readme_has_every_code_in_these_words() -> None:
    """S4-109, S4-110, S4-111, S4-112, S4-113, S4-114."""
    readme = (ROOT / "README.md").read_text()
    for code, words in CODES.items():
        assert re.search(rf"^\| `{re.escape(code)}` \| .*{re.escape(words)}", readme, re.M), code


def test_s4_37_money_that_a_person_looks_at_is_pending_with_a_flag(
    shop: Shop, shopper: Account
) -> None:
    """S4-37: C-18."""
    wanted = order(shop, shopper)
    call_back(shop, begun(shop, shopper, wanted), Amount=PRICE - 1)
    data = queried(shop, shopper, wanted)
    assert (data["status"], data["payment_status"], data["review"]) == ("pending", "pending", True)


def test_s4_37_an_expired_prompt_is_failed_only_once_somebody_has_said_so(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-37, S4-118: C-20."""
    wanted = order(shop, shopper)
    begun(shop, shopper, wanted)
    with later(90):
        shop.sweep()
        assert queried(shop, shopper, wanted)["status"] == "pending"
        daraja.query_answer = ended("1037", "DS timeout user cannot be reached.")
        with later(60):
            shop.sweep()
            assert queried(shop, shopper, wanted)["status"] == "failed"


def test_s4_37_a_late_success_turns_failed_into_completed(shop: Shop, shopper: Account) -> None:
    """S4-37."""
    wanted = order(shop, shopper)
    payment = begun(shop, shopper, wanted)
    shop.callback(unpaid(payment.checkout_request_id, 1037), token=payment.callback_token)
    assert queried(shop, shopper, wanted)["status"] == "failed"
    call_back(shop, payment)
    assert queried(shop, shopper, wanted)["status"] == "completed"
