"""Every word that a person can read comes in every language of the shop."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from app.languages import DEFAULT, LANGUAGES
from scripts import translations
from tests.support import raw_messages, raw_texts

#: The same in both languages, beside what is made of names and figures only.
SAME = frozenset[str]()
_TAG = re.compile(r"<(/?[a-z]+)")
_SHOWN_BY_SCRIPT = re.compile(
    r"""(?:textContent|innerText|innerHTML|title|alt|placeholder|ariaLabel)\s*=\s*["'`][^"'`]*[a-z].*"""
    r"""|(?:alert|confirm|prompt)\(\s*["'`].*"""
    r"""|setAttribute\(\s*["'](?:aria-label|title|alt|placeholder)["'],\s*["'`].*"""
)
_PERCENT = re.compile(r"%(?:\((\w+)\))?([sd%])")


@cache
def committed() -> Catalog:
    with (translations.folder("sw") / "messages.po").open("rb") as file:
        return read_po(file, locale="sw", abort_invalid=True)


def pairs() -> Iterator[tuple[str, str]]:
    """Yield every English text with every Swahili text that stands for it."""
    for message in committed():
        if isinstance(message.id, str):
            if message.id:
                yield message.id, str(message.string)
            continue
        one, many = message.id
        for form in message.string or ():
            # Swahili may tell the count of one where English has none, "siku 1", and the reverse.
            yield (one if _values(form) == _values(one) else many), form


def texts(catalog: Catalog) -> set[object]:
    return {_key(message) for message in catalog if message.id}


def _key(message: Message) -> object:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def test_the_catalogue_holds_what_the_program_says_today_and_no_more() -> None:
    """``make translations`` would change nothing."""
    said, kept = texts(translations.template()), texts(committed())
    assert sorted(map(str, said - kept)) == [], "new: run `make translations` and translate them"
    assert sorted(map(str, kept - said)) == [], "nothing says these any more: `make translations`"
    assert not committed().obsolete
    assert not [message.id for message in committed() if message.id and message.fuzzy]


def test_the_catalogue_is_written_as_the_script_writes_it() -> None:
    written = BytesIO()
    translations.write_readable(written, translations.present())
    assert written.getvalue() == (translations.folder("sw") / "messages.po").read_bytes()


def test_the_compiled_catalogue_says_what_the_readable_one_says() -> None:
    compiled = BytesIO()
    write_mo(compiled, committed())
    compiled.seek(0)
    with (translations.folder("sw") / "messages.mo").open("rb") as file:
        kept = {_key(one): one.string for one in read_mo(file) if one.id}
    assert kept == {_key(one): one.string for one in read_mo(compiled) if one.id}


def test_every_language_that_can_be_chosen_has_a_catalogue_and_no_other() -> None:
    assert {DEFAULT, *translations.languages()} == set(LANGUAGES)


def test_every_text_is_said_in_swahili() -> None:
    assert translations.untranslated(committed()) == []


def test_a_translation_fills_in_the_same_values() -> None:
    differing = [(english, swahili) for english, swahili in pairs() if _differ(english, swahili)]
    assert differing == []


def _differ(english: str, swahili: str) -> bool:
    return _values(english) != _values(swahili)


def _values(text: str) -> set[str]:
    named = {name or kind for name, kind in _PERCENT.findall(text)}
    try:
        filled = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        filled = {"a brace that cannot be read"}
    return named | {f"{{{name}}}" for name in filled}


def test_a_translation_marks_the_same_words_up() -> None:
    differing = [
        pair for pair in pairs() if sorted(_TAG.findall(pair[0])) != sorted(_TAG.findall(pair[1]))
    ]
    assert differing == []


def test_a_translation_begins_and_ends_with_the_same_space() -> None:
    assert [pair for pair in pairs() if _edges(pair[0]) != _edges(pair[1])] == []


def _edges(text: str) -> tuple[bool, bool]:
    return text != text.lstrip(), text != text.rstrip()


def test_a_translation_is_not_its_english() -> None:
    same = {english for english, swahili in pairs() if english == swahili}
    assert {text for text in same if raw_texts.letters_of(_bare(text))} - SAME == set()


def _bare(text: str) -> str:
    return re.sub(r"\{\w*\}|%\(\w+\)[sd]|<[^>]+>", "", text)


@pytest.mark.parametrize("path", raw_texts.templates())
def test_a_template_says_nothing_raw(path: str) -> None:
    raw = raw_texts.raw_in(path)
    assert raw == [], "\n".join([f"raw in {path}:", *raw])


@pytest.mark.parametrize("path", raw_messages.modules())
def test_a_module_says_nothing_raw(path: str) -> None:
    raw = raw_messages.raw_in(path)
    assert raw == [], "\n".join([f"raw in {path}:", *raw])


@pytest.mark.parametrize(
    "path", sorted((raw_texts.ROOT / "static/js").glob("*.js")), ids=lambda path: path.name
)
def test_a_script_shows_only_words_that_the_page_gave_it(path: Path) -> None:
    assert _SHOWN_BY_SCRIPT.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Pay</p>", ["1: Pay"]),
        ('<p>{{ _("Pay") }} {% trans %}Pay <b>now</b>{% endtrans %}</p>', []),
        ("<p>\n{% trans n=count %}One{% pluralize %}Many{% endtrans %}\n  left</p>", ["3: left"]),
        ("""<p>{{ "Paid" if paid else _("Open") }}</p>""", ["1: Paid"]),
        ("""<p class="{{ 'paid' if paid }}" id="sum">{{ sum }} M-Pesa, KES 10</p>""", []),
        ("""<button aria-label="Close" data-wait-message="Wait">×</button>""", ["Close", "Wait"]),
        ("""{% set words = {"paid": "Paid in full"} %}""", ["1: Paid in full"]),
        ("""{{ badge("Not paid") }}{{ badge(_("Paid")) }}""", ["1: Not paid"]),
        ("""<code>lipa --help</code><input value="Kiasi"><input type=submit value=Ok>""", ["Ok"]),
        ("""{% if kind == "Some words" %}{{ url_for("Some words") }}{% endif %}""", []),
    ],
)
def test_raw_texts_are_found(source: str, found: list[str]) -> None:
    texts = raw_texts.raw_texts(source)
    assert [
        text if ": " in want else text[3:] for text, want in zip(texts, found, strict=True)
    ] == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise NotFound("No such order.")', ["1: No such order."]),
        ('raise NotFound(said("Only {count} left", count=n))', []),
        ('raise NotFound(f"Only {n} left")', ["1: Only left"]),
        ('raise ValueError("Not for people")', []),
        ('class Gone(NotFound):\n    message = "Gone."', []),
        ('class NotFound(LipaError):\n    message = "Gone."', ["2: Gone."]),
        ('class NotFound(LipaError):\n    message = marked("Gone.")', []),
        ('GONE = "Gone."\nflash(GONE if n else _("Here"), "error")', ["1: Gone."]),
        ('flash("Paid: {}".format(n))\nflash(_("Paid"))', ["1: Paid: {}"]),
        ('said(f"{n} left")', ["1: not a literal: said(f'{n} left')"]),
    ],
)
def test_raw_messages_are_found(source: str, found: list[str]) -> None:
    assert raw_messages.raw_messages(source) == found
