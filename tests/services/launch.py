"""What the services have in common: a folder, a free port, a start that is waited for, an end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 30
STOP_SECONDS = 10
POLL_SECONDS = 0.05
LOG_TAIL_CHARACTERS = 2000


class ServiceMissingError(Exception):
    """The program is not installed here; the message says how to install it."""


class ServiceFailedError(Exception):
    """The program is installed and did not start; the message carries the end of its log."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def throw_away_folder(name: str, owner: str | None = None, place: str = "/tmp") -> Iterator[Path]:
    """A folder that only `owner` (by default the caller) may enter, removed at the end.

    It lies in /tmp rather than in pytest's own folder, which another account may
    not enter, and because a Unix socket's path may have no more than about 100 characters.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"lipa-{name}-", dir=place))
    try:
        if owner is not None:
            shutil.chown(folder, user=owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, is_ready: Callable[[], bool], user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` as `user` while the block runs, once `is_ready` says that it answers.

    Raises ServiceFailedError when it ends early or is not ready after START_SECONDS.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=plain_environment(),
            **as_user(user),
        )
    try:
        _wait(process, log, is_ready)
        yield process
    finally:
        _stop(process)


def as_user(user: str | None) -> dict[str, Any]:
    """Arguments for subprocess that give up root for `user`; none when there is no user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def plain_environment() -> dict[str, str]:
    """The caller's PATH and nothing that could point a server at the caller's own data."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _wait(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceFailedError(f"{_describe(process)} ended early: {_tail(log)}")
        if is_ready():
            return
        time.sleep(POLL_SECONDS)
    raise ServiceFailedError(f"{_describe(process)} was not ready: {_tail(log)}")


def _describe(process: subprocess.Popen[bytes]) -> str:
    arguments = process.args
    return str(arguments[0] if isinstance(arguments, list | tuple) else arguments)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    # SIGINT is PostgreSQL's fast shutdown, which does not wait for clients; Redis knows it too.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
