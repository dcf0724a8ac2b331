"""The background engine: Huey wakes, the database says what is due.

Embedded in the server by default (a file beside the database, or Redis with REDIS_URL). Tasks
carry ids only and claim their work in the database, so one that is lost, late or given twice
does no harm: the next sweep finds what is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from huey import Huey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

from app.config import Settings
from app.extensions import db
from app.payments.engine import ask, sweep
from app.payments.signals import check_wanted

logger = logging.getLogger(__name__)

WORKERS = 4


def make_queue(settings: Settings, file: Path, secret: str) -> Huey:
    """Return the queue that these settings ask for. Messages are signed with the secret."""
    options: dict[str, Any] = {
        "results": False,
        "utc": True,
        # Huey reads pickles: only what we signed may be read.
        "serializer": SignedSerializer(secret=secret),
    }
    if settings.redis_url:
        return RedisHuey("lipa", url=settings.redis_url, **options)
    return SqliteHuey("lipa", filename=str(file), fsync=False, **options)


class Jobs:
    """The tasks of one application, and the consumer that runs them."""

    def __init__(self, app: Flask, queue: Huey) -> None:
        self._app = app
        self._queue = queue
        self._consumer: Consumer | None = None
        self._ask = queue.task(name="ask")(self._in_context(ask))
        queue.periodic_task(crontab(minute="*"), name="sweep")(self._in_context(sweep))
        # Huey keeps no reference that a signal could lean on, so the bound method is kept here.
        check_wanted.connect(self.wake)

    def wake(self, _sender: Any, *, payment_id: int, at: datetime) -> None:
        """Have a payment asked about at a moment. Losing this call costs one sweep at most."""
        try:
            self._ask.schedule(args=(payment_id,), eta=at)
        except Exception:
            logger.exception("the queue did not take payment %s; the sweep will", payment_id)

    def start(self) -> None:
        """Run the consumer in this process, beside the server."""
        self._consumer = _EmbeddedConsumer(
            self._queue, workers=WORKERS, check_worker_health=False, max_delay=1.0
        )
        self._consumer.start()

    def stop(self) -> None:
        """Stop taking tasks; one that is running may finish its transaction."""
        if self._consumer is not None:
            self._consumer.stop(graceful=False)
            self._consumer = None

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


class _EmbeddedConsumer(Consumer):
    """Huey's consumer without its signal handlers: the server owns the signals."""

    def _set_signal_handlers(self) -> None:
        return None
