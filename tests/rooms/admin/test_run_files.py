"""Reading a file of payouts: what is the same however it is written, and what is refused."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from app.suppliers.run_files import MOST_BYTES, MOST_ROWS, Line, UnreadableFile, read_file

ROWS = [["supplier", "amount", "notes"], ["Kamau, Sons", "1500", "Beans"], ["Otieno", "20", ""]]
READ = (
    Line(2, supplier="Kamau, Sons", amount="1500", notes="Beans"),
    Line(3, supplier="Otieno", amount="20"),
)
#: No file is worth more of a shop's time and memory than this.
MOST_SECONDS = 5
MOST_MEMORY = 64 * 1024 * 1024


def written(delimiter: str, end: str = "\r\n") -> str:
    return end.join(delimiter.join(f'"{cell}"' for cell in row) for row in ROWS) + end


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFile) as refused:
        read_file(data)
    return refused.value.message


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_the_byte_order_mark_make_no_difference(
    delimiter: str, end: str, mark: str
) -> None:
    assert read_file((mark + written(delimiter, end)).encode()).lines == READ


def test_excel_s_own_first_line_is_understood() -> None:
    lines = read_file(f"sep=;\r\n{written(';')}".encode()).lines
    assert [line.supplier for line in lines] == ["Kamau, Sons", "Otieno"]
    assert [line.row for line in lines] == [3, 4]


@pytest.mark.parametrize(
    ("headings", "field"),
    [
        ("Supplier,AMOUNT", "supplier"),
        ("supplier_id,amount", "supplier_id"),
        ("ID,Amount (KES)", "supplier_id"),
        ("Supplier Name , amount", "name"),
        ("M-PESA Number,amount", "number"),
        ("phone_number,KES", "number"),
    ],
)
def test_headings_are_known_in_any_spelling(headings: str, field: str) -> None:
    [line] = read_file(f"{headings}\nx,10\n".encode()).lines
    assert (getattr(line, field), line.amount) == ("x", "10")


def test_rows_are_counted_as_a_spreadsheet_does_and_empty_ones_are_left_out() -> None:
    sheet = read_file(b"supplier,amount,colour\n\nA,10,red\n,,\n  ,\t,\nB,20,\n\n")
    assert [(line.row, line.supplier) for line in sheet.lines] == [(3, "A"), (6, "B")]
    assert sheet.unread == ("colour",)


def test_cells_that_span_lines_are_one_line_and_blanks_around_them_are_none() -> None:
    [line] = read_file(b'supplier,amount,notes\n "A ",10,"two\nlines\t here "\n').lines
    assert (line.supplier, line.notes) == ('"A "', "two lines here")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("A,1,500", "seems to be cut in two by a comma"),
        ("A,20,500,Beans", "It has more cells than there are headings."),
        ("A,20,Beans,x", "It has more cells than there are headings."),
        (f"A,20,{'x' * 601}", "A cell is longer than 600 characters."),
    ],
)
def test_a_row_that_may_have_been_cut_is_not_guessed_at(row: str, words: str) -> None:
    [line] = read_file(f"supplier,amount,notes\n{row}\n".encode()).lines
    assert line.problem.startswith(words) or words in line.problem


def test_three_digits_are_a_note_where_no_comma_cuts() -> None:
    [line] = read_file(b"supplier;amount;notes\nA;20;500\n").lines
    assert (line.amount, line.notes, line.problem) == ("20", "500", "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty."),
        (b" \r\n\t", "The file is empty."),
        ("supplier,amount\nÅke,10\n".encode("utf-16"), "UTF-16"),
        ("supplier,amount\nA,10\n".encode("utf-16-be"), "not a text"),
        ("supplier,amount\nA,10\nÅke,10\n".encode("latin-1"), "Row 3 has a character"),
        (b"supplier,amount\nA\x00,10\n", "not a text"),
        (b"PK\x03\x04 and the rest of a workbook", "a workbook and not a CSV"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "a workbook and not a CSV"),
        (b"supplier,amount\n", "has no rows"),
        (b"supplier,amount\n\n , \n", "has no rows"),
        (b"Kamau,1500\nOtieno,20\n", "The first row must hold the headings"),
        (b"\nsupplier,amount\nA,10\n", "The first row must hold the headings"),
        (b"supplier,notes\nA,Beans\n", "The first row must hold the headings"),
        (b"amount,notes\n10,Beans\n", "The first row must hold the headings"),
        (b"supplier|amount\nA|10\n", "The first row must hold the headings"),
        (b"phone,number,amount\n1,2,3\n", "The columns phone and number mean the same."),
        (b"supplier,amount,Amount\nA,1,2\n", "The columns amount and Amount mean the same."),
        (b'supplier,amount\nA,10\n"B,20\nC,30\n', "Row 3 cannot be read"),
        (b'supplier,amount\n"A"x,10\n', "Row 2 cannot be read"),
        (b'supplier,amount\n"' + b"x" * 200_000 + b'",1\n', "Row 2 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_mend(data: bytes, words: str) -> None:
    assert words in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        b"supplier,amount\n" + b"A,10\n" * 100_000,
        b"supplier,amount,notes\n" + b"Kamau Supplies,1500,Beans and maize\n" * 100_000,
        b"supplier,amount\n" + b"\n" * (MOST_BYTES - 100),
        b"supplier,amount\n" + b'"' * (MOST_BYTES - 100),
        b"," * (MOST_BYTES - 1),
        b"x" * (MOST_BYTES + 1),
    ],
    ids=["100,000 rows", "100,000 long rows", "blanks", "quotes", "commas", "too long"],
)
def test_f6_100_000_rows_and_other_bombs_are_refused_at_once(data: bytes) -> None:
    """F6."""
    began = time.monotonic()
    assert refusal(data)
    assert time.monotonic() - began < MOST_SECONDS
    tracemalloc.start()
    try:
        assert refusal(data)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_as_many_rows_as_are_allowed_are_read_and_one_more_is_not() -> None:
    head, row = b"supplier,amount\n", b"A,10\n"
    assert len(read_file(head + row * MOST_ROWS).lines) == MOST_ROWS
    assert f"more than {MOST_ROWS:,} rows" in refusal(head + row * (MOST_ROWS + 1))


def test_the_same_payments_have_the_same_digest_however_they_are_written() -> None:
    digest = read_file(written(",").encode()).digest
    assert read_file(written(";", "\n").encode()).digest == digest
    assert (
        read_file(b'supplier,notes,amount\nOtieno,,20\n\n"Kamau, Sons",Beans,1500').digest == digest
    )
    assert read_file(b"supplier,amount\nOtieno,20\n").digest != digest
