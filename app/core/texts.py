"""Words for people, which remember what they were made of.

Programs hear them as they were written, in English. A page that shows them to somebody who reads
another language has them said again from their parts.
"""

from __future__ import annotations

from typing import Any


class Said(str):
    """A sentence with its values filled in; for everybody but a translator, simply a text."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Said:
        sentence = super().__new__(cls, template.format(**values))
        sentence.template, sentence.values = template, values
        return sentence


def said(template: str, /, **values: Any) -> Said:
    """Fill ``{name}`` in and keep both: ``said("Only {count} left", count=3)``.

    The template is a literal, so that the translators' tool finds it. Money goes in as Kes, a
    part that is a sentence of its own as what ``said`` or ``marked`` has made.
    """
    return Said(template, values)


def marked(text: str, /) -> str:
    """Mark a literal for the translators' tool, where it is not yet known who will read it."""
    return text
