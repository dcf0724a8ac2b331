"""F: what people type into the back office, and what comes out of it for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest
from openpyxl import load_workbook

from app.core.unit_of_work import transaction
from app.exports.cells import harmless
from app.orders.models import Order
from app.payments.models import Payment
from tests.cases.people import browser
from tests.support.app import Account, Shop

HTML = {"Accept": "text/html"}
FILE = "/admin/exports/file"
INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE payments; --",
    '" OR ""="',
    "1; DELETE FROM credits",
    "0 UNION SELECT password_hash FROM people",
    "completed' OR status = 'failed",
    "%",
    "_%",
    "\\",
    "$1",
    ":status",
    "ws_CO_' OR 1=1 --",
    "TXN'||'00000000000000",
    "9" * 40,
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.example","Paid")',
    "+254712",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
)


def test_f2_nothing_typed_into_a_search_or_filter_is_carried_out(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """F2: every parameter of the lists is a value to the database, and never a part of a query."""
    payment = shop.completed(shopper)
    desk = browser(shop, admin)
    for text in INJECTIONS:
        for name in ("q", "status", "from", "to", "person", "before"):
            answer = desk.get("/admin/payments", query_string={name: text}, headers=HTML)
            assert answer.status_code in (200, 400), (name, text)
            # Whoever ticks a box may tick it with any value.
            if answer.status_code == 200 and name == "q":
                assert payment.public_ref not in answer.text, text
        for name in ("what", "format", "q", "status", "from", "to"):
            form = {"what": "payments", "format": "csv"} | {name: text}
            answer = desk.get(FILE, query_string=form, headers=HTML)
            assert answer.status_code in (200, 400), (name, text)
            assert payment.public_ref not in answer.text, (name, text)
    assert shop.fresh(payment).status == "completed"
    assert len(shop.credits()) == 1


def test_f2_what_was_typed_comes_back_as_text(shop: Shop, admin: Account) -> None:
    """F2: and a page shows it as it was typed, not as markup."""
    typed = '"><script>alert(1)</script>'
    for path in ("/admin/payments", "/admin/exports"):
        page = browser(shop, admin).get(path, query_string={"q": typed}, headers=HTML).text
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("text", FORMULAS)
def test_f5_a_csv_s_cell_is_never_a_formula(text: str) -> None:
    """F5."""
    assert harmless(text) == f"'{text}"


def test_f5_no_export_carries_out_what_a_stranger_wrote(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """F5: texts of shoppers and of Daraja, in both kinds of file."""
    payments = [shop.completed(shopper) for _ in FORMULAS]
    with shop.app.app_context(), transaction() as session:
        for payment, text in zip(payments, FORMULAS, strict=True):
            session.get_one(Payment, payment.id).result_desc = text
            session.get_one(Order, payment.order_id).external_reference = text
    desk = browser(shop, admin)
    for what, column in (("payments", "Result"), ("orders", "Own reference")):
        form = {"what": what, "format": "csv"}
        answer = desk.get(FILE, query_string=form, headers=HTML)
        paper = io.StringIO(answer.data.decode("utf-8-sig"), newline="")
        cells = {row[column] for row in csv.DictReader(paper)}
        assert cells == {f"'{text}" for text in FORMULAS}
        answer = desk.get(FILE, query_string=form | {"format": "xlsx"}, headers=HTML)
        sheet = load_workbook(io.BytesIO(answer.data)).worksheets[0]
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
        shown = {str(cell.value) for row in sheet.iter_rows() for cell in row}
        assert {"=1+1", "@SUM(1)", "\uff1d1+1"} <= shown
