"""Reading a PDF as its reader does: the words on its pages, by the fonts' own tables."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\n(.*)\nendstream", re.DOTALL)
_FONT = re.compile(rb"/(F\d+) (\d+) 0 R")
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:[^()\\]|\\.)*)\) Tj", re.DOTALL)
_LETTER = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]{4,})>")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def pages_of(pdf: bytes) -> int:
    """How many pages a PDF has."""
    return len(re.findall(rb"/Type /Page\b", pdf))


def language_of(pdf: bytes) -> str:
    """The language that a PDF says it is in."""
    found = re.search(rb"/Lang \((.*?)\)", pdf)
    return found[1].decode() if found else ""


def words_of(pdf: bytes) -> str:
    """The words of a PDF that fpdf2 has written, one line for each piece of text."""
    assert pdf.startswith(b"%PDF-")
    parts = {int(number): body for number, body in _OBJECT.findall(pdf)}
    fonts = {name: _letters(parts, int(number)) for name, number in _FONT.findall(pdf)}
    lines: list[str] = []
    for body in parts.values():
        lines += _shown(_stream(body), fonts)
    return "\n".join(lines)


def _stream(body: bytes) -> bytes:
    found = _STREAM.search(body)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]


def _letters(parts: dict[int, bytes], number: int) -> dict[bytes, str]:
    table = re.search(rb"/ToUnicode (\d+) 0 R", parts[number])
    assert table, "a font says what its signs mean, or nobody can copy or search the text"
    pairs = _LETTER.findall(_stream(parts[int(table[1])]))
    return {
        bytes.fromhex(c.decode()): bytes.fromhex(u.decode()).decode("utf-16-be") for c, u in pairs
    }


def _shown(content: bytes, fonts: dict[bytes, dict[bytes, str]]) -> list[str]:
    lines, letters = [], dict[bytes, str]()
    for font, raw in _SHOWN.findall(content):
        if font:
            letters = fonts.get(font, {})
        elif letters:
            text = _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), raw)
            codes = (text[place : place + 2] for place in range(0, len(text), 2))
            lines.append("".join(letters.get(code, "?") for code in codes))
    return lines
