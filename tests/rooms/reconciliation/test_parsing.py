"""Whatever rows a statement has, in whatever shape it was written, the same rows are read."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reconciliation.cells import BadCell, cents_of, moment_of
from app.reconciliation.models import RowKind
from app.reconciliation.parsing import Heading, Row, Totals, open_statement, rows_of
from app.reconciliation.tables import Meter, UnreadableStatement
from tests.support.statements import SHORTCODE, Line, Paper, Shape, receipt

MOMENTS = ("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%Y-%m-%d %H:%M:%S")
#: What people call themselves, and what would disturb a careless reader.
NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\",;\t\n'=+-@"), max_size=40
)
LINES = st.builds(
    Line,
    receipt=st.from_regex(r"[A-Z][A-Z0-9]{3}[0-9][A-Z0-9]{5}", fullmatch=True),
    at=st.integers(20_000_000, 34_000_000).map(
        lambda minutes: datetime.fromtimestamp(minutes * 60, UTC)
    ),
    cents=st.integers(-99_999_999_99, 99_999_999_99).filter(bool),
    details=NAMES,
    reason=st.sampled_from(["Pay Bill Online", "Business Payment", "Pay Bill Charge"]),
    party=NAMES,
    status=st.sampled_from(["Completed", "Declined"]),
)
SHAPES = st.builds(
    Shape,
    kind=st.sampled_from(["portal", "old", "till"]),
    separator=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\r\n", "\n"]),
    bom=st.booleans(),
    thousands=st.booleans(),
    minus=st.booleans(),
    totals=st.booleans(),
    moment=st.sampled_from(MOMENTS),
    preamble=st.integers(1, 30),
)


def read(data: bytes, name: str) -> tuple[Heading, list[Row], Meter, Totals]:
    """Everything that is read of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statement"
        path.write_bytes(data)
        meter, totals = Meter(), Totals()
        heading = open_statement(path, name)
        return heading, list(rows_of(path, heading, meter, totals)), meter, totals


def as_told(line: Line) -> tuple[str, datetime, int, bool]:
    return line.receipt, line.at, abs(line.cents), line.status == "Completed"


def expected_kind(line: Line) -> RowKind:
    if line.cents > 0:
        return RowKind.IN
    return RowKind.CHARGE if line.reason == "Pay Bill Charge" else RowKind.OUT


@settings(max_examples=80)
@given(lines=st.lists(LINES, max_size=12), shape=SHAPES)
def test_any_rows_in_any_shape_are_read_as_they_were_written(
    lines: list[Line], shape: Shape
) -> None:
    paper = Paper(lines)
    name = f"Mpesa_{SHORTCODE}_20261121085708.csv" if shape.kind == "till" else paper.name()
    heading, rows, meter, totals = read(paper.csv(shape), name)
    assert heading.facts.shortcode == SHORTCODE
    assert meter.faults == []
    assert not meter.is_cut
    assert [(row.receipt, row.at, row.cents, row.completed) for row in rows] == [
        as_told(line) for line in lines
    ]
    kinds = [row.kind for row in rows]
    if shape.kind == "till" and not shape.minus:
        # The till's own form has no column for what left, but its sign.
        return
    assert kinds == [expected_kind(line) for line in lines]
    if shape.totals and shape.kind == "portal":
        assert totals.paid_in == sum(line.cents for line in lines if line.cents > 0)


@settings(max_examples=15)
@given(lines=st.lists(LINES, max_size=6), shape=SHAPES)
def test_a_workbook_says_the_same_as_a_csv(lines: list[Line], shape: Shape) -> None:
    lines = [_printable(line) for line in lines]
    name = f"Mpesa_{SHORTCODE}_20261121085708.xlsx" if shape.kind == "till" else "a.xlsx"
    _, rows, meter, _ = read(Paper(lines).xlsx(shape), name)
    assert meter.faults == []
    assert [(row.receipt, row.at, row.cents, row.completed) for row in rows] == [
        as_told(line) for line in lines
    ]


def _printable(line: Line) -> Line:
    """Leave out what XML cannot hold, and what a workbook would take for a formula."""
    clean = re.compile(r"[^ -~]|^[=+@-]+")
    parts = {name: clean.sub("", getattr(line, name)) for name in ("details", "party")}
    return Line(**{**line.__dict__, **parts})


@pytest.mark.parametrize(
    ("cell", "cents"),
    [
        ("1053.00", 105300),
        ("1,053.00", 105300),
        ("-1,000,053.5", -100005350),
        ('"7"', 700),
        ("", None),
        (None, None),
        (12.1, 1210),
        (0.07, 7),
        (1053, 105300),
    ],
)
def test_amounts_are_read_to_the_cent(cell: object, cents: int | None) -> None:
    assert cents_of(cell) == cents


@pytest.mark.parametrize(
    "cell",
    ["1.053,00", "12,34", "1e5", "NaN", "1053.005", "=1+1", "KES 5", "٣", 1.005, float("inf")],
)
def test_what_can_be_read_in_two_ways_is_no_amount(cell: object) -> None:
    with pytest.raises(BadCell):
        cents_of(cell)


def test_times_are_nairobi_s() -> None:
    read_at = datetime(2025, 5, 12, 7, 15, 9, tzinfo=UTC)
    assert moment_of("12-05-2025 10:15:09") == moment_of("2025-05-12 10:15:09") == read_at
    assert moment_of("12-05-2025 10:15") == read_at - timedelta(seconds=9)
    in_a_workbook = datetime(2025, 5, 12, 10, 15, 9)  # noqa: DTZ001
    assert moment_of(in_a_workbook) == read_at
    for text in ("32-01-2025 10:00:00", "12-05-25 10:00", "yesterday", "12-05-2025", ""):
        with pytest.raises(BadCell):
            moment_of(text)


# What is wrong is told.


def test_a_file_cut_in_a_row_is_said_and_the_torn_row_is_not_believed() -> None:
    lines = [Line(receipt(), datetime(2026, 11, 20, tzinfo=UTC), 5_000_00) for _ in range(3)]
    whole = Paper(lines).csv()
    cut = whole[: whole.rindex(b"5000.00") + 2]
    _, rows, meter, _ = read(cut, "a.csv")
    assert [row.receipt for row in rows] == [line.receipt for line in lines[:2]]
    assert meter.is_cut


def test_what_cannot_be_read_is_named_and_the_rest_is_read() -> None:
    day = datetime(2026, 11, 20, tzinfo=UTC)
    good = Line(receipt(), day, 100_00)
    paper = Paper([good, Line("=cmd|' /C calc'!A0", day, 1_00), good])
    data = paper.csv().replace(b"100.00", b"1.00,00", 1)
    _, rows, meter, _ = read(data, paper.name())
    assert len(rows) == 1
    assert len(meter.faults) == 2
    assert "is no M-Pesa receipt" in meter.faults[1]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "The file is empty"),
        (b"name,amount\nKamau,5\n", "This is not an M-Pesa statement"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "This is not an M-Pesa statement"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "an old workbook"),
        (b"\xff\xfeR\x00e\x00c\x00", "not a text in UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "not a text in UTF-8"),
        (b"PK\x03\x04 and no more", "damaged or locked"),
        (b"a" * 70_000, "A line has more than"),
    ],
    ids=["empty", "another CSV", "PDF", "XLS", "UTF-16", "program", "half a ZIP", "one line"],
)
def test_what_is_no_statement_is_refused_in_words(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableStatement, match=why):
        read(data, "statement.csv")
