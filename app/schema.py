"""Whether the database stands where the migrations lead."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.config import ROOT
from app.extensions import db

MIGRATIONS = ROOT / "migrations"


def is_up_to_date() -> bool:
    """Tell whether the database stands at the newest migration."""
    newest = set(ScriptDirectory(str(MIGRATIONS)).get_heads())
    with db.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == newest
