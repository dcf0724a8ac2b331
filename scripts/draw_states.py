"""Draws the life of payments, orders and money out into docs/architecture.md, from the code.

Run it after a change of a room's states.py: make draw
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.disbursements.states import NOT_PAID, OUT_EDGES, SENT, UNSENT
from app.orders.states import ORDER_EDGES
from app.payments.states import EDGES, LIVE, UNPAID_ENDS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "architecture.md"
Edges = Mapping[tuple[Any, Any], str]
#: Sets of states that are drawn as one box where an event leaves all of them.
GROUPS = {
    "live": ("a prompt may be on the phone", frozenset(map(str, LIVE))),
    "unpaid": ("ended without money", frozenset(map(str, UNPAID_ENDS))),
}
OUT_GROUPS = {
    "unsent": ("nothing has been sent", frozenset(map(str, UNSENT))),
    "sent": ("it may be at M-Pesa", frozenset(map(str, SENT))),
    "not_paid": ("ended without money", frozenset(map(str, NOT_PAID))),
}


def drawing(edges: Edges, groups: Mapping[str, tuple[str, frozenset[str]]], first: str) -> str:
    """Return a state diagram in Mermaid's language."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for name, (title, members) in groups.items():
        lines += [f'    state "{title}" as {name} {{']
        lines += [f"        {state}" for state in sorted(members)]
        lines += ["    }"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for (event, target), sources in by_event(edges).items():
        for source in boxed(sources, groups):
            arrows.setdefault((source, target), []).append(event)
    lines += [f"    {a} --> {b} : {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join([*lines, "```"])


def table(edges: Edges) -> str:
    """Return the same as a table."""
    rows = [
        f"| `{event}` | {', '.join(sources)} | {target} |"
        for (event, target), sources in by_event(edges).items()
    ]
    return "\n".join(["| event | from | to |", "|---|---|---|", *rows])


def by_event(edges: Edges) -> dict[tuple[str, str], list[str]]:
    """Gather the sources of each event and target, in the order of the code."""
    found: dict[tuple[str, str], list[str]] = {}
    for (source, event), target in edges.items():
        found.setdefault((str(event), str(target)), []).append(str(source))
    return {key: sorted(sources) for key, sources in found.items()}


def boxed(sources: list[str], groups: Mapping[str, tuple[str, frozenset[str]]]) -> list[str]:
    """Replace the members of a group by its box where all of them are there."""
    left, boxes = set(sources), []
    for name, (_, members) in groups.items():
        if members <= left:
            left -= members
            boxes.append(name)
    return [*boxes, *sorted(left)]


def drawn(text: str) -> str:
    """Return a document with what stands between its marks made again."""
    parts = {
        "payment-states": f"{drawing(EDGES, GROUPS, 'created')}\n\n{table(EDGES)}",
        "out-states": (f"{drawing(OUT_EDGES, OUT_GROUPS, 'queued')}\n\n{table(OUT_EDGES)}"),
        "order-states": f"{drawing(ORDER_EDGES, {}, 'pending')}\n\n{table(ORDER_EDGES)}",
    }
    for name, content in parts.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{begin} and {end} are missing")
        text = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(drawn(DOCUMENT.read_text()))
