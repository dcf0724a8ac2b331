"""What others wrote and we serve is what they published, with its licence beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"


def test_every_vendored_file_is_the_one_that_was_taken_in() -> None:
    lines = (VENDOR / "CHECKSUMS").read_text().splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "CHECKSUMS"]
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    assert found == expected


def test_each_vendored_library_has_its_licence() -> None:
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert folders
    assert [path.name for path in folders if not (path / "LICENSE").is_file()] == []
