"""The server inside ``python run.py``: gunicorn with one threaded worker, Socket.IO included.

One worker, because SQLite and the in-process limits and rooms belong to one process. Threads,
because a socket holds one for as long as it is open.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from app.config import Settings
from app.jobs import Jobs
from app.monitoring import configure_logging

REQUEST_THREADS = 64
#: Sockets that stay open must not keep a stop waiting.
GRACEFUL_SECONDS = 3


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
            "worker_class": "gthread",
            "threads": sockets + REQUEST_THREADS,
            # At gunicorn's default of 1,000 open connections nothing is answered any more.
            "worker_connections": 4 * sockets + 1000,
            "graceful_timeout": GRACEFUL_SECONDS,
            "timeout": 60,
            "loglevel": "warning",
            "errorlog": "-",
            "accesslog": None,
            "control_socket_disable": True,
            "when_ready": self._on_ready,
            "post_worker_init": self._start_jobs,
            "worker_exit": self._stop_jobs,
        }
        for name, value in values.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    @property
    def _jobs(self) -> Jobs:
        jobs: Jobs = self._app.extensions["lipa_jobs"]
        return jobs

    def _start_jobs(self, _worker: Any) -> None:
        configure_logging()
        threading.excepthook = _quiet_closed_sockets
        self._jobs.start()

    def _stop_jobs(self, _arbiter: Any, _worker: Any) -> None:
        self._jobs.stop()


def _quiet_closed_sockets(args: threading.ExceptHookArgs) -> None:
    # A browser that leaves makes the socket's writer thread fail on a closed descriptor.
    if isinstance(args.exc_value, OSError) and args.exc_value.errno == 9:
        return
    if args.exc_value is not None:
        logging.getLogger("lipa").error(
            "a thread ended unexpectedly",
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
