"""One way to write: ``with transaction():`` commits at its end or leaves nothing behind.

Writes outside such a block are refused, so that a reader sees from the call where a
transaction ends. What is announced waits in ``after_commit`` until the commit has happened.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.errors import Busy
from app.extensions import db

logger = logging.getLogger(__name__)

WRITER_WAIT_SECONDS = 10
_hooks: ContextVar[list[Callable[[], object]] | None] = ContextVar(
    "after_commit_hooks", default=None
)
_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)
# SQLite lets one writer in at a time, and its own waiting is a sleep without a queue. A lock in
# the process gives a fair queue and a short tail.
_sqlite_writer = threading.Lock()


@contextmanager
def transaction() -> Iterator[Session]:
    """Open the one write transaction of this moment.

    Ends any read that was open, so that what follows sees the newest data. Commits when the
    block ends, rolls back when it raises. Raises Busy when SQLite's writer is not free within
    WRITER_WAIT_SECONDS, and RuntimeError when transactions are nested.
    """
    if _hooks.get() is not None:
        raise RuntimeError("transactions do not nest: let the caller own the transaction")
    session = db.session()
    if _rehearsing.get():
        with _rehearsed(session):
            yield session
        return
    session.commit()
    with _one_sqlite_writer():
        hooks: list[Callable[[], object]] = []
        mark = _hooks.set(hooks)
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            _hooks.reset(mark)
    for hook in hooks:
        _run_hook(hook)


@contextmanager
def rehearsal() -> Iterator[Session]:
    """Do what the block does, and then undo all of it: nothing is committed or announced.

    Transactions inside see each other's writes. This is how a dry run asks today's code what it
    would do, without a second copy of that code.
    """
    session = db.session()
    session.commit()
    with _one_sqlite_writer():
        mark = _rehearsing.set(True)
        try:
            yield session
        finally:
            _rehearsing.reset(mark)
            session.rollback()


@contextmanager
def _rehearsed(session: Session) -> Iterator[None]:
    mark = _hooks.set([])
    try:
        with session.begin_nested():
            yield
    finally:
        _hooks.reset(mark)


def after_commit(hook: Callable[[], object]) -> None:
    """Do something once the open transaction has been committed; never if it is rolled back."""
    hooks = _hooks.get()
    if hooks is None:
        raise RuntimeError("after_commit needs an open transaction")
    hooks.append(hook)


def end_reads() -> None:
    """Give the connection back before a slow call to the outside world.

    Raises RuntimeError inside a transaction: calling out while holding one is how a slow
    provider stops a whole shop.
    """
    if _hooks.get() is not None or _rehearsing.get():
        raise RuntimeError("never call out inside a transaction")
    if db.session.registry.has():
        db.session().commit()


def let_go(_error: BaseException | None = None) -> None:
    """End a request's session, also when its connection is lost and can end nothing any more.

    Whatever was written is committed by then. That an open read could not be ended is no reason
    to take the answer back.
    """
    try:
        db.session.remove()
    except SQLAlchemyError as error:
        db.session.registry.clear()
        logger.warning("a connection was lost behind an answer (%s)", type(error).__name__)


def watch(engine: Engine) -> None:
    """Install SQLite's pragmas and its way to begin on a new engine."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _refuse_stray_writes(session: Session, *_: object) -> None:
    if _hooks.get() is None and (session.new or session.dirty or session.deleted):
        raise RuntimeError("writes belong inside `with transaction():`")


event.listen(Session, "before_flush", _refuse_stray_writes)


@contextmanager
def _one_sqlite_writer() -> Iterator[None]:
    if db.engine.dialect.name != "sqlite":
        yield
        return
    if not _sqlite_writer.acquire(timeout=WRITER_WAIT_SECONDS):
        raise Busy
    try:
        yield
    finally:
        _sqlite_writer.release()


def _run_hook(hook: Callable[[], object]) -> None:
    # The change is committed: a failed announcement may be logged, never undo or hide it.
    try:
        hook()
    except Exception:
        logger.exception("an announcement after commit failed")


def _prepare_sqlite(connection, _record) -> None:  # type: ignore[no-untyped-def]
    # The driver's own BEGIN comes too late to take the write lock; _begin_sqlite sends ours.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=5000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: upgrading a read halfway through is
    # what SQLite refuses with "database is locked" without waiting.
    writing = _hooks.get() is not None or _rehearsing.get()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
