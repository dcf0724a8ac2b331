"""The shop guide: suppliers are paid, payouts are listed, numbers are changed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from app.dialects.shop_payouts import MESSAGES
from app.disbursements.states import OutStatus
from tests.documents.s4 import PREFIX, UUID, WIRE_PHONE, post, refused
from tests.support import results
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, html, refuse

PAYOUT = f"{PREFIX}/supplier/payout"
PAYOUTS = f"{PREFIX}/supplier/payouts"
NOTES = "Weekly payout for orders #123-#145"
NUMBER_BODY = {"mpesa_number": "0712345678", "reason": "Supplier requested change"}
#: What an answer about a payout holds, each of which form.
FORMS: dict[str, Any] = {
    "payout_id": UUID,
    "reference": re.compile(r"PAY\d{14}[A-Z0-9]{3}"),
    "supplier_id": UUID,
    "supplier_name": "Kamau Supplies",
    "amount": 5000,
    "mpesa_number": "254722000111",
    "notes": NOTES,
    "status": "processing",
    "held": None,
    "approval": None,
    "conversation_id": re.compile(r"AG_\d{8}_[0-9a-f]{20}"),
    "originator_conversation_id": re.compile(r"PAY\d{14}[A-Z0-9]{3}-[A-Za-z0-9_-]{12}"),
    "receipt": None,
    "result_code": None,
    "result_desc": None,
    "created_at": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "completed_at": None,
}
#: How a payout stands once it was asked for, by what Daraja says to it; HTTP status and envelope.
STANDINGS: dict[str, tuple[Any, int]] = {
    "processing": (None, 200),
    "unknown": (html(502), 202),
    "queued": (html(403), 202),
}


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


def printed(supplier: dict[str, Any], /, **changes: Any) -> dict[str, Any]:
    """The printed request; a change to ``...`` leaves the field out."""
    body = {"supplier_id": supplier["id"], "amount": 5000.00, "notes": NOTES} | changes
    return {name: value for name, value in body.items() if value is not ...}


def paid_by(shop: Shop, who: Account, supplier: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the answer tells of a payout, out of its envelope."""
    answer = post(shop, who, PAYOUT, printed(supplier, **changes))
    assert answer.status_code in (200, 202), answer.text
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"success", "message", "data"}
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


def listed(shop: Shop, who: Account, query: str = "") -> dict[str, Any]:
    answer = shop.client().get(f"{PAYOUTS}{query}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    assert set(body) == {"success", "data"}
    data: dict[str, Any] = body["data"]
    assert set(data) == {"payouts", "total", "pages", "current_page"}
    return data


def fits(told: dict[str, Any], forms: dict[str, Any]) -> None:
    """Hold an object against its forms, key by key."""
    assert list(told) == list(forms)
    for name, form in forms.items():
        if isinstance(form, re.Pattern):
            assert form.fullmatch(told[name]), f"{name}: {told[name]!r}"
        else:
            assert told[name] == form, name


# Paying.


def test_s4_02_s4_07_s4_42_s4_43_s4_44_s4_124_an_admin_pays_a_supplier_as_printed(
    shop: Shop, admin: Account, supplier: dict[str, Any], daraja: FakeDaraja
) -> None:
    """S4-02, S4-07, S4-42, S4-43, S4-44, S4-124."""
    answer = post(shop, admin, PAYOUT, printed(supplier))
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["success"], body["message"]) == (True, "Payout initiated successfully")
    fits(body["data"], FORMS)
    [asked] = daraja.payouts
    assert (asked["PartyB"], asked["Amount"]) == ("254722000111", 5000)
    assert asked["Remarks"] == "Weekly payout for orders 123- 145", "as M-Pesa takes it"
    assert asked["OriginatorConversationID"] == body["data"]["originator_conversation_id"]


@pytest.mark.parametrize("name", STANDINGS)
def test_s4_44_a_payout_says_how_it_stands(
    shop: Shop, admin: Account, supplier: dict[str, Any], daraja: FakeDaraja, name: str
) -> None:
    """S4-44: 202 wherever it is not known to be on its way."""
    script, status = STANDINGS[name]
    daraja.out_answer = script or daraja.accept_out
    answer = post(shop, admin, PAYOUT, printed(supplier))
    assert answer.status_code == status
    body = answer.get_json()
    assert (body["data"]["status"], body["message"]) == (name, MESSAGES[OutStatus(name)])
    assert list(body["data"]) == list(FORMS)


def test_s4_44_what_m_pesa_refuses_is_an_error_that_names_the_payout(
    shop: Shop, admin: Account, supplier: dict[str, Any], daraja: FakeDaraja
) -> None:
    """S4-44."""
    daraja.out_answer = refuse("Bad Request - Invalid PartyB", "400.002.02", 400)
    answer = post(shop, admin, PAYOUT, printed(supplier))
    told = refused(answer, 502, "PROVIDER_REFUSED", "M-Pesa refused the payout")
    [record] = shop.outs()
    assert told["details"] == {
        "payout_id": str(record.uuid),
        "reference": record.public_ref,
        "provider_code": "400.002.02",
        "provider_message": "Bad Request - Invalid PartyB",
    }
    assert record.status == "failed"


def test_s4_44_notes_may_be_left_out(
    shop: Shop, admin: Account, supplier: dict[str, Any], daraja: FakeDaraja
) -> None:
    """S4-44."""
    data = paid_by(shop, admin, supplier, notes=...)
    assert data["notes"] == f"Payout {data['reference']}"
    assert daraja.payouts[0]["Remarks"] == data["notes"]


def test_s4_43_a_payout_is_for_admins(
    shop: Shop, shopper: Account, supplier: dict[str, Any]
) -> None:
    """S4-43."""
    refused(post(shop, None, PAYOUT, printed(supplier)), 401, "UNAUTHORIZED")
    refused(post(shop, shopper, PAYOUT, printed(supplier)), 403, "FORBIDDEN")
    assert (shop.outs(), shop.daraja.moves) == ([], [])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"supplier_id": ...}, 400, "VALIDATION_ERROR"),
        ({"supplier_id": "uuid"}, 404, "NOT_FOUND"),
        ({"amount": ...}, 400, "VALIDATION_ERROR"),
        ({"amount": 5000.5}, 400, "INVALID_AMOUNT"),
        ({"amount": -5000}, 400, "INVALID_AMOUNT"),
        ({"amount": 9}, 400, "AMOUNT_TOO_LOW"),
        ({"amount": 250_001}, 400, "AMOUNT_TOO_HIGH"),
        ({"notes": 5}, 400, "VALIDATION_ERROR"),
    ],
)
def test_s4_44_a_wrong_field_is_refused(
    shop: Shop,
    admin: Account,
    supplier: dict[str, Any],
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """S4-44."""
    refused(post(shop, admin, PAYOUT, printed(supplier, **changes)), status, code)
    assert shop.outs() == []


def test_s4_44_a_payout_is_read_and_followed_by_its_name(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """S4-44."""
    data = paid_by(shop, admin, supplier)
    shop.paid_out(shop.out(data["payout_id"]))
    answer = shop.client().get(f"{PAYOUTS}/{data['payout_id']}", headers=admin.headers)
    body = answer.get_json()
    assert (answer.status_code, body["message"]) == (200, "Payout completed")
    end = {"status": "completed", "receipt": "UKL6000001", "result_code": "0"}
    end |= {"result_desc": results.SUCCESS, "completed_at": FORMS["created_at"]}
    fits(body["data"], FORMS | end)
    moment = datetime.fromisoformat(body["data"]["completed_at"])
    assert moment.utcoffset() is not None


def test_s4_44_a_second_admin_agrees_or_calls_it_off(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """S4-44."""
    shop.set(payout_approval_above=0)
    second = shop.person("kamau", admin=True)
    first, other = (paid_by(shop, admin, supplier) for _ in range(2))
    assert {first["status"], other["status"]} == {"awaiting_approval"}
    assert first["approval"] == "it is above KES 0"
    path = f"{PAYOUTS}/{first['payout_id']}/approve"
    refused(post(shop, admin, path, {}), 403, "FORBIDDEN")
    agreed = post(shop, second, path, {})
    assert (agreed.status_code, agreed.get_json()["data"]["status"]) == (200, "processing")
    off = post(shop, second, f"{PAYOUTS}/{other['payout_id']}/cancel", {})
    assert (off.status_code, off.get_json()["data"]["status"]) == (200, "cancelled")
    assert off.get_json()["message"] == MESSAGES[OutStatus.CANCELLED]
    refused(post(shop, second, f"{PAYOUTS}/{other['payout_id']}/approve", {}), 409, "CONFLICT")


# The list.


def test_s4_45_s4_46_s4_47_the_printed_list(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """S4-45, S4-46, S4-47."""
    ids = [paid_by(shop, admin, supplier, amount=10 + n)["payout_id"] for n in range(3)]
    shop.paid_out(shop.out(ids[1]))
    data = listed(shop, admin, "?page=1&per_page=20&status=completed")
    assert (data["total"], data["pages"], data["current_page"]) == (1, 1, 1)
    [row] = data["payouts"]
    assert list(row) == list(FORMS)
    assert (row["payout_id"], row["status"], row["amount"]) == (ids[1], "completed", 11)
    assert row["receipt"] == "UKL6000002"


def test_s4_46_payouts_are_paged_newest_first(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """S4-46."""
    ids = [paid_by(shop, admin, supplier)["payout_id"] for _ in range(3)][::-1]
    pages = [listed(shop, admin, f"?per_page=2&page={number}") for number in (1, 2, 9)]
    rows = [[row["payout_id"] for row in page["payouts"]] for page in pages]
    assert rows == [ids[:2], ids[2:], []]
    assert [(page["total"], page["pages"]) for page in pages] == [(3, 2)] * 3
    assert [page["current_page"] for page in pages] == [1, 2, 9]
    assert listed(shop, admin, "?status=")["total"] == 3


def test_s4_46_each_status_may_be_asked_for_and_no_other(shop: Shop, admin: Account) -> None:
    """S4-46."""
    for status in OutStatus:
        assert listed(shop, admin, f"?status={status}")["total"] == 0
    for query in ("?status=paid", "?page=0", "?per_page=x"):
        answer = shop.client().get(f"{PAYOUTS}{query}", headers=admin.headers)
        refused(answer, 400, "VALIDATION_ERROR")


def test_s4_47_the_list_is_for_admins_and_holds_payouts_only(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S4-47."""
    shop.refund(shopper, shop.completed(shopper), 500)
    assert listed(shop, admin)["payouts"] == []
    refused(shop.client().get(PAYOUTS), 401, "UNAUTHORIZED")
    refused(shop.client().get(PAYOUTS, headers=shopper.headers), 403, "FORBIDDEN")


# The number.


def test_s4_48_s4_49_s4_50_a_supplier_s_number_is_changed_as_printed(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """S4-48, S4-49, S4-50."""
    path = f"{PREFIX}/supplier/{supplier['id']}/update-mpesa"
    answer = shop.client().put(path, json=NUMBER_BODY, headers=admin.headers)
    body = answer.get_json()
    assert (answer.status_code, body["success"]) == (200, True)
    assert body["message"] == "M-Pesa number updated"
    fits(
        body["data"],
        {
            "supplier_id": re.compile(re.escape(supplier["id"])),
            "mpesa_number": WIRE_PHONE,
            "cooling_off_until": FORMS["created_at"],
        },
    )
    again = shop.client().put(path, json=NUMBER_BODY, headers=admin.headers)
    assert again.get_json()["message"] == "This is the supplier's number already"
    assert paid_by(shop, admin, supplier)["mpesa_number"] == WIRE_PHONE


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"mpesa_number": "12345"}, "INVALID_PHONE", "Invalid Phone Number"),
        ({"mpesa_number": ""}, "INVALID_PHONE", "Invalid Phone Number"),
        ({"mpesa_number": 712345678}, "VALIDATION_ERROR", ""),
        ({"mpesa_number": ...}, "VALIDATION_ERROR", ""),
        ({"reason": ...}, "VALIDATION_ERROR", ""),
        ({"reason": ""}, "VALIDATION_ERROR", ""),
        ({"reason": "  "}, "VALIDATION_ERROR", ""),
        ({"reason": "x" * 501}, "VALIDATION_ERROR", ""),
    ],
)
def test_s4_49_a_wrong_field_changes_no_number(
    shop: Shop,
    admin: Account,
    supplier: dict[str, Any],
    changes: dict[str, Any],
    code: str,
    words: str,
) -> None:
    """S4-49."""
    body = {name: value for name, value in (NUMBER_BODY | changes).items() if value is not ...}
    path = f"{PREFIX}/supplier/{supplier['id']}/update-mpesa"
    refused(shop.client().put(path, json=body, headers=admin.headers), 400, code, words)
    assert paid_by(shop, admin, supplier)["mpesa_number"] == "254722000111"


def test_s4_50_a_number_is_for_admins_to_change(
    shop: Shop, shopper: Account, supplier: dict[str, Any]
) -> None:
    """S4-50."""
    path = f"{PREFIX}/supplier/{supplier['id']}/update-mpesa"
    refused(shop.client().put(path, json=NUMBER_BODY), 401, "UNAUTHORIZED")
    answer = shop.client().put(path, json=NUMBER_BODY, headers=shopper.headers)
    refused(answer, 403, "FORBIDDEN")
