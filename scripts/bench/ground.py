"""The place of a benchmark: a database server that keeps its word to the disk, a slow Daraja, and
one server at a time, the shop's or the bare one, in a folder that is thrown away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from cryptography.fernet import Fernet

from tests.services import postgres, redis
from tests.services.launch import (
    ServiceFailedError,
    free_port,
    plain_environment,
    throw_away_folder,
)

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 20
#: The shop, and what it is compared with.
COMMANDS = {"shop": ["run.py"], "bare": ["-m", "scripts.bench.bare"]}
#: A commit is on the disk when it is told to be, here as in a shop.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
NO_LIMIT = "100000000/minute"


@dataclass
class Ground:
    """Where a benchmark stands. `env` is the environment of every server that it starts."""

    engine: str
    folder: Path
    env: dict[str, str]
    daraja: str

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    def flask(self, *arguments: str) -> str:
        """Run a flask command; return what it prints. Raises ServiceFailedError."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise ServiceFailedError(f"flask {arguments[0]}: {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def serving(self, what: str = "shop", **settings: str) -> Iterator[int]:
        """Run the shop's server, or the bare one, while the block runs; yield its process."""
        log = self.folder / f"{what}.log"
        with _program(COMMANDS[what], self.env | settings, log) as process:
            _wait(process, f"{self.base_url}/api/health", log)
            yield process.pid

    @contextmanager
    def working(self, threads: int = 4) -> Iterator[None]:
        """Run one background worker while the block runs."""
        command = ["-m", "flask", "worker", "--threads", str(threads)]
        with _program(command, self.env, self.folder / "worker.log"):
            yield

    def counts(self) -> dict[str, int]:
        """How often Daraja was asked for tokens, pushes and queries."""
        found: dict[str, int] = requests.get(f"{self.daraja}/counts", timeout=20).json()
        return found

    def take_time(self, seconds: float) -> None:
        """Let Daraja take so long for each push from now on."""
        requests.post(f"{self.daraja}/delay", json={"seconds": seconds}, timeout=20)


@contextmanager
def ground(engine: str) -> Iterator[Ground]:
    """Make the place, with an empty shop. ``engine`` is sqlite or postgresql.

    Raises ServiceMissingError, or ServiceFailedError.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(throw_away_folder("bench"))
        port = free_port()
        daraja = f"http://127.0.0.1:{port}"
        command = ["-m", "scripts.bench.daraja", str(port), "0"]
        stack.enter_context(_program(command, plain_environment(), folder / "daraja.log"))
        env = _environment(folder, daraja)
        if engine == "postgresql":
            place = stack.enter_context(postgres.ground())
            server = stack.enter_context(place.running(DURABLE))
            store = stack.enter_context(redis.serve())
            env |= {
                "DATABASE_URL": server.create_database("bench"),
                "REDIS_URL": store.url,
                "WEB_SERVER": "gevent",
                "EMBEDDED_WORKER": "false",
            }
        found = Ground(engine, folder, env, daraja)
        found.flask("prepare")
        yield found


def _environment(folder: Path, daraja: str) -> dict[str, str]:
    port = free_port()
    return plain_environment() | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{folder / 'lipa.db'}",
        "LIPA_ENV_FILE": str(folder / ".env"),
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_BASE_URL": daraja,
        "MPESA_TIMEOUT_SECONDS": "10",
        "MAX_SOCKETS": "1500",
        "SECRET_KEY": "a-benchmark-s-session-key-of-no-worth",
        "JWT_SECRET_KEY": "a-benchmark-s-token-key-of-no-worth",
        "SETTINGS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEMO_PASSWORD": "mango-chai-42-boda",
        "RATE_LIMIT_SIGN_IN": NO_LIMIT,
        "RATE_LIMIT_INITIATE": NO_LIMIT,
        "RATE_LIMIT_STATUS": NO_LIMIT,
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def _program(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[Any]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[Any], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(requests.RequestException):
            if requests.get(url, timeout=2).ok:
                return
        time.sleep(0.1)
    raise ServiceFailedError(f"the server did not start: {log.read_text()[-2000:]}")
