"""The statement as a workbook: the same table as in the text file."""

import io
import re
from collections.abc import Iterable
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

SHEET: Final = "Statement"
# As the text file writes money; receipts, shortcodes and dates are none.
_MONEY: Final = re.compile(r"-?[\d,]+\.\d\d", re.ASCII)


def workbook(lines: Iterable[Iterable[str]]) -> bytes:
    """The lines as an xlsx file: money as numbers, and everything else as text."""
    book = Workbook(write_only=True)
    sheet: WriteOnlyWorksheet = book.create_sheet(SHEET)
    for line in lines:
        sheet.append([_cell(sheet, text) for text in line])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: WriteOnlyWorksheet, text: str) -> Cell | None:
    if not text:
        return None
    if _MONEY.fullmatch(text):
        # The numbers of workbooks are doubles, whoever writes them.
        return WriteOnlyCell(sheet, value=float(text.replace(",", "")))
    # What people typed may hold characters that a workbook cannot, half ones included.
    whole = text.encode("utf-8", errors="replace").decode()
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("?", whole))
    # Whatever begins with an equals sign would be taken for a formula otherwise.
    cell.data_type = "s"
    return cell
