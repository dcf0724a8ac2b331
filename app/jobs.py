"""The background engine: Huey wakes, the database says what is due.

The same tasks run on three queues: Redis where REDIS_URL is set, else the shop's own PostgreSQL,
else a file beside the SQLite database. Tasks carry ids only and claim their work in the database,
so one that is lost, late or given twice does no harm. The sweep does not travel by the queue: it
finds what is due even while the queue is away.
"""

from __future__ import annotations

import hashlib
import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask, current_app
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.consumer import Consumer
from huey.serializer import SignedSerializer
from huey.storage import BaseSqlStorage, PostgresStorage, RedisStorage, SqliteStorage
from redis import ConnectionPool, RedisError
from sqlalchemy.engine import URL, make_url

from app.alerts.watch import sweep as watch
from app.config import Settings
from app.disbursements import claim_status, receipt_status
from app.disbursements import engine as money_out
from app.disbursements.signals import turn_wanted
from app.extensions import db
from app.payments.claims.signals import claim_due
from app.payments.engine import ask, look, sweep
from app.payments.repeating import ask_again
from app.payments.signals import check_wanted, payment_watched, repeat_wanted
from app.reconciliation import reading
from app.reconciliation.signals import work_wanted

logger = logging.getLogger(__name__)

WORKERS = 4
#: How often everything that is due is looked for, whatever the queue has lost.
SWEEP_SECONDS = 60
#: How long work in hand may go on when the engine is told to stop. A sweep finds what is cut off.
STOP_SECONDS = 4
#: With so many tasks waiting nobody takes any, and more of them would only fill the store.
MOST_WAITING = 10_000
#: The queue's tables stand in a schema of their own, where no migration looks for ours.
POSTGRES_SCHEMA = "lipa_queue"
#: Any number that no other part of the program locks by.
_SCHEMA_LOCK = 5_472_001
#: A payment waits no longer than this for a store that is frozen; one that is gone says so at once.
_STORE_SECONDS = 0.8
#: How long a worker waits inside the store for a task: less than that, so that silence is no fault.
_TASK_WAIT_SECONDS = 0.4
_COMPLAINT_PAUSE_SECONDS = 60


class QueueAway(Exception):
    """The queue does not answer. The message is a sentence for people."""


def make_queue(settings: Settings, file: Path, secret: str) -> Huey:
    """Return the queue that these settings ask for. Messages are signed with the secret.

    Nothing is connected or written yet: a shop must start while its queue is away.
    """
    url = make_url(settings.sqlalchemy_url)
    options: dict[str, Any] = {
        "results": False,
        "utc": True,
        # Huey reads pickles: only what we signed may be read.
        "serializer": SignedSerializer(secret=secret),
    }
    if settings.redis_url:
        pool = ConnectionPool.from_url(settings.redis_url, **redis_options())
        options |= {"connection_pool": pool, "read_timeout": _TASK_WAIT_SECONDS}
        return RedisHuey(_name_in_redis(url), **options)
    options["create_tables"] = False
    if url.get_backend_name() == "postgresql":
        options |= {"connection": _connector(url), "read_timeout": _TASK_WAIT_SECONDS}
        return PostgresHuey("lipa", storage_class=_OwnSchema, **options)
    # The file may vanish without loss, so nobody waits for the disk, nor long for a lock.
    return SqliteHuey("lipa", filename=str(file), fsync=False, timeout=1, **options)


def redis_options() -> dict[str, Any]:
    """Return how long a client of Redis waits, in seconds, and that it does not try again."""
    return {"socket_timeout": _STORE_SECONDS, "socket_connect_timeout": _STORE_SECONDS}


def place_of(queue: Huey) -> str:
    """Say where a queue is, without any password."""
    storage = queue.storage
    if isinstance(storage, SqliteStorage):
        return str(storage.filename)
    if isinstance(storage, RedisStorage):
        where = storage.pool.connection_kwargs
        server = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
        return f"Redis at {server}"
    return "the shop's PostgreSQL"


class Jobs:
    """The tasks of one application, and the threads that do them."""

    def __init__(self, app: Flask, queue: Huey) -> None:
        self._app = app
        self._queue = queue
        self._consumer: Consumer | None = None
        self._sweeper: threading.Thread | None = None
        self._ending = threading.Event()
        self._is_open = False
        self._ask = queue.task(name="ask")(self._in_context(ask))
        self._look = queue.task(name="look")(self._in_context(look))
        self._ask_again = queue.task(name="ask_again")(self._in_context(ask_again))
        self._check_claim = queue.task(name="check_claim")(self._in_context(claim_status.check))
        self._take_turn = queue.task(name="take_turn")(self._in_context(money_out.take_turn))
        self._read_statement = queue.task(name="read_statement")(self._in_context(reading.work))
        # The signal holds us weakly; the application's extensions keep us.
        check_wanted.connect(self.wake)
        payment_watched.connect(self.watch)
        repeat_wanted.connect(self.repeat)
        claim_due.connect(self.check_claim)
        turn_wanted.connect(self.take_turn)
        work_wanted.connect(self.read_statement)

    @property
    def place(self) -> str:
        """Where the queue is, in words."""
        return place_of(self._queue)

    def depth(self) -> int | None:
        """Return how many tasks wait, or None while the queue is not open or does not answer."""
        if not self._is_open:
            return None
        try:
            return int(self._queue.pending_count())
        except Exception as error:
            logger.warning("the queue did not say how much waits (%s)", type(error).__name__)
            return None

    def wake(self, _sender: Any, *, payment_id: int, at: datetime) -> None:
        """Have a payment asked about at a moment. Losing this call costs one sweep at most."""
        self._enqueue(
            f"payment {payment_id}", lambda: self._ask.schedule(args=(payment_id,), eta=at)
        )

    def watch(self, _sender: Any, *, payment_id: int) -> None:
        """Have a payment that somebody watches asked about now. Losing this call does no harm."""
        self._enqueue(f"payment {payment_id}", lambda: self._look(payment_id))

    def repeat(self, _sender: Any, *, payment_id: int, at: datetime) -> None:
        """Have a prompt sent once more at a moment. Losing this call costs one sweep at most."""
        work = partial(self._ask_again.schedule, args=(payment_id,), eta=at)
        self._enqueue(f"payment {payment_id}", work)

    def check_claim(self, _sender: Any, *, claim_id: int, at: datetime) -> None:
        """Have a claimed code looked at at a moment. Losing this call costs one sweep at most."""
        work = partial(self._check_claim.schedule, args=(claim_id,), eta=at)
        self._enqueue(f"claim {claim_id}", work)

    def take_turn(self, _sender: Any, *, disbursement_id: int, at: datetime) -> None:
        """Have money out looked at at a moment. Losing this call costs one sweep at most."""
        work = partial(self._take_turn.schedule, args=(disbursement_id,), eta=at)
        self._enqueue(f"money out {disbursement_id}", work)

    def read_statement(self, _sender: Any, *, statement_id: int) -> None:
        """Have a statement read or compared. Losing this call costs one sweep at most."""
        self._enqueue(f"statement {statement_id}", lambda: self._read_statement(statement_id))

    def _enqueue(self, what: str, task: Callable[[], object]) -> None:
        if current_app != self._app:
            return  # Signals are the whole process's, and another application's news is not ours.
        try:
            if self._queue.pending_count() >= MOST_WAITING:
                logger.warning("nobody takes tasks: does `flask worker` run? The sweep finds them")
                return
            task()
        except Exception as error:
            logger.warning(
                "the queue did not take %s (%s); the sweep will",
                what,
                type(error).__name__,
            )

    def open(self) -> None:
        """Speak to the queue once, making its tables where it has some. Raises QueueAway."""
        storage = self._queue.storage
        with self._saying_who_is_away():
            if isinstance(storage, BaseSqlStorage):
                storage.initialize_schema()
        self.ask_after()
        self._is_open = True

    def ask_after(self) -> None:
        """Hear from a queue that somebody has opened. Raises QueueAway."""
        with self._saying_who_is_away():
            self._queue.storage.queue_size()
            self._queue.storage.close()

    @contextmanager
    def _saying_who_is_away(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, psycopg.Error, sqlite3.Error, OSError) as error:
            why = type(error).__name__
            raise QueueAway(f"The queue in {self.place} does not answer ({why}).") from error

    def start(self, threads: int = WORKERS) -> None:
        """Do the background's work in threads of this process. The first sweep is at once."""
        for name in ("Worker", "Scheduler"):
            logging.getLogger(f"huey.consumer.{name}").addFilter(_complain_seldom)
        self._ending.clear()
        self._opened()
        self._consumer = _Consumer(
            self._queue,
            workers=threads,
            periodic=False,
            shutdown_timeout=STOP_SECONDS,
            # A file is looked into again after so long; the others tell us, and wait after errors.
            max_delay=1.0,
        )
        self._consumer.start()
        self._sweeper = threading.Thread(target=self._patrol, name="sweeper", daemon=True)
        self._sweeper.start()
        self._app.extensions["lipa_courier"].start()

    def take_no_more(self) -> None:
        """Begin nothing new; whatever is being done goes on. Returns at once."""
        self._ending.set()
        self._app.extensions["lipa_courier"].take_no_more()
        if self._consumer is not None:
            self._consumer.stop(graceful=False)

    def stop(self) -> None:
        """Begin nothing new, and wait up to STOP_SECONDS for what is being done.

        What has not ended by then is cut off with the process, as by a kill: a sweep finds it.
        """
        deadline = time.monotonic() + STOP_SECONDS
        self.take_no_more()
        if self._consumer is not None:
            self._consumer.stop(graceful=True)
        if self._sweeper is not None:
            self._sweeper.join(max(0.0, deadline - time.monotonic()))
        self._app.extensions["lipa_courier"].stop(max(0.0, deadline - time.monotonic()))
        self._consumer = self._sweeper = None

    def run(self, threads: int = WORKERS) -> None:
        """Do the background's work until SIGTERM or Ctrl-C, in a program that does only this."""
        told = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        self.start(threads)
        told.wait()
        self.stop()

    def _patrol(self) -> None:
        """Sweep now and each SWEEP_SECONDS, and see to it that the others are alive."""
        works = (
            sweep,
            money_out.sweep,
            receipt_status.sweep,
            claim_status.sweep,
            reading.sweep,
            watch,
        )
        sweeps = [self._in_context(work) for work in works]
        is_open = False
        while not self._ending.is_set():
            is_open = is_open or self._opened()
            for sweep_all in sweeps:
                sweep_all()
            if self._consumer is not None and not self._ending.wait(SWEEP_SECONDS):
                self._consumer.check_worker_health()

    def _opened(self) -> bool:
        try:
            self.open()
        except QueueAway as error:
            logger.warning("%s Until it does, the sweep finds what is due.", error)
            return False
        return True

    def _in_context(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def task(*args: Any) -> None:
            with self._app.app_context():
                try:
                    work(*args)
                except Exception:
                    logger.exception("a background task failed; the sweep comes back to it")
                finally:
                    db.session.remove()

        task.__name__ = work.__name__
        return task


class _Consumer(Consumer):
    """Huey's consumer without its signal handlers: whoever starts it owns the signals."""

    def _set_signal_handlers(self) -> None:
        return None


class _OwnSchema(PostgresStorage):
    """Huey's tables in POSTGRES_SCHEMA, which several processes may make at the same moment."""

    def initialize_schema(self) -> None:
        with self.db(commit=True, close=True) as cursor:
            # "if not exists" still fails for the second of two who make a table at once.
            cursor.execute(f"select pg_advisory_xact_lock({_SCHEMA_LOCK})")
            cursor.execute(f"create schema if not exists {POSTGRES_SCHEMA}")
            for statement in self.ddl:
                cursor.execute(statement)


def _connector(url: URL) -> Callable[[], psycopg.Connection[Any]]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(address, autocommit=True, connect_timeout=2)
        connection.execute(f"set search_path to {POSTGRES_SCHEMA}")
        return connection

    return connect


def _name_in_redis(url: URL) -> str:
    # Two shops that share a Redis must not take each other's tasks.
    place = f"{url.host}:{url.port}/{url.database}"
    return f"lipa{hashlib.sha256(place.encode()).hexdigest()[:12]}"


class _Seldom(logging.Filter):
    """Lets the same complaint through once in a while: a queue that is away for an hour is one
    fact, and each thread would tell it each second with a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is None or record.exc_info[1] is None or record.args:
            return True
        last = self._told.get(record.msg)
        if last is not None and time.monotonic() - last < _COMPLAINT_PAUSE_SECONDS:
            return False
        self._told[record.msg] = time.monotonic()
        record.msg, record.args = "%s (%s)", (record.msg, type(record.exc_info[1]).__name__)
        record.exc_info = None
        return True


_complain_seldom = _Seldom()
