"""Rows of cells out of an XLSX, after a look at what the file would do to whoever opens it.

A workbook is a ZIP of XML, and both can be made to fill any memory. What is declared is added up
before anything is unpacked; Python's zipfile never yields more than a member declares.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from app.core.texts import marked, said
from app.reconciliation.tables import MOST_ROWS, Cells, UnreadableStatement, too_many_rows

MOST_MEMBERS = 500
MOST_UNPACKED_BYTES = 200 * 1024 * 1024
#: openpyxl holds these in memory, all at once.
MOST_SHARED_BYTES = 48 * 1024 * 1024
#: Sheets that people fill are pressed to a tenth; nothing honest comes near this.
MOST_PRESSED = 150
MOST_COLUMNS = 60
_CHUNK = 1024 * 1024
_DECLARED_ENCODING = re.compile(rb"^<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
#: In which words openpyxl says that a part is missing, damaged, or says something impossible.
_IMPOSSIBLE = (
    *(InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, OSError, EOFError),
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError),
    RuntimeError,
)
_CSV_INSTEAD = marked("Export the statement as CSV, and send that.")


def require_harmless(path: Path) -> None:
    """Refuse bombs, macros, links to elsewhere and DTDs. Raises UnreadableStatement."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_bounded(members)
            _require_plain(members)
            for member in members:
                if member.filename.lower().endswith((".xml", ".rels")):
                    _require_no_dtd(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise UnreadableStatement(
            said("The workbook is damaged or locked by a password. {mend}", mend=_CSV_INSTEAD)
        ) from error


def _require_bounded(members: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    shared = [m.file_size for m in members if m.filename.lower().endswith("sharedstrings.xml")]
    if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED_BYTES:
        raise UnreadableStatement(
            said(
                "The workbook would unpack to {megabytes:,.0f} MB in {parts:,} parts; {most} MB in "
                "{most_parts} parts are the most. {mend}",
                megabytes=unpacked / 1024 / 1024,
                parts=len(members),
                most=MOST_UNPACKED_BYTES // 1024 // 1024,
                most_parts=MOST_MEMBERS,
                mend=_CSV_INSTEAD,
            )
        )
    if unpacked > MOST_PRESSED * max(packed, 1024) or sum(shared) > MOST_SHARED_BYTES:
        raise UnreadableStatement(
            said(
                "The workbook is packed in a way that would fill the memory. {mend}",
                mend=_CSV_INSTEAD,
            )
        )


def _require_plain(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename.lower() for member in members]
    if any("vbaproject" in name or name.endswith(".bin") for name in names):
        raise UnreadableStatement(said("The workbook has macros in it. {mend}", mend=_CSV_INSTEAD))
    if any("externallinks/" in name for name in names):
        raise UnreadableStatement(
            said("The workbook has links to other files. {mend}", mend=_CSV_INSTEAD)
        )
    if "[content_types].xml" not in names or "xl/workbook.xml" not in names:
        raise UnreadableStatement(
            marked("This is a ZIP and not a workbook. Send a statement: CSV or XLSX.")
        )


def _require_no_dtd(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Look for a DTD anywhere in a part, in the only encoding that spreadsheets write."""
    rest = b""
    with archive.open(member) as part:
        while chunk := part.read(_CHUNK):
            if not rest:
                _require_utf8(chunk)
            seen = rest + chunk
            if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
                raise UnreadableStatement(
                    said(
                        "The workbook defines entities of its own, which none needs. {mend}",
                        mend=_CSV_INSTEAD,
                    )
                )
            rest = seen[-16:]


def _require_utf8(beginning: bytes) -> None:
    declared = _DECLARED_ENCODING.match(beginning.removeprefix(b"\xef\xbb\xbf").lstrip())
    named = declared[1].lower() if declared else b"utf-8"
    if named not in (b"utf-8", b"us-ascii", b"ascii") or b"\x00" in beginning[:64]:
        raise UnreadableStatement(
            said("The workbook is not written in UTF-8. {mend}", mend=_CSV_INSTEAD)
        )


def workbook_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    """Yield the number and the cells of each row of the first sheet; its formulas as they came
    out. Call ``require_harmless`` first. Raises UnreadableStatement.
    """
    try:
        # By its name openpyxl would want to know what it is.
        with path.open("rb") as file:
            yield from _rows(file)
    except UnreadableStatement:
        raise
    except _IMPOSSIBLE as error:
        raise _damaged(error) from error


def _rows(file: IO[bytes]) -> Iterator[tuple[int, Cells]]:
    book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        sheet = book.worksheets[0]
        # What a file says of its own size is not believed.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True)
        for number, cells in enumerate(rows, start=1):
            if number > MOST_ROWS:
                raise too_many_rows()
            yield number, cells
    finally:
        book.close()


def _damaged(error: Exception) -> UnreadableStatement:
    return UnreadableStatement(
        said(
            "The workbook cannot be read ({why}). {mend}",
            why=type(error).__name__,
            mend=_CSV_INSTEAD,
        )
    )
