"""A whole shop of one's own: `python run.py` with its simulator, its own database and ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import requests
from cryptography.fernet import Fernet

from tests.services.launch import (
    ServiceFailedError,
    free_port,
    plain_environment,
    throw_away_folder,
)

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "admin@example.com"
SHOPPER = "shopper@example.com"
START_SECONDS = 60
STOP_SECONDS = 15
COMMAND_SECONDS = 60
POLL_SECONDS = 0.1
LOG_TAIL_CHARACTERS = 4000
ROOM_BYTES = 2**30


class LiveShop:
    """A server and its simulator as a shopkeeper runs them, in a folder that is thrown away.

    `env` is the whole environment of every process that it starts; a test may change it
    between `stop` and `start`. Ports, database and log stay the same over a restart.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self.log = folder / "shop.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The shop's root, without a slash at its end."""
        return f"http://127.0.0.1:{self.env['PORT']}"

    @property
    def simulator_url(self) -> str:
        """The root of the simulated Daraja, without a slash at its end."""
        return f"http://127.0.0.1:{self.env['SIMULATOR_PORT']}"

    @property
    def password(self) -> str:
        """The password of ADMIN and of SHOPPER."""
        return self.env["DEMO_PASSWORD"]

    def prepare(self) -> None:
        """Make the database and the demo shop. Raises ServiceFailedError when it cannot."""
        done = self.flask("prepare")
        if done.returncode != 0:
            raise ServiceFailedError(f"flask prepare failed: {done.stderr[-LOG_TAIL_CHARACTERS:]}")

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a flask command with this shop's settings; its output is captured as text."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def start(self) -> None:
        """Start the server and wait until it and its simulator answer.

        Raises ServiceFailedError, with the end of the log, when they do not.
        """
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "run.py"],
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that whatever is left of it can be ended by one signal.
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it as `kill` without -9 does, and wait; nothing happens when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise ServiceFailedError(f"did not end in {STOP_SECONDS} s: {self._tail()}") from late
        finally:
            _kill_group(process)

    def kill(self) -> None:
        """End server and simulator at once, as a power cut does; the simulator's world is lost."""
        process, self._process = self._process, None
        if process is not None:
            _kill_group(process)

    def log_text(self) -> str:
        """Everything that the server and its simulator have said so far."""
        return self.log.read_text(errors="replace")

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        wanted = [f"{self.base_url}/api/health"]
        if "MPESA_BASE_URL" not in self.env and self.env["MPESA_ENVIRONMENT"] == "simulator":
            wanted.append(f"{self.simulator_url}/simulator/api/health")
        deadline = time.monotonic() + START_SECONDS
        while not all(_is_well(url) for url in wanted):
            if process.poll() is not None:
                raise ServiceFailedError(f"run.py ended early: {self._tail()}")
            if time.monotonic() > deadline:
                raise ServiceFailedError(f"run.py was not ready: {self._tail()}")
            time.sleep(POLL_SECONDS)

    def _tail(self) -> str:
        return self.log_text()[-LOG_TAIL_CHARACTERS:]


@contextmanager
def live_shop(
    *,
    stk_prompt_seconds: int = 60,
    database_url: str | None = None,
    extra_env: Mapping[str, str] | None = None,
) -> Iterator[LiveShop]:
    """Run a shop with a filled demo shelf while the block runs.

    `database_url` is that of an empty database, by default SQLite in the shop's folder.
    `extra_env` are settings by their names in the environment and come before all others.
    """
    with throw_away_folder("shop", place=_place()) as folder:
        settings = {
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'lipa.db'}",
            # There is none: the settings of whoever runs the tests are not a test's.
            "LIPA_ENV_FILE": str(folder / ".env"),
            "STK_PROMPT_SECONDS": str(stk_prompt_seconds),
        }
        shop = LiveShop(folder, _environment() | settings | dict(extra_env or {}))
        _prepare(shop)
        shop.start()
        try:
            yield shop
        finally:
            shop.stop()


def _place() -> str:
    """Where a shop's files lie: in memory where there is room, so that nobody waits for a disk."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    return str(memory) if has_room and os.access(memory, os.W_OK) else "/tmp"


#: What `flask prepare` has made on SQLite, by the settings that it goes by.
_prepared: dict[tuple[str | None, ...], bytes] = {}


def _prepare(shop: LiveShop) -> None:
    """Make a shop's database, on SQLite by a copy of what `flask prepare` made in this process."""
    file = shop.folder / "lipa.db"
    if shop.env["DATABASE_URL"] != f"sqlite:///{file}" or Path(shop.env["LIPA_ENV_FILE"]).exists():
        shop.prepare()
        return
    key = tuple(shop.env.get(name) for name in ("MPESA_ENVIRONMENT", "DEMO_PASSWORD"))
    if key not in _prepared:
        shop.prepare()
        with closing(sqlite3.connect(file)) as made:
            _prepared[key] = made.serialize()
    elif not file.exists():
        file.write_bytes(_prepared[key])


def _environment() -> dict[str, str]:
    port, simulator_port = _free_ports()
    return plain_environment() | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "SIMULATOR_PORT": str(simulator_port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MPESA_ENVIRONMENT": "simulator",
        "SECRET_KEY": "a-test-s-session-key-of-no-worth-at-all",
        "JWT_SECRET_KEY": "a-test-s-token-key-of-no-worth-at-all",
        "SETTINGS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEMO_PASSWORD": "mango-chai-42-boda",
        # Tests sign in more often than people do.
        "RATE_LIMIT_SIGN_IN": "1000/minute",
    }


def _free_ports() -> tuple[int, int]:
    """Two free ports of loopback; the first is held until the second is known."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1]), free_port()


def _is_well(url: str) -> bool:
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False
        return session.get(url, timeout=5).status_code == 200
    return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
