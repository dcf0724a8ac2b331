"""Statements as the portal exports them, written from rows, and sent in as a browser does."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

from openpyxl import Workbook
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.core.clock import nairobi, now
from app.extensions import db
from app.reconciliation import reading
from app.reconciliation.models import Difference, Statement
from app.settings.service import SIMULATOR_DEFAULTS
from tests.rooms.admin.desk import HTML, Desk
from tests.support.app import Shop

SHORTCODE = SIMULATOR_DEFAULTS["mpesa_shortcode"]
ROOM = "/admin/reconciliation"
HEADER = [
    *("Receipt No.", "Completion Time", "Initiation Time", "Details", "Transaction Status"),
    *("Paid In", "Withdrawn", "Balance", "Balance Confirmed", "Reason Type"),
    *("Other Party Info", "Linked Transaction ID", "A/C No."),
]
#: The form of 2009 to 2011.
OLD_HEADER = [
    *("Receipt", "Date", "Details", "Status", "Withdrawn", "Paid In", "Balance"),
    *("Balance Confirmed", "Transaction Type", "Other Party Info", "Transaction Party Details"),
]
TILL_HEADER = [
    *("STORE_NAME", "RECEIPT_NUMBER", "TRANSACTION_DATE", "TRANSACTION_TYPE", "AMOUNT"),
    *("CUSTOMER_NAME", "STATUS"),
]


@dataclass(frozen=True)
class Line:
    """One row. ``cents`` are below zero for what left."""

    receipt: str
    at: datetime
    cents: int
    details: str = "Pay Bill from 2547****678 - JANE DOE"
    reason: str = "Pay Bill Online"
    party: str = "2547****678 - JANE DOE"
    account: str = ""
    linked: str = ""
    status: str = "Completed"


@dataclass(frozen=True)
class Shape:
    """How a file is written."""

    kind: str = "portal"
    separator: str = ","
    line_end: str = "\r\n"
    bom: bool = False
    thousands: bool = False
    minus: bool = True
    totals: bool = False
    moment: str = "%d-%m-%Y %H:%M:%S"
    preamble: int = 6


@dataclass(frozen=True)
class Paper:
    """A statement to be written: its rows, newest first, and what it says of itself."""

    lines: Sequence[Line]
    since: datetime = field(default_factory=lambda: now() - timedelta(days=1))
    until: datetime = field(default_factory=lambda: now() + timedelta(hours=1))
    shortcode: str = SHORTCODE
    account: str = "Working Account"
    opening: int = 1_000_00

    @property
    def closing(self) -> int:
        return self.opening + sum(line.cents for line in self.lines if line.status == "Completed")

    def name(self, kind: str = "csv") -> str:
        return f"ORG_{self.shortcode}_{self.account}_Completed_20261121085708.{kind}"

    def table(self, shape: Shape) -> list[list[str]]:
        """Everything in the file, row by row and cell by cell."""
        rows = [] if shape.kind == "till" else self._preamble(shape)
        write = {"portal": _portal, "old": _old, "till": _till}[shape.kind]
        rows.append({"portal": HEADER, "old": OLD_HEADER, "till": TILL_HEADER}[shape.kind])
        rows += [write(line, shape) for line in self.lines]
        if shape.totals and shape.kind == "portal":
            rows.append(self._totals(shape))
        return rows

    def _preamble(self, shape: Shape) -> list[list[str]]:
        since, until = (_told(moment, shape) for moment in (self.since, self.until))
        opening, closing = (_money(cents, shape) for cents in (self.opening, self.closing))
        lines = [
            ["Short Code:", self.shortcode],
            ["Time Period:", "From", since, "To", until],
            ["Opening Balance:", opening, "Closing Balance:", closing],
            ["Account Holder:", "EXAMPLE LTD"],
            ["Account:", self.account],
            ["Operator:", "jdoe"],
        ]
        return [*lines[: shape.preamble], *[[""]] * max(0, shape.preamble - len(lines))]

    def _totals(self, shape: Shape) -> list[str]:
        came = sum(line.cents for line in self.lines if line.cents > 0)
        left = sum(line.cents for line in self.lines if line.cents < 0)
        return ["Total", *[""] * 4, _money(came, shape), _money(left, shape), *[""] * 6]

    def csv(self, shape: Shape | None = None) -> bytes:
        shape = shape or Shape()
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=shape.separator, lineterminator=shape.line_end)
        writer.writerows(self.table(shape))
        return text.getvalue().encode("utf-8-sig" if shape.bom else "utf-8")

    def xlsx(self, shape: Shape | None = None) -> bytes:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Statement")
        for row in self.table(shape or Shape()):
            sheet.append(row)
        file = io.BytesIO()
        book.save(file)
        return file.getvalue()


def _portal(line: Line, shape: Shape) -> list[str]:
    when, (paid_in, withdrawn) = _told(line.at, shape), _sides(line, shape)
    texts = [line.reason, line.party, line.linked, line.account]
    head = [line.receipt, when, when, line.details, line.status]
    return [*head, paid_in, withdrawn, "1500.00", "true", *texts]


def _old(line: Line, shape: Shape) -> list[str]:
    paid_in, withdrawn = _sides(line, shape)
    head = [line.receipt, _told(line.at, shape), line.details, line.status]
    return [*head, withdrawn, paid_in, "1500.00", "TRUE", line.reason, line.party, line.account]


def _till(line: Line, shape: Shape) -> list[str]:
    amount = _money(line.cents, shape)
    when = _told(line.at, shape)
    return ["Duka", line.receipt, when, line.reason, amount, line.party, line.status]


def _sides(line: Line, shape: Shape) -> tuple[str, str]:
    if line.cents > 0:
        return _money(line.cents, shape), ""
    return "", _money(line.cents if shape.minus else -line.cents, shape)


def _money(cents: int, shape: Shape) -> str:
    held = abs(cents)
    whole = f"{held // 100:,}" if shape.thousands else str(held // 100)
    return f"{'-' if cents < 0 else ''}{whole}.{held % 100:02d}"


def _told(moment: datetime, shape: Shape) -> str:
    return nairobi(moment).strftime(shape.moment)


_numbers = itertools.count(1)


def receipt() -> str:
    """A receipt that nobody else has."""
    return f"UKM{next(_numbers):07d}"


def charge_of(line: Line, cents: int) -> Line:
    """The row of a charge, which shares its payment's receipt."""
    words = "Pay Bill Charge"
    return replace(line, cents=-cents, details=words, reason=words, party="", account="")


# At the desk.


def waits_in(shop: Shop, folder: Path) -> None:
    """Let files wait in a folder of the test's own."""
    shop.set(upload_folder=str(folder))


def send(desk: Desk, data: bytes, name: str) -> TestResponse:
    """Send a file as browsers do."""
    field_of_file = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    lines = (b"--edge", field_of_file.encode(), b"Content-Type: text/csv", b"", data)
    return desk.browser.post(
        ROOM,
        data=b"\r\n".join((*lines, b"--edge--", b"")),
        content_type="multipart/form-data; boundary=edge",
        headers=HTML,
    )


def sent(shop: Shop, desk: Desk, paper: Paper, shape: Shape | None = None) -> Statement:
    """Send a statement in, have it read, and return it."""
    return taken(shop, send(desk, paper.csv(shape), paper.name()))


def taken(shop: Shop, answer: TestResponse) -> Statement:
    """Do the background's work on what was just sent in, and return it."""
    assert answer.status_code == 303, unescape(answer.text)
    return worked(shop, answer.location)


def worked(shop: Shop, address: str) -> Statement:
    """Do the background's work on a statement, and return it."""
    with shop.app.app_context():
        found = statement_at(address)
        reading.work(found.id)
        return statement_at(address)


def statement_at(address: str) -> Statement:
    uuid = address.rpartition("/")[2]
    found = db.session.scalars(select(Statement).execution_options(populate_existing=True))
    return next(each for each in found if str(each.uuid) == uuid)


def path_of(statement: Statement) -> str:
    return f"{ROOM}/{statement.uuid}"


def differences(shop: Shop, statement: Statement) -> list[Difference]:
    with shop.app.app_context():
        query = select(Difference).where(Difference.statement_id == statement.id)
        return list(db.session.scalars(query.order_by(Difference.id)))


def kinds(found: Iterable[Difference]) -> list[tuple[str, str | None]]:
    """What differs, as kind and receipt, sorted."""
    return sorted((row.kind, row.receipt) for row in found)


def totals(page: str) -> dict[str, list[str]]:
    """The rows of the table of sums on a statement's page, without how many movements."""
    part = page.partition('aria-labelledby="sums-heading"')[2].partition("</table>")[0]
    rows: dict[str, list[str]] = {}
    for row in part.split("<tr>")[1:]:
        heads = re.findall(r'<th scope="row">([^<]+)</th>', row)
        cells = re.findall(r'<td data-label="[^"]*" class="num">(?:<span>)?([^<]*)', row)
        if heads:
            rows[heads[0]] = cells
    return rows
