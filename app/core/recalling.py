"""Sentences out of the database, taken apart again into what they were made of.

What ``texts.said`` has made is kept in English, as a plain text: why money waits for a second
person, what was wrong with a file. A page in another language finds the template by which such a
text was made, and says it again.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter

from babel.messages.mofile import read_mo

from app.core.money import CENTS, Kes
from app.core.texts import Said, said

CATALOGUE = Path(__file__).resolve().parent.parent / "translations/sw/LC_MESSAGES/messages.mo"
#: A template with fewer letters of its own would fit what people have written, unless it tells
#: an amount.
LEAST_LETTERS = 10
#: Nothing that we say is longer, and a longer text takes long to be taken apart.
MOST_LETTERS = 600
#: A sentence in a sentence in a sentence.
MOST_DEPTH = 3
_MONEY = re.compile(r"KES (-?)([0-9,]+)(?:\.([0-9]{2}))?")
_COUNT = re.compile(r"0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,11}")


def recalled(text: str) -> str:
    """Return a kept text as ``said`` had made it; any other text as it is."""
    if isinstance(text, Said) or not text or len(text) > MOST_LETTERS:
        return text
    return _taken_apart(str(text))


@lru_cache(maxsize=2048)
def _taken_apart(text: str, depth: int = MOST_DEPTH) -> str:
    sentences, templates = _catalogue()
    if text in sentences:
        return said(text)
    for template, pattern in templates if depth else ():
        found = pattern.fullmatch(text)
        if found is None:
            continue
        sentence = _again(template, found.groupdict(), depth - 1)
        if sentence is not None and sentence == text:
            return sentence
    return text


def _again(template: str, parts: dict[str, str], depth: int) -> str | None:
    tells_amount = any(_MONEY.fullmatch(part) for part in parts.values())
    if _letters(template) < LEAST_LETTERS and not tells_amount:
        return None
    values = {name: _value(part, depth) for name, part in parts.items()}
    try:
        return said(template, **values)
    except ValueError:
        # A word stands where this template has a number.
        return None


def _value(part: str, depth: int) -> str | int:
    money = _MONEY.fullmatch(part)
    if money is not None:
        cents = int(money[2].replace(",", "") or 0) * CENTS + int(money[3] or 0)
        return Kes(-cents if money[1] else cents)
    if _COUNT.fullmatch(part):
        return int(part.replace(",", ""))
    return _taken_apart(part, depth)


@cache
def _catalogue() -> tuple[frozenset[str], tuple[tuple[str, re.Pattern[str]], ...]]:
    """Return what is said without values, and each template with its pattern, longest first."""
    with CATALOGUE.open("rb") as file:
        texts = {message.id for message in read_mo(file) if isinstance(message.id, str)}
    in_order = sorted(filter(_is_template, texts), key=lambda text: (-_letters(text), text))
    return frozenset(texts), tuple((text, _pattern(text)) for text in in_order)


def _is_template(text: str) -> bool:
    """Tell whether a text is a template."""
    try:
        names = [name for _, name, *_ in Formatter().parse(text) if name is not None]
    except ValueError:
        # A brace that is only a brace.
        return False
    return bool(names) and all(name.isidentifier() for name in names)


def _letters(template: str) -> int:
    return sum(len(literal.strip()) for literal, *_ in Formatter().parse(template))


def _pattern(template: str) -> re.Pattern[str]:
    parts, seen = [], set[str]()
    for literal, name, _spec, _conversion in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
            seen.add(name)
    return re.compile("".join(parts), re.DOTALL)
