"""Finds words that the program says to people and that no translator would ever see.

A refusal's message, what is flashed, a page's title and every sentence of a ``words.py`` are raw
where they are literals, or built from literals, outside of ``said``, ``marked`` and ``gettext``.
What only programs, developers and terminals read stays English and is not looked at.
``python -m tests.support.raw_messages orders`` lists them for the modules with that in their path.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.raw_texts import letters_of

ROOT = Path(__file__).resolve().parents[2]
#: Programs, Daraja, developers and whoever runs the shop's commands read these, in English.
ENGLISH = re.compile(
    r"app/(?:simulator|openapi|dialects)/|commands\.py|/(?:routes|webhook)\.py"
    r"|app/(?:doctor|server|schema|patience|proving|reach|config|go_live)\.py"
)
_MARKS = frozenset({"said", "Said", "marked", "gettext", "ngettext", "_", "in_readers_language"})
#: Class attributes that are shown to people, and what a page is given to show.
_ATTRIBUTES = frozenset({"message", "hint", "title", "advice"})
_SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]|^[A-Z][a-z]+")
_GIVEN_TO_PAGES = frozenset({"title", "message", "hint", "problem", "heading", "advice", "note"})


def modules() -> list[str]:
    """Return every module that speaks to people, by its path in the repository."""
    paths = (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "app").rglob("*.py")))
    return [path for path in paths if not ENGLISH.search(path)]


def raw_messages(source: str, *, words_only: bool = False) -> list[str]:
    """Return ``line: text`` for what a module says without having it translated.

    ``words_only`` is a module of nothing but words, where every sentence counts.
    """
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    raw = [node for spoken in _spoken(tree) for node in _raw_parts(spoken, constants)]
    raw += list(_sentences(tree)) if words_only else []
    found = {(node.lineno, words) for node in raw if (words := letters_of(_text(node)))}
    return [f"{line}: {words}" for line, words in sorted(found | set(_unreadable_marks(tree)))]


@cache
def refusals() -> frozenset[str]:
    """Return the names of LipaError and of every class that is one."""
    bases: dict[str, set[str]] = {}
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                names = {_name(base) for base in node.bases}
                bases.setdefault(node.name, set()).update(names)
    found, size = {"LipaError"}, 0
    while size != len(found):
        size = len(found)
        found |= {name for name, above in bases.items() if above & found}
    return frozenset(found)


def _spoken(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield every expression whose value is shown to a person."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in refusals():
            yield from _of_refusal(node)
        elif isinstance(node, ast.Call):
            name = _name(node.func)
            if name in refusals() or name == "flash":
                yield from node.args[:1]
                yield from (word.value for word in node.keywords if word.arg == "message")
            elif name == "render_template":
                yield from (word.value for word in node.keywords if word.arg in _GIVEN_TO_PAGES)


def _of_refusal(refusal: ast.ClassDef) -> Iterator[ast.expr]:
    for part in refusal.body:
        targets = part.targets if isinstance(part, ast.Assign) else []
        if any(isinstance(one, ast.Name) and one.id in _ATTRIBUTES for one in targets):
            yield part.value  # type: ignore[attr-defined]
    for node in ast.walk(refusal):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            yield from node.args[:1]


def _raw_parts(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[ast.expr]:
    """Yield the literals that an expression may come out as, or is built from."""
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        yield node
    elif isinstance(node, ast.Name) and node.id in constants:
        yield constants[node.id]
    elif isinstance(node, ast.IfExp):
        yield from _raw_parts(node.body, constants)
        yield from _raw_parts(node.orelse, constants)
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _raw_parts(part, constants)
    elif isinstance(node, ast.BinOp):
        yield from _raw_parts(node.left, constants)
        yield from _raw_parts(node.right, constants)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        # "…".format(…) and " ".join(…): what they are called on is a literal.
        yield from _raw_parts(node.func.value, constants)


def _sentences(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the literals that read like words for people and stand outside of every mark."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and _name(node.func) in _MARKS:
            continue
        if isinstance(node, (ast.Compare, ast.Subscript)) or _is_docstring(node):
            continue
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and _SENTENCE.search(_text(node)):
            yield node
        keys = node.keys if isinstance(node, ast.Dict) else []
        waiting += [child for child in ast.iter_child_nodes(node) if child not in keys]


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.JoinedStr)):
            yield from ((one.id, node.value) for one in node.targets if isinstance(one, ast.Name))


def _unreadable_marks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield marks around a text that is built, which the translators' tool passes by."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        built = any(isinstance(one, (ast.JoinedStr, ast.BinOp)) for one in call.args[:1])
        if _name(call.func) in ("said", "marked") and built:
            yield call.lineno, f"not a literal: {ast.unparse(call)[:80]}"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values if isinstance(part, ast.Constant))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def raw_in(path: str) -> list[str]:
    """Return what a module of the repository says without having it translated."""
    words_only = Path(path).name == "words.py"
    return raw_messages((ROOT / path).read_text("utf-8"), words_only=words_only)


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = [f"{path}:{raw}" for path in modules() if part in path for raw in raw_in(path)]
    print("\n".join([*lines, f"{len(lines)} raw messages"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
