"""F6: files made to hurt whoever opens them are refused in words, quickly and in little memory."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from app.reconciliation.tables import MOST_ROWS
from tests.rooms.admin.desk import Desk, problems
from tests.support.app import Account, Shop
from tests.support.statements import HEADER, Paper, send, waits_in

SECONDS = 5
MOST_BYTES = 64 * 1024 * 1024
CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"/>'
)
#: Each line ten times the one before: a billion laughs in all.
LAUGHS = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10 if n else "lol"}">' for n in range(10))


def workbook(**parts: str | bytes) -> bytes:
    """A ZIP that calls itself a workbook, with more in it; names have / for __ and . for ___."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("xl/workbook.xml", "<workbook/>")
        for name, content in parts.items():
            archive.writestr(name.replace("___", ".").replace("__", "/"), content)
    return file.getvalue()


def with_more(data: bytes, name: str, content: bytes) -> bytes:
    """A real workbook with one more part in it."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@cache
def _zip_bomb() -> bytes:
    return workbook(xl__worksheets__sheet1___xml=b"0" * (210 * 1024 * 1024))


def _many_parts() -> bytes:
    return workbook(**{f"part{number}___xml": b"x" for number in range(600)})


def _pressed() -> bytes:
    return workbook(xl__worksheets__sheet1___xml=b"<row/>" * 4_000_000)


def _laughs() -> bytes:
    dtd = f"<!DOCTYPE worksheet [{LAUGHS}]>"
    return workbook(
        xl__worksheets__sheet1___xml=f'<?xml version="1.0"?>{dtd}<worksheet>&lol9;</worksheet>'
    )


def _late_laughs() -> bytes:
    """The same, behind more than anybody would read of the beginning."""
    words = "".join(f"<!-- {number:x} -->" for number in range(200_000))
    return workbook(xl__sharedStrings___xml=f"{words}<!DOCTYPE sst [{LAUGHS}]><sst>&lol9;</sst>")


def _other_encoding() -> bytes:
    text = f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [{LAUGHS}]><x>&lol9;</x>'
    return workbook(xl__worksheets__sheet1___xml=text.encode("utf-16"))


def _macro() -> bytes:
    return with_more(Paper([]).xlsx(), "xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")


def _links() -> bytes:
    return with_more(Paper([]).xlsx(), "xl/externalLinks/externalLink1.xml", b"<x/>")


def _rows() -> bytes:
    return ",".join(HEADER).encode() + b"\r\n" + b"UKM0000001,,\r\n" * (MOST_ROWS + 1)


def _one_line() -> bytes:
    return b"Receipt No.," * 1_000_000


BOMBS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "zip bomb": (_zip_bomb, "a.xlsx", "would unpack to 210 MB"),
    "many parts": (_many_parts, "a.xlsx", "in 602 parts"),
    "pressed": (_pressed, "a.xlsx", "would fill the memory"),
    "billion laughs": (_laughs, "a.xlsx", "defines entities"),
    "late laughs": (_late_laughs, "a.xlsx", "defines entities"),
    "laughs in UTF-16": (_other_encoding, "a.xlsx", "not written in UTF-8"),
    "macro": (_macro, "a.xlsx", "has macros in it"),
    "links": (_links, "a.xlsx", "links to other files"),
    "a million rows": (_rows, "a.csv", "more than 1,048,576 rows"),
    "one line": (_one_line, "a.csv", "A line has more than"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(64), "a.png", "not a text"),
    "a program": (lambda: b"MZ\x90\x00" + bytes(64), "a.exe", "not a text"),
    "another ZIP": (lambda: workbook()[:-22] + workbook()[-22:], "a.zip", "cannot be read"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_f6_what_is_made_to_hurt_is_refused_within_seconds(
    shop: Shop, admin: Account, tmp_path: Path, name: str
) -> None:
    """F6."""
    waits_in(shop, tmp_path)
    make, filename, why = BOMBS[name]
    data, desk = make(), Desk(shop, admin)
    tracemalloc.start()
    began = time.monotonic()
    answer = send(desk, data, filename)
    seconds, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 400
    [told] = problems(answer.text)
    assert why in told
    assert seconds < SECONDS
    # The test itself holds what it sends, twice.
    assert peak < MOST_BYTES + 2 * len(data)
    assert list(tmp_path.iterdir()) == []


def test_f6_an_honest_workbook_passes(shop: Shop, admin: Account, tmp_path: Path) -> None:
    """F6: whoever refuses everything refuses bombs too."""
    waits_in(shop, tmp_path)
    paper = Paper([])
    assert send(Desk(shop, admin), paper.xlsx(), paper.name("xlsx")).status_code == 303


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd.csv", "C:\\\\..\\\\passwd.csv", "/etc/passwd.csv"]
)
def test_f3_the_name_of_a_file_leads_nowhere(
    shop: Shop, admin: Account, tmp_path: Path, name: str
) -> None:
    """F3: it is a text for people, and where the file lies we say ourselves."""
    waits_in(shop, tmp_path)
    desk = Desk(shop, admin)
    answer = send(desk, Paper([]).csv(), name)
    assert answer.status_code == 303
    [kept] = tmp_path.iterdir()
    assert kept.name == f"{answer.location.rpartition('/')[2]}.statement"
    assert "<h1>passwd.csv</h1>" in desk.read(answer.location)
