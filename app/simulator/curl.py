"""An exchange as something to take away: a curl command, a fixture, a body that can be read."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from app.simulator.clock import iso_milliseconds
from app.simulator.masking import PLACEHOLDER
from app.simulator.traffic import Kept, Said

_SENT_AGAIN: Final = ("Authorization", "Content-Type", "Businessshortcode")
# A string, a mark, or a number as it was written.
_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_DEEPEST: Final = 40


def curl(kept: Kept) -> str:
    """The request for a shell, where each `$NAME` stands for a secret to be filled in."""
    exchange = kept.exchange
    lines = ["curl -i" if exchange.method == "GET" else f"curl -i -X {_quoted(exchange.method)}"]
    lines.append(_quoted(exchange.url))
    for name, value in exchange.request.headers.items():
        if name not in _SENT_AGAIN:
            continue
        if value.startswith("Basic "):
            lines.append(f"-u {_quoted(value.removeprefix('Basic '))}")
        else:
            lines.append(f"-H {_quoted(f'{name}: {value}')}")
    if exchange.request.body:
        lines.append(f"--data-binary {_quoted(exchange.request.body)}")
    return f"{lines[0]} " + " \\\n  ".join(lines[1:])


def fixture(exchanges: Iterable[Kept]) -> dict[str, Any]:
    """Requests and answers, oldest first, for the tests of another project."""
    return {"exchanges": [detailed(kept) for kept in exchanges]}


def detailed(kept: Kept) -> dict[str, Any]:
    """One exchange with its bodies: JSON as JSON, anything else as text."""
    exchange = kept.exchange
    return kept.as_json() | {
        "time": iso_milliseconds(exchange.at),
        "shortened": kept.is_cut,
        "request": {"url": exchange.url, **_side(exchange.request)},
        "answer": _side(exchange.answer),
        "curl": curl(kept),
    }


def indented(text: str) -> str:
    """JSON with a line for each value, its numbers as they were written; else the text itself."""
    if _parsed(text) is None or text.count("[") + text.count("{") > _DEEPEST * _DEEPEST:
        return text
    lines, depth = "", 0
    pieces = _PIECE.findall(text)
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece in ("]", "}"):
            depth -= 1
        if piece in ("{", "[") and following in ("}", "]"):
            lines, depth = lines + piece, depth + 1
        elif piece in ("{", "["):
            depth += 1
            lines += piece + _new_line(depth)
        elif piece == ",":
            lines += piece + _new_line(depth)
        elif piece == ":":
            lines += ": "
        else:
            ends = following in ("]", "}")
            lines += piece + (_new_line(depth - 1) if ends else "")
    return lines


def _new_line(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)


def _side(said: Said) -> dict[str, Any]:
    parsed = _parsed(said.body)
    return {"headers": dict(said.headers), "body": said.body if parsed is None else parsed}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _quoted(text: str) -> str:
    """One word for a shell: everything as it is, but for the names of secrets."""
    quoted = "'" + text.replace("'", "'\\''") + "'"
    return PLACEHOLDER.sub(lambda name: f"'\"{name[0]}\"'", quoted)
