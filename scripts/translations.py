"""Bring the catalogues up to date with what the pages and the program say.

Every text that is marked for translation is taken into each catalogue in ``app/translations``;
one that nothing says any more is dropped; the catalogue is compiled. Texts that are still to be
translated are printed, and make the exit code 1: a catalogue with gaps is not done.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

BEGUN = datetime(2026, 11, 21, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "app/translations"
KEYWORDS = {**DEFAULT_KEYWORDS, "said": None, "marked": None}
#: Where texts are, and what reads them. The simulator speaks to developers, in English.
METHODS = [
    ("app/simulator/**", "ignore"),
    ("app/openapi/**", "ignore"),
    ("app/**.py", "python"),
    ("templates/api_docs/**", "ignore"),
    ("templates/**.html", "jinja2"),
]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false"}}


def template() -> Catalog:
    """Return what is said in the program today, with nothing translated."""
    catalog = Catalog(project="Lipa", charset="utf-8")
    found = extract_from_dir(ROOT, METHODS, OPTIONS, KEYWORDS)
    for path, _line, message, comments, context in found:
        if path.startswith(("app/", "templates/")):
            catalog.add(message, locations=[(path, 0)], auto_comments=comments, context=context)
    return catalog


def languages() -> list[str]:
    """Return the code of every language that has a folder for its catalogue."""
    return sorted(path.name for path in TRANSLATIONS.iterdir() if path.is_dir())


def folder(language: str) -> Path:
    """Return where a language's catalogue is kept."""
    return TRANSLATIONS / language / "LC_MESSAGES"


def present(language: str = "sw") -> Catalog:
    """Return the catalogue as it stands, or a new one, brought up to date with the program."""
    path = folder(language) / "messages.po"
    catalog = Catalog(locale=language, project="Lipa", charset="utf-8")
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """Return the texts that the catalogue does not say, or is not sure how to say."""
    return [str(message.id) for message in catalog if message.id and not _is_said(message.string)]


def _is_said(string: str | tuple[str, ...] | list[str] | None) -> bool:
    return bool(string) if isinstance(string, str) or not string else all(string)


def write(catalog: Catalog) -> None:
    """Keep a catalogue, to be read by people and by the program."""
    with (folder(str(catalog.locale)) / "messages.po").open("wb") as file:
        write_readable(file, catalog)
    with (folder(str(catalog.locale)) / "messages.mo").open("wb") as file:
        write_mo(file, catalog)


def write_readable(file: BinaryIO, catalog: Catalog) -> None:
    """Write the catalogue as it is kept in the repository: the same texts, the same bytes."""
    # Today's date in the header would make every run a change.
    catalog.creation_date = catalog.revision_date = BEGUN
    write_po(file, catalog, width=100, sort_output=True, include_lineno=False)


def main() -> int:
    missing = 0
    for language in languages():
        catalog = present(language)
        write(catalog)
        gaps = untranslated(catalog)
        missing += len(gaps)
        print(f"{language}: {len(catalog)} texts, {len(gaps)} not yet translated")
        for text in gaps:
            print(f"  {text}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
