"""Runs the simulator as a program of its own."""

import os
import signal
import threading
import time
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication

from app.simulator.factory import create_simulator
from app.simulator.settings import SimulatorSettings

THREADS: Final = 128
PARENT_CHECK_SECONDS: Final = 0.5


class _Server(BaseApplication):
    """gunicorn with exactly one worker, because the world lives in that worker's memory."""

    def __init__(self, settings: SimulatorSettings, exit_with_parent: bool) -> None:
        self._settings = settings
        self._exit_with_parent = exit_with_parent
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        options: dict[str, Any] = {
            "bind": f"{host}:{self._settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": 1,
            "keepalive": 5,
            "loglevel": "warning",
            "proc_name": "daraja-simulator",
            "control_socket_disable": True,
            "when_ready": self._when_ready,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_simulator(self._settings)

    def _when_ready(self, arbiter: Any) -> None:
        host, port = arbiter.LISTENERS[0].getsockname()[:2]
        # The one line for whoever started the program, and the only way to learn a free port.
        print(f"Daraja simulator listening on http://{host}:{port}", flush=True)  # noqa: T201
        if self._exit_with_parent:
            threading.Thread(target=_stop_when_orphaned, args=(os.getppid(),), daemon=True).start()


def serve(settings: SimulatorSettings, *, exit_with_parent: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; with `exit_with_parent`, until the parent process is gone.

    Must be called in the main thread; never returns.
    """
    _Server(settings, exit_with_parent).run()


def _stop_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
