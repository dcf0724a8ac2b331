"""Idempotency-Key: a request that is repeated hears its first answer, and is done once.

A key is written down before its request is carried out. Whoever begins something that must not
begin twice binds it to the key in the same transaction; when the process dies before the answer
is kept, a repetition learns from ``subject()`` what exists already and goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    JSON,
    ColumnElement,
    LargeBinary,
    String,
    UniqueConstraint,
    and_,
    delete,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.errors import Busy, Conflict, IdempotencyMismatch
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.extensions import Model

logger = logging.getLogger(__name__)

#: A request that has not answered after so long is taken for dead, and a repetition goes on with
#: it. One that only slept wakes up shut out: it can bind and keep nothing any more.
LEASE_SECONDS = 120
#: Answers are promised for a day, and kept for two.
KEPT_HOURS = 48
PRUNE_BATCH = 500
_RETRY_AFTER_SECONDS = 1
_BEGIN_TRIES = 3
#: Who signs in, is let in, waits or comes back when we are well again shall get through.
_WORTH_REPEATING = frozenset({401, 403, 429, 500, 503})


class State(StrEnum):
    RUNNING = "running"
    #: It ended without an answer worth keeping, and something had begun: a repetition goes on.
    INTERRUPTED = "interrupted"
    DONE = "done"


class IdempotencyKey(Model):
    """One caller's key, the request it stands for, and the answer once there is one.

    ``fingerprint`` is a SHA-256 in hex, ``subject`` names what was begun, such as
    ``payment:123``. ``started_at`` is when the present run began; it also tells that run apart
    from an earlier one. ``status``, ``headers`` and ``body`` say nothing until the state is done.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("caller", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    caller: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=State.RUNNING)
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    body: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    subject: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it was first given."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_worth_repeating(self) -> bool:
        """Tell whether a repetition may fare better, so that it must not hear this again."""
        invited = self.status >= 400 and "Retry-After" in self.headers
        return invited or self.status in _WORTH_REPEATING


@dataclass(frozen=True)
class Run:
    """The right to carry a request out. ``subject`` is what an earlier run had begun."""

    id: int
    started_at: datetime
    subject: str | None


_present: ContextVar[Run | None] = ContextVar("idempotent_run", default=None)


# What the services call.


def subject() -> str | None:
    """Return what an earlier, interrupted run of this very request had begun.

    None outside a keyed request and on a first run. What this run binds itself is not told.
    """
    run = _present.get()
    return run.subject if run else None


def bind(session: Session, subject: str) -> None:
    """Say in the transaction that begins something what it is (at most 64 characters).

    Does nothing outside a keyed request. Raises Conflict when a repetition has taken this request
    over in the meantime, so that the transaction leaves nothing behind.
    """
    run = _present.get()
    if run is None:
        return
    statement = update(IdempotencyKey).where(_is_present(run)).values(subject=subject)
    if not rows_changed(session, statement):
        raise _still_running()


# What the door calls.


def begin(caller: str, key: str, fingerprint: str) -> Run | Answer:
    """Write a key down before its request is carried out, or return the answer it had.

    Raises IdempotencyMismatch when the key stands for another request, and Conflict while the
    first one is still running.
    """
    for _ in range(_BEGIN_TRIES):
        with transaction() as session:
            turn = _turn(session, caller, key, fingerprint)
        if turn is not None:
            return turn
    raise _still_running()


@contextmanager
def running(run: Run) -> Iterator[None]:
    """Let ``bind`` and ``subject`` speak of this run."""
    mark = _present.set(run)
    try:
        yield
    finally:
        _present.reset(mark)


def end(run: Run, answer: Answer, *, nothing_sent: bool) -> None:
    """Keep the answer, or give the key back when a repetition should be carried out.

    ``nothing_sent`` says that what this run has bound came to nothing, for certain. A database
    that fails is logged and not raised: money may be on its way, and the caller must hear of it.
    """
    try:
        with transaction() as session:
            if answer.is_worth_repeating:
                _release(session, run, nothing_sent)
            else:
                _keep(session, run, answer)
    except (SQLAlchemyError, Busy) as error:
        # The key stays as running; after the lease a repetition finds what was bound.
        logger.error("the answer to a keyed request was not kept: %s", type(error).__name__)


def prune(limit: int = PRUNE_BATCH) -> int:
    """Remove at most ``limit`` keys whose time is over, oldest first. Returns how many."""
    over = now() - timedelta(hours=KEPT_HOURS)
    oldest = (
        select(IdempotencyKey.id)
        .where(IdempotencyKey.started_at < over)
        .order_by(IdempotencyKey.started_at)
        .limit(limit)
    )
    with transaction() as session:
        return rows_changed(session, delete(IdempotencyKey).where(IdempotencyKey.id.in_(oldest)))


def _turn(session: Session, caller: str, key: str, fingerprint: str) -> Run | Answer | None:
    started_at = now()
    values = {"caller": caller, "key": key, "fingerprint": fingerprint, "started_at": started_at}
    new_id = insert_or_nothing(session, IdempotencyKey, values, ["caller", "key"])
    if new_id is not None:
        return Run(new_id, started_at, None)
    known = session.scalar(
        select(IdempotencyKey).where(IdempotencyKey.caller == caller, IdempotencyKey.key == key)
    )
    # None: it was given back between our two statements, and the next try begins it.
    return _repetition(session, known, fingerprint, started_at) if known else None


def _repetition(
    session: Session, known: IdempotencyKey, fingerprint: str, started_at: datetime
) -> Run | Answer:
    if known.fingerprint != fingerprint:
        raise IdempotencyMismatch
    if known.state == State.DONE:
        return Answer(known.status, known.headers, known.body)
    lease_began = started_at - timedelta(seconds=LEASE_SECONDS)
    if known.state == State.RUNNING and known.started_at > lease_began:
        raise _still_running()
    return _take_over(session, known, started_at)


def _take_over(session: Session, known: IdempotencyKey, started_at: datetime) -> Run:
    """Go on with a run that died. Of several repetitions one gets it; the others raise Conflict."""
    statement = (
        update(IdempotencyKey)
        .where(
            IdempotencyKey.id == known.id,
            IdempotencyKey.state == known.state,
            IdempotencyKey.started_at == known.started_at,
        )
        .values(state=State.RUNNING, started_at=started_at)
        # The row as it is now: the run taken for dead may have bound something since we read it.
        .returning(IdempotencyKey.subject)
        .execution_options(synchronize_session=False)
    )
    won = session.execute(statement).one_or_none()
    if won is None:
        raise _still_running()
    return Run(known.id, started_at, won.subject)


def _keep(session: Session, run: Run, answer: Answer) -> None:
    statement = (
        update(IdempotencyKey)
        .where(_is_present(run))
        .values(
            state=State.DONE,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            finished_at=now(),
        )
    )
    rows_changed(session, statement)


def _release(session: Session, run: Run, nothing_sent: bool) -> None:
    mine = _is_present(run)
    nothing_bound = and_(mine, IdempotencyKey.subject.is_(None))
    # What an earlier run has bound is not this run's to forget.
    forgotten = mine if nothing_sent and run.subject is None else nothing_bound
    if not rows_changed(session, delete(IdempotencyKey).where(forgotten)):
        rows_changed(session, update(IdempotencyKey).where(mine).values(state=State.INTERRUPTED))


def _is_present(run: Run) -> ColumnElement[bool]:
    """Hold for the run's row, as long as no repetition has taken it over."""
    return and_(
        IdempotencyKey.id == run.id,
        IdempotencyKey.state == State.RUNNING,
        IdempotencyKey.started_at == run.started_at,
    )


def _still_running() -> Conflict:
    return Conflict(
        marked(
            "A request with this Idempotency-Key is still being carried out. "
            "Repeat it in a moment to hear its answer; it is not carried out twice."
        ),
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
