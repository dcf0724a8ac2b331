"""Whether the database stands where the migrations lead."""

from __future__ import annotations

from functools import cache

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.config import ROOT
from app.extensions import db

MIGRATIONS = ROOT / "migrations"


def is_up_to_date() -> bool:
    """Tell whether the database stands at the newest migration."""
    return _current() == set(ScriptDirectory(str(MIGRATIONS)).get_heads())


def is_behind() -> bool:
    """Tell whether the database lacks a migration that this process's program knows.

    One that is ahead of it is not behind: while a shop's processes are brought up to date one by
    one, those of yesterday work on what `flask prepare` has already changed.
    """
    newest, known = _known_at_start()
    current = _current()
    return current != newest and current <= known


def _current() -> set[str]:
    with db.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


@cache
def _known_at_start() -> tuple[frozenset[str], frozenset[str]]:
    """Return the newest migration, and all of them, as this process found them once."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return frozenset(scripts.get_heads()), known
