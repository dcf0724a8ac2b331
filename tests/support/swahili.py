"""What is said in Swahili, and what of a page is still English: the catalogue, read by tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from html.parser import HTMLParser

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from scripts.translations import folder

#: What a text of ours has in place of a value.
_VALUE = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
#: A piece of a sentence, beside its values, that is English wherever it stands.
_LEAST_PIECE = 12
_SPOKEN_DATA = ("-title", "-message", "-label", "-copied", "-later", "-offline")
_SPOKEN_ATTRIBUTES = ("alt", "aria-label", "placeholder", "title", "value")


@cache
def catalogue() -> Catalog:
    with (folder("sw") / "messages.mo").open("rb") as file:
        return read_mo(file)


def sw(english: str) -> str:
    """What a text of ours is in Swahili."""
    found = catalogue().get(english)
    assert found, english
    assert isinstance(found.string, str)
    return found.string


def english_left(texts: Iterable[str]) -> set[str]:
    """Return what a Swahili page still says in English: whole texts of ours, and large pieces."""
    heard = {" ".join(text.split()) for text in texts}
    all_of_it = "\n".join(heard)
    return (heard & _whole_texts()) | {piece for piece in _pieces() if piece in all_of_it}


@cache
def _whole_texts() -> frozenset[str]:
    return frozenset(english for english, swahili in _pairs() if english != swahili)


@cache
def _pieces() -> frozenset[str]:
    in_swahili = "\n".join(swahili for _english, swahili in _pairs())
    pieces = (piece.strip() for english, _swahili in _pairs() for piece in _VALUE.split(english))
    return frozenset(
        piece
        for piece in pieces
        if len(piece) >= _LEAST_PIECE and " " in piece and piece not in in_swahili
    )


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    return tuple(
        (" ".join(str(message.id).split()), " ".join(str(message.string).split()))
        for message in catalogue()
        if message.id and isinstance(message.id, str)
    )


def spoken(page: str) -> list[str]:
    """Return every text of an HTML page that somebody may see or hear, the dialog's among them."""
    reader = _Reader()
    reader.feed(page)
    return [text for text in reader.texts if text.strip()]


class _Reader(HTMLParser):
    """Collects texts, and the attributes that hold some."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_silent = tag in ("script", "style")
        for name, value in attrs:
            if value and (name in _SPOKEN_ATTRIBUTES or name.endswith(_SPOKEN_DATA)):
                self.texts.append(value)
            if value and name == "data-state":
                self.texts += _strings(value)

    def handle_endtag(self, tag: str) -> None:
        self._is_silent = False

    def handle_data(self, data: str) -> None:
        if not self._is_silent:
            self.texts.append(data)


def _strings(state: str) -> list[str]:
    """Return the sentences of an order's state as the dialog is given it."""
    told = json.loads(state)
    values = (told[name] for name in ("title", "message", "warning", "usual"))
    return [value for value in values if value]
