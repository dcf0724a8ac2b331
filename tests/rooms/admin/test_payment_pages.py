"""Payments in the back office: the list, one payment's page, its callbacks and its settlement."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile

import pytest

from app.accounts.roles import Role
from app.audit.service import faults, newest
from app.core.unit_of_work import transaction
from app.payments import inbox
from app.payments.models import InboxMessage, Payment
from app.payments.sealing import SEALED
from tests.rooms.admin.desk import Desk, flashed, problems, section
from tests.support.app import Account, Shop
from tests.support.daraja import paid, unpaid
from tests.support.staff import staff

ROOM = "/admin/payments"
PROPOSAL = {
    "receipt": "UKL5HAND01",
    "amount": "1500",
    "when": "2026-11-20T10:30",
    "seen": "Line 14 of the statement, from this phone",
}


@pytest.fixture
def viewer(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "viewer", Role.VIEWER))


@pytest.fixture
def operator(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "njeri", Role.OPERATOR))


@pytest.fixture
def approver(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "baraka", Role.APPROVER))


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    return shop.completed(shopper)


@pytest.fixture
def failed(shop: Shop, shopper: Account) -> Payment:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    return shop.fresh(payment)


def path_of(payment: Payment) -> str:
    return f"{ROOM}/{payment.public_ref}"


def deeds(shop: Shop) -> list[str]:
    with shop.app.app_context():
        return [entry.action for entry in newest()]


def test_the_list_finds_filters_and_masks(shop: Shop, viewer: Desk, payment: Payment) -> None:
    page = viewer.read(ROOM)
    assert path_of(payment) in page
    assert "0712 *** 678" in page
    assert "0712345678" not in page
    found = viewer.read(f"{ROOM}?q={payment.mpesa_receipt}")
    assert path_of(payment) in found
    assert "Read as an M-Pesa code." in found
    assert path_of(payment) not in viewer.read(f"{ROOM}?q=0799000111")
    assert path_of(payment) not in viewer.read(f"{ROOM}?status=failed")
    wrong = viewer.open(f"{ROOM}?from=yesterday")
    assert wrong.status_code == 400
    assert problems(wrong.text) == ["Write a day as 2026-11-21."]


def test_the_list_leads_on_by_key(
    shop: Shop, viewer: Desk, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = [shop.completed(shopper) for _ in range(3)]
    monkeypatch.setattr("app.payments.search.search.__defaults__", (None, 2))
    page = viewer.read(f"{ROOM}?status=completed")
    assert path_of(payments[0]) not in page
    onward = f"{ROOM}?status=completed&before={payments[1].id}"
    assert onward in page
    older = viewer.read(onward)
    assert path_of(payments[0]) in older
    assert path_of(payments[2]) not in older


def test_a_viewer_sees_everything_and_changes_nothing(
    shop: Shop, viewer: Desk, failed: Payment
) -> None:
    page = viewer.read(path_of(failed))
    assert "As it came" not in page
    assert "payer_cancelled" in section(page, "callbacks-heading")
    assert "Propose a settlement" not in page
    message = shop.inbox()[0].id
    of = path_of(failed)
    for form in (
        f"{of}/refund",
        f"{of}/settlements",
        f"{of}/settlements/1/approve",
        f"{of}/settlements/1/refuse",
        f"{of}/callbacks/{message}/rehearse",
        f"{of}/evidence.zip",
    ):
        assert viewer.send(form, **PROPOSAL).status_code == 403, form
    assert deeds(shop) == []


def test_callbacks_are_shown_raw_to_who_serves_with_secrets_masked(
    shop: Shop, operator: Desk, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, receipt="UKL5000001")
    body["Body"]["stkCallback"]["ResultDesc"] = "<script>alert(1)</script>"
    body["CallBackURL"] = f"http://shop.test/x?token={payment.callback_token}"
    shop.callback(body, token=payment.callback_token)
    page = operator.open(path_of(payment)).text
    assert "As it came" in page
    assert payment.callback_token not in page
    assert "<script>alert(1)" not in page
    assert "712345678" not in page
    assert "caller on the list, token fits" in page


def test_a_rehearsal_says_what_would_happen_and_changes_nothing(
    shop: Shop, operator: Desk, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = shop.prompted(shopper)

    def stumble(*_: object) -> str:
        raise RuntimeError("the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "settle", stumble)
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
        path = f"{path_of(payment)}/callbacks/{shop.inbox()[0].id}/rehearse"
        stumbled = operator.send(path)
    assert stumbled.status_code == 409
    assert "code cannot act on it: RuntimeError." in problems(stumbled.text)[0]
    told = operator.send(path)
    assert told.status_code == 200
    assert "payment_confirmed" in told.text
    assert "Payment status: pending would become completed." in told.text
    assert shop.fresh(payment).status == "pending"
    assert shop.credits() == []
    other = shop.completed(shopper)
    assert operator.send(path.replace(payment.public_ref, other.public_ref)).status_code == 404
    shop.sweep()


def test_two_people_settle_by_hand_on_the_page(
    shop: Shop, operator: Desk, approver: Desk, failed: Payment
) -> None:
    told = operator.told(f"{path_of(failed)}/settlements", **PROPOSAL)
    assert flashed(told) == ["Proposed. Another person has to agree."]
    assert "20 Nov 2026, 10:30" in section(told, "by-hand-heading")
    assert "Agree and settle" not in told
    assert "You proposed this: another person has to agree." in told
    question = approver.read("/admin")
    assert "A settlement by hand waits for another person" in question
    assert f'href="{path_of(failed)}#by-hand"' in question
    settled = approver.told(f"{path_of(failed)}/settlements/1/approve")
    assert flashed(settled) == ["Settled, and written down with both names."]
    assert shop.fresh(failed).status == "completed"
    assert "Settled by hand" in section(settled, "timeline-heading")
    again = approver.send(f"{path_of(failed)}/settlements/1/approve")
    assert again.status_code == 409
    assert approver.send(f"{path_of(failed)}/settlements/999/approve").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("receipt", "nonsense!", "Give the M-Pesa receipt"),
        ("amount", "0", "Nothing cannot be settled."),
        ("amount", "12.50", "must be a whole number"),
        ("when", "yesterday", "Write when it was paid"),
        ("when", "0001-01-01T00:00", "Write when it was paid"),
        ("seen", "I saw it", "Say what you have seen, in 20 to 500 characters."),
    ],
)
def test_a_proposal_that_is_not_complete_is_explained_beside_its_field(
    shop: Shop, operator: Desk, failed: Payment, field: str, value: str, words: str
) -> None:
    answer = operator.send(f"{path_of(failed)}/settlements", **(PROPOSAL | {field: value}))
    assert answer.status_code == 400
    assert words in problems(answer.text)[0]
    assert deeds(shop) == []


def test_a_refusal_has_a_reason(
    shop: Shop, operator: Desk, approver: Desk, failed: Payment
) -> None:
    operator.told(f"{path_of(failed)}/settlements", **PROPOSAL)
    path = f"{path_of(failed)}/settlements/1/refuse"
    assert "Say why" in problems(approver.send(path, why=" ").text)[0]
    told = approver.told(path, why="Line 14 is somebody else's")
    assert "Line 14 is somebody else's" in section(told, "by-hand-heading")
    assert shop.credits() == []


def test_the_evidence_holds_everything_and_no_secret(
    shop: Shop, operator: Desk, payment: Payment
) -> None:
    answer = operator.send(f"{path_of(payment)}/evidence.zip")
    assert answer.mimetype == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    files = {name: archive.read(name) for name in archive.namelist()}
    message = shop.inbox()[0]
    assert set(files) == {
        "summary.html",
        "payment.json",
        "timeline.csv",
        "audit.json",
        f"callbacks/{message.id}.json",
        "MANIFEST.txt",
    }
    assert files[f"callbacks/{message.id}.json"] == message.raw
    facts = json.loads(files["payment.json"])
    assert (facts["phone"], facts["came_in_kes"]) == ("254712345678", "1500.00")
    assert b"0712 345 678" in files["summary.html"]
    timeline = list(csv.DictReader(io.StringIO(files["timeline.csv"].decode("utf-8-sig"))))
    assert timeline[-1]["What"] == "payment_confirmed"
    assert [row["action"] for row in json.loads(files["audit.json"])] == ["payment.evidence_taken"]
    assert payment.callback_token.encode() not in b"".join(files.values())
    manifest = files["MANIFEST.txt"].decode()
    for name in set(files) - {"MANIFEST.txt"}:
        assert f"{hashlib.sha256(files[name]).hexdigest()}  {name}" in manifest
    with shop.app.app_context():
        assert newest()[0].hash in manifest
        assert list(faults()) == []


def test_a_callback_whose_key_is_gone_says_so(shop: Shop, operator: Desk, payment: Payment) -> None:
    message_id = shop.inbox()[0].id
    with shop.app.app_context(), transaction() as session:
        session.get_one(InboxMessage, message_id).raw = SEALED + b"not to be opened"
    page = operator.read(path_of(payment))
    assert "cannot be decrypted" in section(page, "callbacks-heading")
    assert operator.send(f"{path_of(payment)}/evidence.zip").status_code == 200
