"""A file of payouts, read strictly: what can be read in two ways is refused, and never guessed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from app.core.errors import ValidationError
from app.core.texts import marked, said

#: A file of so many rows is shorter than this, unless its cells are stories.
MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5_000
MOST_CELL = 600
#: Headings are shorter than this, and rows without anything in them fewer than those with.
_MOST_HEADING = 10_000
#: What spreadsheets take for the beginning of a formula; the second four are the wide forms.
FORMULA_MARKS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_DELIMITERS = (",", ";", "\t")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
#: What a heading may be called, in lower case and without marks between its words.
_HEADINGS = {
    "supplier": ("supplier",),
    "supplier_id": ("supplier id", "id"),
    "name": ("supplier name", "name"),
    "number": ("mpesa number", "m pesa number", "phone number", "phone", "number", "msisdn"),
    "amount": ("amount", "amount kes", "kes"),
    "notes": ("notes", "note", "remarks", "remark"),
}
_FIELD_OF = {word: field for field, words in _HEADINGS.items() for word in words}
_NAMING = frozenset({"supplier", "supplier_id", "name", "number"})
_SAVE_AS = marked("Save it as “CSV UTF-8” in your spreadsheet, and choose that file.")


class UnreadableFile(ValidationError):
    """The file as a whole cannot be read. The message says why, and what to do."""


@dataclass(frozen=True)
class Line:
    """One row: its number as spreadsheets count, and its cells as text, blank where missing.

    ``problem`` is what is wrong with the row before its cells are understood.
    """

    row: int
    supplier: str = ""
    supplier_id: str = ""
    name: str = ""
    number: str = ""
    amount: str = ""
    notes: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """What stands in a file. ``unread`` names the columns that mean nothing here."""

    lines: tuple[Line, ...]
    unread: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Name these payments, in whatever order they stand; SHA-256 in hex."""
        told = sorted(
            [line.supplier, line.supplier_id, line.name, line.number, line.amount, line.notes]
            for line in self.lines
        )
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def read_file(data: bytes) -> Sheet:
    """Read a CSV of at most MOST_BYTES and MOST_ROWS. Raises UnreadableFile."""
    if len(data) > MOST_BYTES:
        raise UnreadableFile(
            said(
                "The file has {megabytes:.1f} MB; {most} MB and {rows:,} payouts are the most. "
                "Split it into several files.",
                megabytes=len(data) / 1024 / 1024,
                most=MOST_BYTES // 1024 // 1024,
                rows=MOST_ROWS,
            )
        )
    text = _text(data)
    start = _after_excels_hint(text)
    delimiter, fields, unread = _heading(text[start:])
    lines = tuple(_lines(text[start:], delimiter, fields, first_row=2 if start else 1))
    if not lines:
        raise UnreadableFile(marked("Below its headings the file has no rows."))
    return Sheet(lines, unread)


def _text(data: bytes) -> str:
    if not data.strip():
        raise UnreadableFile(marked("The file is empty."))
    if data.startswith(_WORKBOOKS):
        raise UnreadableFile(said("This is a workbook and not a CSV. {mend}", mend=_SAVE_AS))
    if data.startswith(_WIDE_MARKS):
        raise UnreadableFile(said("The file is written in UTF-16. {mend}", mend=_SAVE_AS))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            said(
                "Row {row} has a character that is not UTF-8, so names could be misread. {mend}",
                row=row,
                mend=_SAVE_AS,
            )
        ) from error
    if "\x00" in text:
        raise UnreadableFile(said("The file is not a text. {mend}", mend=_SAVE_AS))
    return text


def _after_excels_hint(text: str) -> int:
    """Return where the headings begin: Excel may write ``sep=;`` above them."""
    hint = re.match(r"\"?sep=[,;\t]\"?\r?\n", text, re.IGNORECASE)
    return hint.end() if hint else 0


def _heading(text: str) -> tuple[str, list[str | None], tuple[str, ...]]:
    """Find out what stands between cells, and which field each column is; None for others."""
    first = re.split(r"[\r\n]", text, maxsplit=1)[0][:_MOST_HEADING]
    for delimiter in _DELIMITERS:
        names = _names(first, delimiter)
        fields = [_FIELD_OF.get(_plain(name)) for name in names]
        if "amount" in fields and _NAMING & set(fields):
            _require_once(fields, names)
            unread = (
                name.strip()[:40]
                for name, field in zip(names, fields, strict=True)
                if field is None and name.strip()
            )
            return delimiter, fields, tuple(unread)
    raise UnreadableFile(
        marked(
            "The first row must hold the headings: amount, and supplier, supplier id, name or "
            "M-Pesa number; notes too if you like. Commas, semicolons or tabs stand between them."
        )
    )


def _names(first: str, delimiter: str) -> list[str]:
    """Read the first row as if this stood between its cells; none where that cannot be."""
    try:
        return next(_cells(first, delimiter), [])
    except UnreadableFile:
        return []


def _require_once(fields: Sequence[str | None], names: Sequence[str]) -> None:
    for field in set(fields) - {None}:
        alike = [name.strip() for name, found in zip(names, fields, strict=True) if found == field]
        if len(alike) > 1:
            raise UnreadableFile(
                said(
                    "The columns {names} mean the same. Leave one of them out.",
                    names=reduce(both, alike),
                )
            )


def both(one: str, other: str) -> str:
    """Tell two names in one sentence."""
    return said("{one} and {other}", one=one, other=other)


def _lines(
    text: str, delimiter: str, fields: Sequence[str | None], first_row: int
) -> Iterator[Line]:
    count = 0
    for row, cells in enumerate(_cells(text, delimiter, first_row), start=first_row):
        is_empty = row == first_row or not any(cell.strip() for cell in cells)
        count += not is_empty
        if count > MOST_ROWS or row > first_row + 2 * MOST_ROWS:
            raise UnreadableFile(
                said(
                    "The file has more than {rows:,} rows. Split it into several files, and leave "
                    "no empty rows.",
                    rows=MOST_ROWS,
                )
            )
        if is_empty:
            continue
        yield _line(row, cells, fields, commas=delimiter == ",")


def _line(row: int, cells: Sequence[str], fields: Sequence[str | None], *, commas: bool) -> Line:
    named = {
        field: " ".join(cell.split())[:MOST_CELL]
        for field, cell in zip(fields, cells, strict=False)
        if field is not None
    }
    problem = ""
    if any(cell.strip() for cell in cells[len(fields) :]):
        problem = marked(
            "It has more cells than there are headings. An amount with a comma in it is one; "
            "write 1500."
        )
    elif commas and _looks_cut(cells, fields.index("amount")):
        problem = marked("Its amount seems to be cut in two by a comma. Write 1500 and not 1,500.")
    elif any(len(cell) > MOST_CELL for cell in cells):
        problem = said("A cell is longer than {most:,} characters.", most=MOST_CELL)
    return Line(row, problem=problem, **named)


def _looks_cut(cells: Sequence[str], amount: int) -> bool:
    """Tell whether an amount such as 20,500 has become two cells: 20, and a note that says 500."""
    parts = [cell.strip() for cell in cells[amount : amount + 2]]
    return len(parts) > 1 and bool(re.fullmatch(r"[0-9]{1,3},[0-9]{3}(\.[0-9]+)?", ",".join(parts)))


def _cells(text: str, delimiter: str, first_row: int = 1) -> Iterator[list[str]]:
    """Yield the cells of every row. Raises UnreadableFile at a quotation mark out of place."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = first_row
    try:
        for cells in reader:
            yield cells
            row += 1
    except csv.Error as error:
        raise UnreadableFile(
            said(
                'Row {row} cannot be read: look for a quotation mark (") that is not closed.',
                row=row,
            )
        ) from error


def _plain(heading: str) -> str:
    return " ".join(re.sub(r"[\s_\-./():]+", " ", heading.casefold()).split())
