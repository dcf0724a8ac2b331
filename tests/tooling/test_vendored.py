"""What others wrote is what they published, with its licence beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What we serve, and what only tests use.
SERVED, FOR_TESTS = "static/vendor", "tests/browser/vendor"


@pytest.mark.parametrize("folder", [SERVED, FOR_TESTS])
def test_every_vendored_file_is_the_one_that_was_taken_in(folder: str) -> None:
    vendor = ROOT / folder
    lines = (vendor / "CHECKSUMS").read_text().splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    files = [path for path in vendor.rglob("*") if path.is_file() and path.name != "CHECKSUMS"]
    found = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    assert found == expected


@pytest.mark.parametrize("folder", [SERVED, FOR_TESTS])
def test_each_vendored_library_has_its_licence(folder: str) -> None:
    folders = [path for path in (ROOT / folder).iterdir() if path.is_dir()]
    assert folders
    assert [path.name for path in folders if not (path / "LICENSE").is_file()] == []
