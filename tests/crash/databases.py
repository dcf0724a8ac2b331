"""On which database a death is died: on SQLite every one, on PostgreSQL those that differ there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

SHOP = "till"
sqlite_only = pytest.mark.parametrize(SHOP, ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize(SHOP, ["postgresql"], indirect=True)


def on_both(
    names: str | tuple[str, ...], sqlite: Sequence[object], *, postgresql: Sequence[object]
) -> pytest.MarkDecorator:
    """Run a test with each of ``sqlite`` there, and with each of ``postgresql`` there.

    What happens on the wire or between two commits does not know the database, so that the
    second list names what a commit is part of.
    """
    arguments = (names,) if isinstance(names, str) else names
    rows = [("sqlite", *_tuple(value)) for value in sqlite]
    rows += [("postgresql", *_tuple(value)) for value in postgresql]
    return pytest.mark.parametrize((SHOP, *arguments), rows, indirect=[SHOP])


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
