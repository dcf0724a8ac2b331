"""How Alembic meets the application: its engine, its tables, batch mode for SQLite."""

from __future__ import annotations

from typing import Literal

from alembic import context

from app.core.columns import UtcDateTime
from app.extensions import db


def _render(kind: str, item: object, _autogen: object) -> str | Literal[False]:
    # A migration must not depend on the application's classes, which change after it.
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False


def run() -> None:
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            render_item=_render,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("Migrations are run against a database, not written out as SQL.")
run()
