"""The pictures of the README: all of them taken by the script, and light enough for a phone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "img"
MOST_BYTES = 150 * 1024


def test_the_readme_shows_every_picture_that_the_script_takes_and_no_other() -> None:
    taken = re.findall(r'_take\(\w+, "([\w-]+)"\)', (ROOT / "scripts/screenshots.py").read_text())
    shown = re.findall(r"!\[[^\]]+\]\(docs/img/([\w-]+)\.png\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == sorted(taken)
    assert {path.stem for path in PICTURES.iterdir()} == set(taken)


def test_no_picture_is_heavy() -> None:
    heavy = [path.name for path in PICTURES.iterdir() if path.stat().st_size > MOST_BYTES]
    assert heavy == []
