"""A statement of the organisation portal, read row by row, in every shape that was seen of it.

Safaricom describes the format nowhere; what is known comes from files in public code. So nothing
is counted on: the heading is searched for, columns go by their names, and what cannot be read is
told and never guessed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from app.core.texts import marked
from app.reconciliation.cells import (
    BadCell,
    cents_of,
    heading_of,
    moment_of,
    receipt_of,
    shown,
    text_of,
)
from app.reconciliation.models import RowKind
from app.reconciliation.preamble import Facts, learn, learn_from_name
from app.reconciliation.tables import DELIMITERS, Cells, Meter, UnreadableStatement, csv_rows
from app.reconciliation.workbooks import require_harmless, workbook_rows

#: The heading stood in the seventh line of real files.
_SEARCHED_ROWS = 100
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
#: What a column may be called: the portal's today, its form of 2009 to 2011, and the till's.
_HEADINGS = {
    "receipt": ("receipt no", "receipt", "receipt number"),
    "at": ("completion time", "date", "transaction date", "transaction time", "date time"),
    "details": ("details", "transaction details", "narration"),
    "status": ("transaction status", "status"),
    "paid_in": ("paid in",),
    "withdrawn": ("withdrawn", "paid out"),
    "amount": ("amount", "transaction amount"),
    "reason": ("reason type", "transaction type"),
    "party": ("other party info", "customer name", "msisdn"),
    "linked": ("linked transaction id",),
    "account_ref": ("a c no", "account no", "transaction party details"),
}
_FIELD_OF = {name: field for field, names in _HEADINGS.items() for name in names}
_CHARGE = re.compile(r"\b(charges?|fees?|tariffs?)\b", re.IGNORECASE)
_COMPLETED = frozenset({"", "completed", "complete", "success", "successful"})
_TOTALS = frozenset({"total", "totals", "grand total"})
_NOT_ONE = marked(
    "This is not an M-Pesa statement: no row begins with “Receipt No.”. Export it at "
    "org.ke.m-pesa.com under statements, as CSV or XLSX."
)


class Row(NamedTuple):
    """One movement. ``cents`` is positive; ``kind`` says which way. ``at`` is UTC."""

    line: int
    receipt: str
    at: datetime
    kind: RowKind
    cents: int
    completed: bool
    details: str = ""
    party: str = ""
    account_ref: str = ""
    linked: str = ""


@dataclass
class Heading:
    """Where a statement's rows begin, which column is which, and what stands above them."""

    line: int
    columns: dict[str, int]
    #: How many cells its row has, without empty ones at the end, and with them.
    width: int
    most_cells: int
    delimiter: str | None
    facts: Facts = field(default_factory=Facts)


@dataclass
class Totals:
    """What a row of totals at the end claims, in cents; None where there is none."""

    paid_in: int | None = None
    withdrawn: int | None = None


def open_statement(path: Path, name: str) -> Heading:
    """Find the heading of a file, and what stands above it. Raises UnreadableStatement.

    ``name`` is what the file was called, which tells the shortcode and the account too.
    """
    with path.open("rb") as file:
        beginning = file.read(4096)
    if not beginning.strip():
        raise UnreadableStatement(marked("The file is empty."))
    if beginning.startswith(_ZIP):
        require_harmless(path)
        found = _heading_in(workbook_rows(path), None)
    elif beginning.startswith(_OLE):
        raise UnreadableStatement(marked("This is an old workbook (XLS). Save it as XLSX or CSV."))
    elif beginning.startswith(_WIDE) or b"\x00" in beginning:
        raise UnreadableStatement(
            marked("The file is not a text in UTF-8. Save it as “CSV UTF-8”.")
        )
    else:
        tries = (_heading_in(csv_rows(path, each, Meter()), each) for each in DELIMITERS)
        found = next((heading for heading in tries if heading), None)
    if found is None:
        raise UnreadableStatement(_NOT_ONE)
    learn_from_name(found.facts, name)
    return found


def _heading_in(rows: Iterator[tuple[int, Cells]], delimiter: str | None) -> Heading | None:
    facts = Facts()
    for line, cells in itertools.islice(rows, _SEARCHED_ROWS):
        columns = _columns(cells)
        if columns is not None:
            return Heading(line, columns, len(_trimmed(cells)), len(cells), delimiter, facts)
        learn(facts, cells)
    return None


def _columns(cells: Cells) -> dict[str, int] | None:
    """Return which column is which, if this is a heading; None if it is not."""
    names = [heading_of(cell) for cell in cells[:60]]
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        if name in _FIELD_OF:
            found.setdefault(_FIELD_OF[name], at)
    has_money = "amount" in found or "paid_in" in found
    is_heading = "receipt" in found and "at" in found and has_money
    # The till's form has its receipts further right; the portal's stand first.
    first = found.get("receipt") == 0 or (names and names[0].endswith("name"))
    return found if is_heading and first else None


def rows_of(path: Path, heading: Heading, meter: Meter, totals: Totals) -> Iterator[Row]:
    """Yield every movement below the heading. What cannot be read is noted in ``meter``.

    Raises UnreadableStatement where reading cannot go on at all.
    """
    if heading.delimiter is None:
        source: Iterator[tuple[int, Cells]] = workbook_rows(path)
    else:
        source = csv_rows(path, heading.delimiter, meter)
    below = ((line, cells) for line, cells in source if line > heading.line)
    is_text = heading.delimiter is not None
    for line, cells in _without_a_torn_end(below, heading, meter) if is_text else below:
        try:
            if is_text and len(cells) > heading.most_cells:
                raise BadCell("it has more cells than the heading: is an amount cut by its comma?")
            row = _row(line, cells, heading.columns, totals)
        except BadCell as error:
            meter.note(f"row {line}: {error}")
            continue
        if row is not None:
            yield row


def _without_a_torn_end(
    rows: Iterator[tuple[int, Cells]], heading: Heading, meter: Meter
) -> Iterator[tuple[int, Cells]]:
    """Leave a last row out that has lost cells: what is left of its amount may be a part of it."""
    held: tuple[int, Cells] | None = None
    for row in rows:
        if held is not None:
            yield held
        held = row
    if held is None:
        return
    is_short = bool(held[1]) and len(held[1]) < heading.width
    if is_short and not _begins_with_total(held[1]):
        meter.is_cut = True
    else:
        yield held


def _row(line: int, cells: Cells, columns: dict[str, int], totals: Totals) -> Row | None:
    """Read one row; None for one without a movement: empty, of totals, or of nothing."""

    def cell(name: str) -> object:
        at = columns.get(name)
        return cells[at] if at is not None and at < len(cells) else None

    receipt = receipt_of(cell("receipt"))
    if receipt is None:
        _note_totals(cells, cell("paid_in"), cell("withdrawn"), totals)
        return None
    cents = _moved(cents_of(cell("paid_in")), cents_of(cell("withdrawn")), cents_of(cell("amount")))
    if cents == 0:
        return None
    details, reason = text_of(cell("details"), 255), text_of(cell("reason"), 80)
    return Row(
        line=line,
        receipt=receipt,
        at=moment_of(cell("at")),
        kind=_kind(cents, reason or details),
        cents=abs(cents),
        completed=text_of(cell("status"), 40).casefold() in _COMPLETED,
        details=details or reason,
        party=text_of(cell("party"), 160),
        account_ref=text_of(cell("account_ref"), 40),
        linked=text_of(cell("linked"), 20).upper(),
    )


def _note_totals(cells: Cells, paid_in: object, withdrawn: object, totals: Totals) -> None:
    """Take what a row without a receipt says, which may be totals or nothing. Raises BadCell."""
    if _begins_with_total(cells):
        totals.paid_in, totals.withdrawn = cents_of(paid_in), cents_of(withdrawn)
    elif not all(_is_blank(cell) for cell in cells):
        raise BadCell(f"“{shown(str(cells[0]))}” is no M-Pesa receipt")


def _moved(paid_in: int | None, withdrawn: int | None, amount: int | None) -> int:
    """Return what a row moved, below zero what went out, whichever sign the export gives it."""
    if paid_in and withdrawn:
        raise BadCell("it says both paid in and withdrawn")
    if withdrawn:
        return -abs(withdrawn)
    return paid_in or amount or 0


def _kind(cents: int, words: str) -> RowKind:
    if cents > 0:
        return RowKind.IN
    return RowKind.CHARGE if _CHARGE.search(words) else RowKind.OUT


def _begins_with_total(cells: Cells) -> bool:
    word = next((heading_of(cell) for cell in cells[:3] if not _is_blank(cell)), "")
    return word in _TOTALS


def _is_blank(cell: object) -> bool:
    return cell is None or not str(cell).strip()


def _trimmed(cells: Cells) -> list[object]:
    """Leave out the empty cells at the end, which some exports and every workbook have."""
    kept = list(cells)
    while kept and _is_blank(kept[-1]):
        kept.pop()
    return kept
