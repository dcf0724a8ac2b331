"""The server inside ``python run.py``: gunicorn with one worker, Socket.IO included.

One worker, because SQLite and the in-process limits and rooms belong to one process. A shop that
outgrows it runs several of these side by side, on PostgreSQL and Redis. Threads by default, of
which a socket holds one for as long as it is open; greenlets where there are many sockets.

A stop lets the requests in hand be answered, also those that wait for Daraja, and ends the
sockets, which would otherwise be waited for as if they were requests.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from app import greenlets
from app.config import Settings
from app.extensions import db, socketio
from app.health import stops_when
from app.jobs import Jobs, QueueAway
from app.monitoring import adopt, configure_logging
from app.patience import PatientWorker, TimedBodies

logger = logging.getLogger(__name__)

REQUEST_THREADS = 64
#: How long a connection may be idle. Greenlets wait for the head of a request by this clock too.
KEEP_ALIVE_SECONDS = {False: 2, True: 6}
#: A stop waits for Daraja's answer to a push, and so much longer for ours to be written.
GRACEFUL_SECONDS = 4
#: How soon a stop is noticed by what has to end because of it.
NOTICE_SECONDS = 0.2
GUNICORN_LOGGER = "gunicorn.error"


class Server(BaseApplication):
    """Serve one Flask application until a signal ends it."""

    def __init__(self, app: Flask, settings: Settings, on_ready: Any) -> None:
        self._app = app
        self._settings = settings
        self._on_ready = on_ready
        super().__init__()

    def load_config(self) -> None:
        sockets = self._settings.max_sockets
        values: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": 1,
            "worker_class": worker_class(),
            "keepalive": KEEP_ALIVE_SECONDS[greenlets.are_in_use()],
            "threads": sockets + REQUEST_THREADS,
            # At gunicorn's default of 1,000 open connections nothing is answered any more.
            "worker_connections": 4 * sockets + 1000,
            "graceful_timeout": math.ceil(self._settings.mpesa_timeout_seconds) + GRACEFUL_SECONDS,
            "timeout": 60,
            "loglevel": "warning",
            "errorlog": "-",
            "accesslog": None,
            "control_socket_disable": True,
            "on_starting": lambda _arbiter: adopt(GUNICORN_LOGGER),
            "when_ready": self._on_ready,
            "pre_fork": self._close_connections,
            "post_worker_init": self._start_jobs,
            "worker_exit": self._stop_jobs,
        }
        for name, value in values.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return TimedBodies(self._app)

    @property
    def _jobs(self) -> Jobs:
        jobs: Jobs = self._app.extensions["lipa_jobs"]
        return jobs

    def _close_connections(self, _arbiter: Any, _worker: Any) -> None:
        """Let no worker inherit a connection of its parent's.

        The parent would keep it open after a worker's death, with the dead worker's transaction
        inside, and the next worker would go on with that.
        """
        with self._app.app_context():
            db.engine.dispose()

    def _start_jobs(self, worker: Any) -> None:
        configure_logging(as_json=self._settings.logs_json)
        threading.excepthook = _quiet_closed_sockets
        stops_when(self._app, lambda: not worker.alive)
        threading.Thread(target=self._leave, args=(worker,), name="leaver", daemon=True).start()
        self._app.extensions["lipa_announcer"].start()
        self._app.extensions["lipa_afterwards"].start()
        if self._settings.embedded_worker:
            self._jobs.start()
        else:
            self._open_queue()

    def _open_queue(self) -> None:
        """Make the tables of the queue that other processes work on, if nobody has."""
        try:
            self._jobs.open()
        except QueueAway as error:
            logger.warning("%s Payments go on; what is due is found by the workers.", error)

    def _leave(self, worker: Any) -> None:
        """Once the worker is told to stop, end what would keep it from stopping.

        gunicorn has a hook for the end of a stop and none for its beginning, so this looks.
        """
        while worker.alive and worker.ppid == os.getppid():
            time.sleep(NOTICE_SECONDS)
        self._jobs.take_no_more()
        close_sockets()

    def _stop_jobs(self, _arbiter: Any, _worker: Any) -> None:
        self._app.extensions["lipa_afterwards"].stop()
        self._jobs.stop()
        self._app.extensions["lipa_announcer"].stop()


def worker_class() -> type[Worker]:
    """Return gunicorn's worker for this process, with limits to what a slow sender may hold."""
    if greenlets.are_in_use():
        from app.green_worker import PatientGreenWorker

        return PatientGreenWorker
    return PatientWorker


def close_sockets() -> None:
    """End every Socket.IO connection the way a bad network does, so that browsers come back.

    Told to close, Socket.IO waits for the other side to agree, and a phone that has left never
    does.
    """
    for environ in list(socketio.server.environ.values()):
        with suppress(OSError):
            environ["gunicorn.socket"].shutdown(socket.SHUT_RDWR)


def _quiet_closed_sockets(args: threading.ExceptHookArgs) -> None:
    # A browser that leaves makes the socket's writer thread fail on a closed descriptor.
    if isinstance(args.exc_value, OSError) and args.exc_value.errno == 9:
        return
    if args.exc_value is not None:
        logging.getLogger("lipa").error(
            "a thread ended unexpectedly",
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
