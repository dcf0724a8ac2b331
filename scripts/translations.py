"""Bring the Swahili catalogue up to date with what the pages and the program say.

Every text that is marked for translation is taken into ``app/translations``; one that nothing
says any more is dropped; the catalogue is compiled. Texts that are still to be translated are
printed, and their number is the exit code's cause: a catalogue with gaps is not done.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

BEGUN = datetime(2026, 11, 21, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "app/translations/sw/LC_MESSAGES"
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


def present() -> Catalog:
    """Return the catalogue as it stands, brought up to date with the program."""
    path = FOLDER / "messages.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale="sw")
    else:
        catalog = Catalog(locale="sw", project="Lipa", charset="utf-8")
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """Return the texts that the catalogue does not say, or is not sure how to say."""
    return [str(message.id) for message in catalog if message.id and not _is_said(message.string)]


def _is_said(string: str | tuple[str, ...] | list[str] | None) -> bool:
    return bool(string) if isinstance(string, str) or not string else all(string)


def write(catalog: Catalog) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Today's date in the header would make every run a change.
    catalog.creation_date = catalog.revision_date = BEGUN
    with (FOLDER / "messages.po").open("wb") as file:
        write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
    with (FOLDER / "messages.mo").open("wb") as file:
        write_mo(file, catalog)


def main() -> int:
    catalog = present()
    write(catalog)
    gaps = untranslated(catalog)
    print(f"{len(catalog)} texts, {len(gaps)} not yet in Swahili")
    for text in gaps:
        print(f"  {text}")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
