"""Words for people, which remember what they were made of.

Programs hear them as they were written, in English. A page that shows them to somebody who reads
another language has them said again from their parts.
"""

from __future__ import annotations

from typing import Any


class Said(str):
    """A sentence with its values filled in; for everybody but a translator, simply a text.

    A template without values is taken as it stands, with whatever braces it has.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Said:
        sentence = super().__new__(cls, filled(template, values))
        sentence.template, sentence.values = template, values
        return sentence

    def __getnewargs__(self) -> tuple[str, dict[str, Any]]:  # type: ignore[override]
        # A copy, and what is sent to another process, is made from the same parts.
        return self.template, self.values


def said(template: str, /, **values: Any) -> Said:
    """Fill ``{name}`` in and keep both: ``said("Only {count} left", count=3)``.

    The template is a literal, so that the translators' tool finds it. Money goes in as Kes, a
    part that is a sentence of its own as what ``said`` or ``marked`` has made. Any other text is
    somebody's data, such as a product's name, and stays as it is in every language.
    """
    return Said(template, values)


def marked(text: str, /) -> str:
    """Mark a literal for the translators' tool, where it is not yet known who will read it."""
    return Said(text, {})


def filled(template: str, values: dict[str, Any]) -> str:
    """Return a template with its values filled in."""
    return template.format(**values) if values else template
