"""A shop's books carried from one database into another: out of its file into PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Integer,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.extensions import db

CHUNK = 2_000


class CannotMove(Exception):
    """Nothing was moved. The message is a sentence for people."""


@dataclass(frozen=True)
class Moved:
    """How many rows of a table have arrived."""

    table: str
    rows: int


def move(source_url: str, target_url: str) -> Iterator[Moved]:
    """Copy every row of one shop's database into another's, whose tables are there and empty.

    All of it arrives or, when something fails, none of it. Nobody can write to the source
    meanwhile, and nothing of it is changed. Raises CannotMove.
    """
    with _reading(source_url) as source, _writing(target_url) as target:
        if _stand(source) != _stand(target):
            raise CannotMove(
                "The database to move is not at the newest migration. Bring it there first, by "
                "`flask prepare` with its own DATABASE_URL."
            )
        tables = _tables()
        full = [table.name for table in tables if _count(target, table)]
        if full:
            raise CannotMove(f"There are rows already where it should go, in {', '.join(full)}.")
        for table in tables:
            yield Moved(table.name, _copy(table, source, target))


def _tables() -> list[Table]:
    """Return every table, those that others refer to first."""
    plain = MetaData()
    for table in db.metadata.sorted_tables:
        for column in table.to_metadata(plain).columns:
            if isinstance(column.type, JSON):
                # Nothing stays nothing, and does not become JSON's word for it.
                column.type = JSON(none_as_null=True)
    return plain.sorted_tables


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    with _connected(url) as connection:
        if connection.dialect.name == "sqlite":
            try:
                # Holds off whoever would write, after waiting for whoever does.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except DBAPIError as error:
                raise CannotMove("Somebody writes to the database. Stop the shop.") from error
        else:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection
        connection.rollback()


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    with _connected(url) as connection:
        try:
            yield connection
            connection.commit()
        except DBAPIError as error:
            why = str(error.orig).strip().partition("\n")[0]
            raise CannotMove(f"The database does not take a row: {why}") from error


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise CannotMove(f"There is no file {parsed.database}.")
        engine = create_engine(parsed)
        connection = engine.connect()
    except (ArgumentError, DBAPIError) as error:
        raise CannotMove(f"A database cannot be opened ({type(error).__name__}).") from error
    try:
        yield connection
    finally:
        connection.close()
        engine.dispose()


def _stand(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _copy(table: Table, source: Connection, target: Connection) -> int:
    rows = source.execution_options(yield_per=CHUNK).execute(select(table)).mappings()
    for part in rows.partitions(CHUNK):
        target.execute(insert(table), [dict(row) for row in part])
    _count_on(table, target)
    sent, arrived = _count(source, table), _count(target, table)
    if sent != arrived:
        raise CannotMove(f"Of {sent} rows of {table.name} {arrived} arrived.")
    return arrived


def _count_on(table: Table, target: Connection) -> None:
    """Have PostgreSQL count on from the numbers that came along."""
    keys = list(table.primary_key)
    if target.dialect.name != "postgresql" or not isinstance(keys[0].type, BigInteger | Integer):
        return
    sequence = target.scalar(
        text("SELECT pg_get_serial_sequence(:table, :key)"),
        {"table": table.name, "key": keys[0].name},
    )
    last = target.scalar(select(func.max(keys[0])))
    if sequence and last is not None:
        target.execute(
            text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last}
        )
