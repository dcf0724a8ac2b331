"""Writing a table as CSV or XLSX, a few rows at a time: a long one takes no more memory."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from app.exports.cells import Cell, harmless, is_formula_like, text_of
from app.exports.tables import Row, Table, Wish

#: A sheet of Excel holds 1,048,576 rows. What goes beyond is told in the last one.
MOST_ROWS = 1_000_000
CUT_OFF = f"Cut off after {MOST_ROWS:,} rows: ask for fewer days."
#: Spreadsheets take a file without it for another alphabet's.
BYTE_ORDER_MARK = "\ufeff"
_ROWS_AT_ONCE = 500
_BYTES_AT_ONCE = 64 * 1024


def as_csv(table: Table, wish: Wish) -> Iterator[bytes]:
    """Yield a table as CSV in UTF-8, some hundred rows at a time."""
    rows = _with_headings(table, wish)
    mark = BYTE_ORDER_MARK
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        paper = io.StringIO()
        writer = csv.writer(paper, quoting=csv.QUOTE_ALL)
        writer.writerows([harmless(cell) for cell in row] for row in part)
        yield (mark + paper.getvalue()).encode()
        mark = ""


def as_workbook(table: Table, wish: Wish) -> Iterator[bytes]:
    """Yield a table as a workbook of Excel's, out of a file that vanishes afterwards."""
    with tempfile.TemporaryFile() as file:
        _write_workbook(table, wish, file)
        file.seek(0)
        yield from iter(partial(file.read, _BYTES_AT_ONCE), b"")


def _write_workbook(table: Table, wish: Wish, file: IO[bytes]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(table.title)
    sheet.freeze_panes = "A2"
    for row in _with_headings(table, wish):
        sheet.append([_in_sheet(sheet, cell) for cell in row])
    book.save(file)


def _with_headings(table: Table, wish: Wish) -> Iterator[Row]:
    yield table.headings
    rows = table.rows(wish)
    yield from islice(rows, MOST_ROWS)
    if next(rows, None) is not None:
        yield (CUT_OFF,)


def _in_sheet(sheet: Any, cell: Cell) -> object:
    if not isinstance(cell, str):
        return cell
    text = text_of(cell)
    if not is_formula_like(text) and not text.startswith("#"):
        return text
    # Said to be a text, or the library takes it for a formula.
    shown = WriteOnlyCell(sheet, text)
    shown.data_type = "s"
    return shown
