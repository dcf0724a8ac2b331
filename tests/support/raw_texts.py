"""Finds words that a template shows and that no translator would ever see.

A template becomes one stream of HTML in which an expression stands for the literals that it may
come out as, and a ``trans`` block for nothing. What letters are left, in the text or in an
attribute that is seen or read aloud, is raw. ``python -m tests.support.raw_texts checkout`` lists
them for the templates whose path has that in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
#: Pages for developers speak English, like the document of the API that they show.
ENGLISH = ("templates/api_docs/",)
#: Names and abbreviations that are the same in every language.
NAMES = (
    r"M-?PESA|PIN|KES|Ksh|SMS|QR|PDF|CSV|Excel|XLSX|JSON|JPEG|PNG|WebP|API|URL|ID|Daraja|Safaricom|"
    r"Airtel|Telkom|Paybill|HMAC|SHA-256|IP|UTC|EAT|MB|kB|Lipa|Fuliza|B2C|B2B|C2B|STK|USSD|ODPC|KRA"
)
#: An address, a name, a name in a program, an example that is made of figures.
_KNOWN = re.compile(
    rf"https?://\S+|\b\S+@\S+\b|/[\w/<>.-]+|\b(?i:{NAMES})\b|\b\w+_\w+(?:\*+\w+)?"
    r"|\b[A-Z][a-z]+(?:[A-Z][a-z]*)+\b|\b[A-Za-z]*\d[A-Za-z0-9]*\b"
)
_SEEN = frozenset({"title", "alt", "placeholder", "label"})
_SEEN_ARIA = re.compile(r"aria-(?:label|description|roledescription|valuetext|placeholder)")
_SEEN_DATA = re.compile(r"data-(?:.*-)?(?:title|message|text|words|label|hint|problem|name)")
_BUTTONS = frozenset({"submit", "button", "reset"})
#: What stands in these is for machines, or is to be typed as it stands.
_UNREAD = frozenset({"script", "style", "code", "pre", "kbd", "samp"})
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"})
_VALUE = "\ue000"
_TRANSLATES = frozenset({"_", "gettext", "ngettext", "pgettext", "said", "marked", "url_for"})
#: What these write comes in the reader's language; a date's pattern is no word.
_SPEAKING_FILTERS = frozenset({"said", "dateformat", "timeformat", "datetimeformat"})
_NEVER_SHOWN = (nodes.Compare, nodes.Test, nodes.Include, nodes.Import, nodes.Extends)
_SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]|^[A-Z][a-z]+$")

_environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)


def templates() -> list[str]:
    """Return every template that a person reads, by its path in the repository."""
    paths = (path.relative_to(ROOT).as_posix() for path in sorted(TEMPLATES.rglob("*.html")))
    return [path for path in paths if not path.startswith(ENGLISH)]


def raw_texts(source: str) -> list[str]:
    """Return ``line: text`` for what a template says without having it translated."""
    reader = _Reader()
    reader.feed(_stream(source))
    reader.close()
    found = reader.found + list(_arguments(source))
    return [f"{line}: {text}" for line, text in sorted(set(found))]


def seen_in(page: str) -> set[str]:
    """Return every text with letters that a reader of a finished page sees or hears."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return {text for _, text in reader.found}


def letters_of(text: str) -> str:
    """Return the words in a text that have a language, or nothing."""
    rest = _KNOWN.sub("", text)
    return " ".join(text.replace(_VALUE, " ").split()) if re.search(r"[^\W\d_]", rest) else ""


def _stream(source: str) -> str:
    """Return a template as HTML: its own text, and what its expressions may come out as."""
    out: list[str] = []
    inside: list[str] | None = None
    line, in_trans, in_block = 1, False, False
    for number, kind, text in _environment.lex(source):
        out.append("\n" * (number - line))
        line = max(line, number) + text.count("\n")
        out.append(text if kind == "data" and not in_trans else "\n" * text.count("\n"))
        if kind == "block_begin":
            in_block = True
        elif kind == "name" and in_block:
            in_block = False
            in_trans = text == "trans" or (in_trans and text != "endtrans")
        elif kind == "variable_begin":
            inside = []
        elif kind == "variable_end":
            out.append(_VALUE if in_trans else _outcomes("".join(inside or [])))
            inside = None
        elif inside is not None:
            inside.append(text)
    return "".join(out)


def _outcomes(expression: str) -> str:
    parsed = _environment.parse("{{" + expression + "}}")
    output = next(parsed.find_all(nodes.Output), None)
    results = [text for node in (output.nodes if output else []) for text in _results(node)]
    return _VALUE + _VALUE.join([*results, ""])


def _results(node: nodes.Node) -> Iterator[str]:
    """Yield the literals that an expression may come out as."""
    if isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.Const):
        yield node.value if isinstance(node.value, str) else ""
    elif isinstance(node, nodes.CondExpr):
        yield from _results(node.expr1)
        yield from _results(node.expr2) if node.expr2 else ()
    elif isinstance(node, (nodes.Or, nodes.Add, nodes.Mod, nodes.And)):
        yield from _results(node.left)
        yield from _results(node.right)
    elif isinstance(node, nodes.Concat):
        for part in node.nodes:
            yield from _results(part)
    elif isinstance(node, nodes.Filter) and node.node is not None and node.name != "said":
        yield from _results(node.node)
        if node.name in ("default", "d"):
            for part in node.args:
                yield from _results(part)


def _arguments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences among the literals that are kept, or handed to a macro."""
    waiting: list[nodes.Node] = [_environment.parse(source)]
    while waiting:
        node = waiting.pop()
        if _is_translated(node) or isinstance(node, _NEVER_SHOWN):
            continue
        text = node.value if isinstance(node, nodes.Const) else None
        if isinstance(text, str) and _SENTENCE.search(text) and letters_of(text):
            yield node.lineno, text
        waiting += [child for child in node.iter_child_nodes() if not _is_key(node, child)]


def _is_translated(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return node.node.name in _TRANSLATES
    return isinstance(node, nodes.Filter) and node.name in _SPEAKING_FILTERS


def _is_key(parent: nodes.Node, child: nodes.Node) -> bool:
    in_pair = isinstance(parent, nodes.Pair) and child is parent.key
    return in_pair or (isinstance(parent, nodes.Getitem) and child is parent.arg)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._unread: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            button = name == "value" and tag == "input" and given.get("type") in _BUTTONS
            spoken = _SEEN_ARIA.fullmatch(name) or _SEEN_DATA.fullmatch(name)
            if name in _SEEN or spoken or button:
                self._note(value)
        skipped = tag in _UNREAD or given.get("translate") == "no"
        if tag not in _VOID and (skipped or self._unread):
            self._unread.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unread:
            while self._unread.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._note(data)

    def _note(self, text: str) -> None:
        words = letters_of(text)
        if words:
            before = len(text) - len(text.lstrip())
            self.found.append((self.getpos()[0] + text[:before].count("\n"), words))


def raw_in(path: str) -> list[str]:
    """Return what a template of the repository says without having it translated."""
    return raw_texts((ROOT / path).read_text("utf-8"))


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = [f"{path}:{raw}" for path in templates() if part in path for raw in raw_in(path)]
    print("\n".join([*lines, f"{len(lines)} raw texts"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
