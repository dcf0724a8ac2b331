"""The books as files: complete, harmless, in Nairobi's time, and written down."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert
from werkzeug.test import TestResponse

from app.accounts.roles import Role
from app.audit.models import AuditEntry
from app.audit.service import newest
from app.core.clock import nairobi, now
from app.core.unit_of_work import transaction
from app.exports import tables, writing
from app.exports.tables import TABLES, What, Wish
from app.extensions import db
from app.ledger.models import Transfer
from tests.rooms.admin.desk import Desk, problems
from tests.support.app import Account, Shop
from tests.support.staff import staff

EXPORTS = "/admin/exports"


@pytest.fixture
def viewer(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "viewer", Role.VIEWER))


@pytest.fixture
def operator(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "njeri", Role.OPERATOR))


def take(desk: Desk, **wish: str) -> TestResponse:
    """Press a button of the export page."""
    return desk.open(f"{EXPORTS}/file?{urlencode(wish)}")


def rows(desk: Desk, **form: str) -> list[dict[str, str]]:
    """Take a table out as CSV, and return its rows by their headings."""
    answer = take(desk, **({"format": "csv"} | form))
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/csv"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def last_deed(shop: Shop) -> AuditEntry:
    with shop.app.app_context():
        return newest()[0]


def test_payments_come_out_as_they_stand(shop: Shop, shopper: Account, viewer: Desk) -> None:
    payment = shop.completed(shopper, price=1240)
    [row] = rows(viewer, what="payments")
    assert row["Payment"] == payment.public_ref
    assert (row["Asked for (KES)"], row["Came in (KES)"]) == ("1240.00", "1240.00")
    assert row["Begun"] == nairobi(payment.created_at).isoformat(timespec="seconds")
    assert row["Begun"].endswith("+03:00")
    assert row["Phone"] == "0712 *** 678"
    assert row["M-Pesa code"] == payment.mpesa_receipt
    deed = last_deed(shop)
    assert (deed.action, deed.subject) == ("export.taken", "export payments")
    assert deed.detail["whole_phones"] is False


def test_the_same_filters_as_on_the_page_narrow_an_export(
    shop: Shop, shopper: Account, other_shopper: Account, viewer: Desk
) -> None:
    done, waiting = shop.completed(shopper), shop.prompted(other_shopper)
    found = rows(viewer, what="payments", status="completed")
    assert [row["Payment"] for row in found] == [done.public_ref]
    found = rows(viewer, what="payments", q=waiting.public_ref)
    assert [row["Payment"] for row in found] == [waiting.public_ref]
    assert rows(viewer, what="payments", q="0712345678", to="2020-01-01") == []
    assert "0712345678" not in str(last_deed(shop).detail)


def test_whole_phones_are_for_who_serves_and_are_written_down(
    shop: Shop, shopper: Account, viewer: Desk, operator: Desk
) -> None:
    shop.completed(shopper)
    asked = {"what": "payments", "whole_phones": "yes"}
    assert take(viewer, format="csv", **asked).status_code == 403
    assert "With whole phone numbers" not in viewer.read(EXPORTS)
    [row] = rows(operator, **asked)
    # With blanks, or a spreadsheet takes it for a number and drops the zero.
    assert row["Phone"] == "0712 345 678"
    assert last_deed(shop).detail["whole_phones"] is True


def test_every_table_comes_out_in_both_forms(
    shop: Shop, shopper: Account, admin: Account, operator: Desk
) -> None:
    payment = shop.completed(shopper)
    shop.refund(shopper, payment, 500)
    operator.read(f"/admin/payments/{payment.public_ref}")
    rows(operator, what="ledger")
    for what in What:
        found = rows(operator, what=what)
        assert found, what
        sheet = take(operator, what=what, format="xlsx")
        day = nairobi(now()).strftime("%Y-%m-%d")
        assert f"{what}-{day}.xlsx" in sheet.headers["Content-Disposition"]
        book = load_workbook(io.BytesIO(sheet.data), read_only=True)
        lines = list(book.worksheets[0].values)
        assert lines[0] == TABLES[what].headings
        # Taking it out is one more row of the audit trail.
        assert len(lines) == len(found) + 1 + (what == What.AUDIT)
    [out] = rows(operator, what="money-out")
    assert (out["For"], out["Amount (KES)"], out["Kind"]) == (
        payment.public_ref,
        "500.00",
        "refund",
    )
    [order] = rows(operator, what="orders")
    assert (order["Came in (KES)"], order["State"]) == ("1500.00", "paid")


def test_amounts_in_a_workbook_are_numbers_and_codes_are_texts(
    shop: Shop, shopper: Account, viewer: Desk
) -> None:
    payment = shop.completed(shopper)
    sheet = take(viewer, what="payments", format="xlsx")
    headings, row = load_workbook(io.BytesIO(sheet.data)).worksheets[0].iter_rows()
    cells = {str(heading.value): cell for heading, cell in zip(headings, row, strict=True)}
    assert cells["Asked for (KES)"].value == 1500
    assert cells["Asked for (KES)"].data_type == "n"
    assert cells["Order"].data_type == "s"
    assert cells["M-Pesa code"].value == payment.mpesa_receipt


def test_days_are_nairobi_s_and_both_included(shop: Shop, operator: Desk) -> None:
    shop.written_by_hand = True
    at = now().replace(year=2026, month=11, day=20, hour=21, minute=0, second=0, microsecond=0)
    lines = [
        {"key": f"k{hours}", "at": at + timedelta(hours=hours), "debit": "mpesa", "credit": "sales"}
        | {"amount_cents": 100 * hours + 5, "subject": "TXN", "what": "paid"}
        for hours in (0, 23, 24)
    ]
    with shop.app.app_context(), transaction() as session:
        session.execute(insert(Transfer), lines)
    found = rows(operator, what="ledger", **{"from": "2026-11-21", "to": "2026-11-21"})
    # 21:00 in UTC is midnight in Nairobi.
    assert [row["Amount (KES)"] for row in found] == ["0.05", "23.05"]


def test_many_rows_come_out_whole_and_chunk_by_chunk(
    shop: Shop, operator: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.written_by_hand = True
    lines = [
        {"key": f"k{number}", "at": now(), "debit": "mpesa", "credit": "sales"}
        | {"amount_cents": number, "subject": "TXN", "what": "paid"}
        for number in range(1, 3_501)
    ]
    with shop.app.app_context(), transaction() as session:
        session.execute(insert(Transfer), lines)
    found = rows(operator, what="ledger")
    assert len({row["Line"] for row in found}) == len(found) == 3_500
    assert sum(Decimal(row["Amount (KES)"]) for row in found) == Decimal(3_500 * 3_501) / 200
    with shop.app.app_context():
        parts = list(writing.as_csv(TABLES[What.LEDGER], Wish()))
        assert len(parts) == 8
    monkeypatch.setattr(tables, "CHUNK", 100)
    monkeypatch.setattr(writing, "MOST_ROWS", 250)
    cut = rows(operator, what="ledger")
    assert len(cut) == 251
    assert cut[-1]["When"] == writing.CUT_OFF


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"what": "people", "format": "csv"}, "Choose what to export."),
        ({"what": "payments", "format": "pdf"}, "Choose CSV or Excel."),
        ({"what": "payments", "format": "csv", "from": "x"}, "Write a day as 2026-11-21."),
        ({"what": "payments", "format": "csv", "status": "x"}, "There is no such state."),
    ],
)
def test_an_export_that_means_nothing_is_explained(
    shop: Shop, viewer: Desk, form: dict[str, str], words: str
) -> None:
    answer = take(viewer, **form)
    assert answer.status_code == 400
    assert words in problems(answer.text)[0]
    with shop.app.app_context():
        assert newest() == []


def test_a_shopper_takes_nothing_out(shop: Shop, shopper: Account) -> None:
    desk = Desk(shop, shopper)
    assert desk.open(EXPORTS).status_code == 403
    assert take(desk, what="payments", format="csv").status_code == 403


def test_the_audit_trail_comes_out_with_its_chain(shop: Shop, viewer: Desk) -> None:
    rows(viewer, what="payments")
    first, second = rows(viewer, what="audit")
    assert second["Follows"] == first["Hash"]
    with shop.app.app_context():
        assert db.session.get_one(AuditEntry, 1).hash == first["Hash"]


def test_another_site_s_link_takes_nothing_out(shop: Shop, viewer: Desk) -> None:
    """E4: the file would come to the person's own machine, but under their name."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    path = f"{EXPORTS}/file?what=payments&format=csv"
    assert viewer.browser.get(path, headers=headers).status_code == 403
    with shop.app.app_context():
        assert newest() == []
