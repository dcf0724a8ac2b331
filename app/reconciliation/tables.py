"""Rows of cells out of a CSV, line by line: a file of any size takes the same memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.errors import ValidationError
from app.core.texts import said

#: What spreadsheets can hold, and what a statement is cut at by whoever exports it.
MOST_ROWS = 1_048_576
#: A row of a statement has a few hundred bytes.
MOST_LINE_BYTES = 64 * 1024
DELIMITERS = (",", ";", "\t")
#: So many faults are named; of the rest, only how many there were.
MOST_NAMED = 20

Cells = Sequence[object]


class UnreadableStatement(ValidationError):
    """The file is no statement that can be read. The message says why, and what to do."""


@dataclass
class Meter:
    """How far a file has been read, and what was wrong with it on the way."""

    bytes_done: int = 0
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    is_cut: bool = False

    def note(self, fault: str) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_NAMED:
            self.faults.append(fault)


def csv_rows(path: Path, delimiter: str, meter: Meter) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of its line and the cells of every row. Raises UnreadableStatement.

    What cannot be taken apart is noted, and reading goes on behind it.
    """
    with path.open("rb") as file:
        reader = csv.reader(_lines(file, meter), delimiter=delimiter, strict=True)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    meter.is_cut = True
                    return
                meter.note(
                    said("line {line}: a quotation mark is out of place", line=reader.line_num)
                )
                continue
            if reader.line_num > MOST_ROWS:
                raise too_many_rows()
            yield reader.line_num, cells


def _lines(file, meter: Meter) -> Iterator[str]:  # type: ignore[no-untyped-def]
    first = True
    while line := file.readline(MOST_LINE_BYTES):
        if len(line) == MOST_LINE_BYTES:
            raise UnreadableStatement(
                said(
                    "A line has more than {most:,} bytes: this is not an M-Pesa statement.",
                    most=MOST_LINE_BYTES,
                )
            )
        meter.bytes_done += len(line)
        # A name in another encoding must not cost its payment; receipts and amounts are ASCII.
        text = line.decode("utf-8-sig" if first else "utf-8", errors="replace")
        first = False
        yield text.replace("\x00", "")


def too_many_rows() -> UnreadableStatement:
    return UnreadableStatement(
        said(
            "The file has more than {most:,} rows. Export a shorter period, and send each part.",
            most=MOST_ROWS,
        )
    )
