"""The statement of M-Pesa's portal, written from the same ledger that the APIs write."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pytest
import requests
from flask.testing import FlaskClient

from app.simulator.factory import create_simulator
from app.simulator.records import LedgerEntry
from app.simulator.settings import SimulatorSettings
from app.simulator.simulator import EXTENSION, Simulator
from app.simulator.statement import HEADER
from tests.simulator.client import B2C_SHORTCODE, Daraja, Receiver, new_msisdn

Row = dict[str, str]


def statement(daraja: Daraja, shortcode: str = B2C_SHORTCODE, **choices: Any) -> requests.Response:
    return daraja.call("GET", f"/simulator/api/statements/{shortcode}.csv", params=choices)


def read(content: bytes, separator: str = ",") -> tuple[list[list[str]], list[Row]]:
    """The lines before the header, and the rows after it by name."""
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), ""), delimiter=separator))
    at = next(n for n, line in enumerate(lines) if line[0] == "Receipt No.")
    rows = [dict(zip(lines[at], line, strict=True)) for line in lines[at + 1 :]]
    return lines[:at], rows


def rows_of(daraja: Daraja, **choices: Any) -> list[Row]:
    return read(statement(daraja, **choices).content)[1]


def test_the_header_and_the_six_lines_before_it_are_those_of_real_files(daraja: Daraja):
    daraja.pay(new_msisdn(), 500)
    answer = statement(daraja)
    before, rows = read(answer.content)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        rf'attachment; filename="ORG_{B2C_SHORTCODE}_Working Account_Completed_\d{{14}}\.csv"',
        answer.headers["Content-Disposition"],
    )
    assert len(before) == 6
    assert before[3][:2] == ["Time Period:", "From"]
    assert re.fullmatch(r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d", before[3][4])
    assert before[5] == ["Opening Balance:", "0.00", "Closing Balance:", "500.00"]
    assert list(rows[0]) == list(HEADER)
    assert not answer.content.startswith(b"\xef\xbb\xbf")


def test_a_payment_is_told_with_what_the_payer_typed(daraja: Daraja):
    msisdn = new_msisdn()
    receipt = daraja.pay(msisdn, 500, account="inv 42").json()["receipt"]
    (row,) = rows_of(daraja)
    name = daraja.phone(msisdn)["name"]
    person = f"2547****{msisdn[-3:]} - {name}"
    assert row.pop("Completion Time") == row.pop("Initiation Time")
    assert row == {
        "Receipt No.": receipt,
        "Details": f"Pay Bill from {person} Acc. inv 42",
        "Transaction Status": "Completed",
        "Paid In": "500.00",
        "Withdrawn": "",
        "Balance": "500.00",
        "Balance Confirmed": "true",
        "Reason Type": "Pay Utility",
        "Other Party Info": person,
        "Linked Transaction ID": "",
        "A/C No.": "inv 42",
    }


def test_a_payment_and_its_charge_share_the_receipt_newest_first(daraja: Daraja):
    assert daraja.set_accounts(paybill_charge=5).json()["paybill_charge"] == 5
    first = daraja.pay(new_msisdn(), 500).json()["receipt"]
    second = daraja.pay(new_msisdn(), 100, account="").json()["receipt"]
    told = [
        (row["Receipt No."], row["Paid In"], row["Withdrawn"], row["Balance"])
        for row in rows_of(daraja)
    ]
    assert told == [
        (second, "", "-5.00", "590.00"),
        (second, "100.00", "", "595.00"),
        (first, "", "-5.00", "495.00"),
        (first, "500.00", "", "500.00"),
    ]
    charge = rows_of(daraja)[2]
    assert (charge["Details"], charge["Reason Type"]) == ("Pay Bill Charge", "Pay Bill Charge")
    assert charge["Linked Transaction ID"] == first
    assert daraja.accounts()["working"] == 590


def test_a_payment_by_prompt_and_its_charge_are_told(daraja: Daraja):
    shop = "174379"
    daraja.set_accounts(shop, paybill_charge=1)
    checkout = daraja.prompt(new_msisdn(), 70, AccountReference="INV-7")
    daraja.answer(checkout, pin="1234")
    rows = read(statement(daraja, shop).content)[1]
    assert [(row["Reason Type"], row["A/C No."]) for row in rows] == [
        ("Pay Bill Charge", ""),
        ("Pay Bill Online", "INV-7"),
    ]


def test_each_account_has_a_statement_of_its_own(daraja: Daraja, receiver: Receiver):
    paid = daraja.pay(new_msisdn(), 300).json()["receipt"]
    receiver.wait_for_result(daraja.pay_out(new_msisdn(), 50))
    reversal = daraja.reverse(paid, 300, ReceiverParty=B2C_SHORTCODE).json()["ConversationID"]
    receiver.wait_for_result(reversal)
    (out,) = [entry for entry in daraja.money_out() if entry["kind"] == "b2c"]
    working, utility, charges = (
        rows_of(daraja, account=account) for account in ("working", "utility", "charges")
    )
    assert [(row["Paid In"], row["Withdrawn"], row["Balance"]) for row in working] == [
        ("", "-300.00", "0.00"),
        ("300.00", "", "300.00"),
    ]
    assert working[0]["Linked Transaction ID"] == paid
    assert [(row["Withdrawn"], row["Balance"]) for row in utility] == [("-50.00", "999950.00")]
    assert [(row["Withdrawn"], row["Balance"]) for row in charges] == [("-22.40", "-22.40")]
    # A payout and its charge share the receipt, in two files.
    assert utility[0]["Receipt No."] == charges[0]["Receipt No."] == out["receipt"]
    name = statement(daraja, account="charges").headers["Content-Disposition"]
    assert "Charges Paid Account" in name


def test_the_shape_of_2017(daraja: Daraja):
    daraja.set_accounts(paybill_charge=5)
    msisdn = new_msisdn()
    daraja.pay(msisdn, 1_500)
    content = statement(daraja, shape="2017").content
    assert content.count(b"\r\n") == content.count(b"\n") == 9
    charge, row = read(content)[1]
    assert row["Paid In"] == "1,500.00"
    assert b'"1,500.00"' in content
    assert charge["Withdrawn"] == "5.00"
    assert row["Balance Confirmed"] == "TRUE"
    assert re.fullmatch(r"\d\d-\d\d-\d{4} \d\d:\d\d", row["Completion Time"])
    assert row["Details"].startswith(f"Pay Bill from {msisdn} - ")


def test_the_shape_of_2026(daraja: Daraja):
    daraja.pay(new_msisdn(), 1_500)
    daraja.pay(new_msisdn(), 20)
    content = statement(daraja, shape="2026").content
    assert content.startswith(b"\xef\xbb\xbf")
    newest, oldest, totals = read(content, ";")[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", newest["Completion Time"])
    assert (newest["Paid In"], oldest["Balance"]) == ("20.00", "1,500.00")
    assert (totals["Receipt No."], totals["Paid In"]) == ("Total", "1,520.00")


@pytest.mark.parametrize(("name", "mark"), [("comma", ","), ("semicolon", ";"), ("tab", "\t")])
def test_separator_and_bom_can_be_chosen_for_any_shape(daraja: Daraja, name: str, mark: str):
    daraja.pay(new_msisdn(), 1_500)
    content = statement(daraja, shape="2017", separator=name, bom="1").content
    assert content.startswith(b"\xef\xbb\xbf")
    assert read(content, mark)[1][0]["Paid In"] == "1,500.00"


@pytest.mark.parametrize(
    "choices",
    [
        {"shape": "1999"},
        {"separator": "pipe"},
        {"bom": "yes"},
        {"account": "savings"},
        {"from": "21-11-2026"},
        {"to": "2026-02-30"},
        {"from": "0001-01-01"},
    ],
)
def test_a_choice_that_there_is_not_is_refused(daraja: Daraja, choices: dict[str, str]):
    answer = statement(daraja, **choices)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"


def test_what_is_no_shortcode_has_no_statement(daraja: Daraja):
    assert statement(daraja, "12").status_code == 404


def test_a_shop_that_nobody_paid_has_an_empty_statement(daraja: Daraja):
    assert rows_of(daraja) == []


class Ledger:
    """A simulator in this process, whose ledger a test can write."""

    def __init__(self) -> None:
        app = create_simulator(SimulatorSettings())
        self.simulator: Simulator = app.extensions[EXTENSION]
        self.client: FlaskClient = app.test_client()

    def paid(self, shillings: int, moved_at: datetime, account: str = "A") -> None:
        shop = self.simulator.world.organisations.kept(B2C_SHORTCODE)
        shop.collect(shillings * 100, 0)
        self.simulator.world.record(
            LedgerEntry(
                kind="c2b",
                receipt=f"UKL{shillings:07d}",
                msisdn="254722000000",
                shortcode=B2C_SHORTCODE,
                amount_cents=shillings * 100,
                moved_at=moved_at,
                originator_conversation_id="o",
                conversation_id="c",
                account_reference=account,
            )
        )

    def read(self, **choices: str) -> tuple[list[str], list[Row]]:
        path = f"/simulator/api/statements/{B2C_SHORTCODE}.csv"
        answer = self.client.get(path, query_string=choices)
        assert answer.status_code == 200
        before, rows = read(answer.data)
        return before[5], rows


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


# 21:00 in UTC is midnight in Nairobi.
MIDNIGHT = datetime(2026, 11, 20, 21, tzinfo=UTC)


def test_days_are_nairobis_and_count_whole_and_the_balances_fit(ledger: Ledger):
    second = timedelta(seconds=1)
    ledger.paid(1, MIDNIGHT - second)
    ledger.paid(20, MIDNIGHT)
    ledger.paid(300, MIDNIGHT + timedelta(days=1) - second)
    ledger.paid(4000, MIDNIGHT + timedelta(days=1))
    balances, rows = ledger.read(**{"from": "2026-11-21", "to": "2026-11-21"})
    assert balances == ["Opening Balance:", "1.00", "Closing Balance:", "321.00"]
    assert [(row["Paid In"], row["Balance"]) for row in rows] == [
        ("300.00", "321.00"),
        ("20.00", "21.00"),
    ]
    assert rows[1]["Completion Time"] == "21-11-2026 00:00:00"


def test_times_count_to_the_end_of_their_second(ledger: Ledger):
    at = MIDNIGHT + timedelta(seconds=5, milliseconds=700)
    ledger.paid(7, at)
    moment = "2026-11-21T00:00:05"
    assert len(ledger.read(**{"from": moment, "to": moment})[1]) == 1
    assert ledger.read(**{"from": "2026-11-21T00:00:06"})[1] == []
    assert ledger.read(to="2026-11-21T00:00:04") == (
        ["Opening Balance:", "0.00", "Closing Balance:", "0.00"],
        [],
    )


def test_what_a_person_typed_cannot_break_the_file(ledger: Ledger):
    typed = 'a,"b";\n\ud800'
    ledger.paid(7, MIDNIGHT, typed)
    (row,) = ledger.read()[1]
    assert row["A/C No."] == 'a,"b";\n?'


def sheet_of(daraja: Daraja, shape: str) -> tuple[requests.Response, list[tuple[Any, ...]]]:
    path = f"/simulator/api/statements/{B2C_SHORTCODE}.xlsx"
    answer = daraja.call("GET", path, params={"shape": shape})
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
    return answer, list(book["Statement"].iter_rows(values_only=True))


@pytest.mark.parametrize("shape", ["2025", "2017", "2026"])
def test_the_workbook_has_the_same_table_with_money_as_numbers(daraja: Daraja, shape: str):
    receipt = daraja.pay(new_msisdn(), 1_500, account="=1+1").json()["receipt"]
    daraja.set_accounts(paybill_charge=5)
    daraja.pay(new_msisdn(), 500)
    answer, lines = sheet_of(daraja, shape)
    assert "Completed_" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    assert lines[5][:4] == ("Opening Balance:", 0, "Closing Balance:", 1_995)
    assert lines[6] == HEADER
    rows = {row[0]: row for row in lines[7:] if row[0] == receipt}
    assert rows[receipt][5:8] == (1_500, None, 1_500)
    assert rows[receipt][12] == "=1+1"
    whole = openpyxl.load_workbook(io.BytesIO(answer.content))["Statement"]
    (typed,) = [cell for row in whole.iter_rows() for cell in row if cell.value == "=1+1"]
    # It stays a text, and does not become a formula.
    assert typed.data_type == "s"
    separator = ";" if shape == "2026" else ","
    told = read(statement(daraja, shape=shape).content, separator)[1]
    assert [row["Receipt No."] for row in told] == [line[0] for line in lines[7:]]


def test_what_a_person_typed_cannot_break_the_workbook(ledger: Ledger):
    ledger.paid(7, MIDNIGHT, "\x00\ud800")
    answer = ledger.client.get("/simulator/api/statements/600000.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.data), read_only=True)
    assert list(book["Statement"].iter_rows(values_only=True))[7][12] == "??"
