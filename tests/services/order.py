"""In which order files are begun: those that mostly wait come first, and nobody waits for the last.

Files are given to workers whole, in the order in which they stand (``--no-loadscope-reorder``).
"""

from __future__ import annotations

import pytest

#: Servers, browsers and clocks are waited for here; the rooms after them keep processors busy.
_WAITING = ("cluster", "scripts", "browser", "journeys", "crash", "tooling", "documents")


def put_in_order(items: list[pytest.Item]) -> None:
    """Sort tests by their folder; within one they stay as they are."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.nodeid.removeprefix("tests/").partition("/")[0]
    return _WAITING.index(folder) if folder in _WAITING else len(_WAITING)
