"""A shop that can be killed and started in a moment, beside a Daraja that lives on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import requests
from cryptography.fernet import Fernet

from tests.crash.arming import ARMED_FILE, Arming
from tests.crash.daraja import Daraja, running_daraja
from tests.crash.launcher import LOG_FILE
from tests.services.launch import (
    ServiceFailedError,
    free_port,
    plain_environment,
    throw_away_folder,
)

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
DEATH_SECONDS = 20
POLL_SECONDS = 0.03
LOG = "shop.log"
LOG_TAIL_CHARACTERS = 4000
PROMPT_SECONDS = 4


def wait_until(what: Callable[[], bool], seconds: float, why: str) -> None:
    """Wait until something is so. Raises TimeoutError, which says ``why`` it matters."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {why}")
        time.sleep(POLL_SECONDS)


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


class Launcher:
    """The program of launcher.py, seen from the test that gives it commands."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        command = [sys.executable, "-m", "tests.crash.launcher"]
        pipe = subprocess.PIPE
        self._log = log
        self._one_at_a_time = threading.Lock()
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=said, text=True
            )
        self._hear()

    def tell(self, command: str) -> int:
        """Give a command; return the number that it is answered with."""
        assert self._process.stdin
        with self._one_at_a_time:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
            return int(self._hear())

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(DEATH_SECONDS)
        self._process.stdout.close()

    def _hear(self) -> str:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return line
        raise ServiceFailedError(f"the launcher is gone: {tail(self._log)}")


class Shop:
    """Arbiter and worker of one server, in a process group of their own."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], daraja: Daraja, launcher: Launcher
    ) -> None:
        self.env = dict(env)
        self.daraja = daraja
        self.death = Arming(folder)
        self._log = folder / LOG
        self._launcher = launcher
        self._group: int | None = None

    @property
    def url(self) -> str:
        """The shop's root, without a slash at its end."""
        return f"http://127.0.0.1:{self.env['PORT']}"

    @property
    def group(self) -> int:
        """The process group that serves."""
        assert self._group is not None, "the shop is not running"
        return self._group

    @property
    def database_name(self) -> str:
        """The name of its PostgreSQL database."""
        return self.env["DATABASE_URL"].rpartition("/")[2]

    @property
    def sqlite_file(self) -> Path | None:
        """The file of its SQLite database, or None where it has another."""
        scheme, _, path = self.env["DATABASE_URL"].partition(":///")
        return Path(path) if scheme == "sqlite" else None

    def processes(self) -> list[int]:
        """The processes of the server's group, as Linux numbers them."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(entry.name)) == self.group:
                    found.append(int(entry.name))
        return found

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended from here."""
        return self._group is not None

    def flask(self, *arguments: str) -> str:
        """Run a flask command with this shop's settings; return what it prints.

        Raises ServiceFailedError when it fails.
        """
        status, said = self._flask(arguments)
        if status != 0:
            raise ServiceFailedError(f"flask {arguments[0]}: {said}{self.log_tail()}")
        return said

    def complaints(self, *arguments: str) -> list[str]:
        """Run a flask command that names what is wrong; return its lines, none when all is well."""
        status, said = self._flask(arguments)
        return [*said.splitlines(), self.log_tail()] if status else []

    def _flask(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        with NamedTemporaryFile(dir=self._log.parent) as output:
            status = self._launcher.tell(json.dumps([output.name, arguments]))
            return os.waitstatus_to_exitcode(status), output.read().decode()

    def start(self) -> None:
        """Start the server and wait until it answers, or has died as it was to.

        Raises ServiceFailedError.
        """
        struck = self.death.has_struck
        self._group = self._launcher.tell("serve")
        deadline = time.monotonic() + START_SECONDS
        while not self.is_well() and self.death.has_struck == struck:
            if time.monotonic() > deadline:
                raise ServiceFailedError(f"the shop was not ready: {self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """End arbiter and worker by SIGKILL, both at once, and wait until the port is free."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self.wait_for_death()

    def wait_for_death(self, seconds: float = DEATH_SECONDS) -> None:
        """Wait until nothing of the server is left. Raises TimeoutError."""
        wait_until(self.is_dead, seconds, "the shop is dead")
        self._group = None

    def is_dead(self) -> bool:
        """Tell whether nobody listens any more: neither arbiter nor worker is left."""
        try:
            socket.create_connection(("127.0.0.1", int(self.env["PORT"])), 2).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    def is_well(self) -> bool:
        with requests.Session() as session, suppress(requests.RequestException):
            session.trust_env = False
            return session.get(f"{self.url}/api/health", timeout=5).status_code == 200
        return False

    def sweep(self) -> int:
        """Do the engine's round in another process; return how that process ended."""
        return os.waitstatus_to_exitcode(self._launcher.tell("sweep"))

    def log_tail(self) -> str:
        return tail(self._log)


@contextmanager
def crashing_shop(
    database_url: str | None = None, extra_env: Mapping[str, str] | None = None
) -> Iterator[Shop]:
    """Run a shop and its Daraja while the block runs; `database_url` is by default SQLite."""
    with throw_away_folder("crash") as folder, running_daraja(folder, PROMPT_SECONDS) as daraja:
        url = database_url or f"sqlite:///{folder / 'lipa.db'}"
        env = environment(folder, url, daraja.url) | dict(extra_env or {})
        launcher = Launcher(env, folder / LOG)
        shop = Shop(folder, env, daraja, launcher)
        try:
            shop.flask("prepare")
            shop.start()
            yield shop
        finally:
            if shop.is_running:
                shop.kill()
            launcher.close()


def environment(folder: Path, database_url: str, daraja_url: str) -> dict[str, str]:
    """The settings of a shop that dies, in a folder of its own."""
    port = free_port()
    return plain_environment() | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url,
        # There is none: the settings of whoever runs the tests are not a test's.
        "LIPA_ENV_FILE": str(folder / ".env"),
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_BASE_URL": daraja_url,
        "STK_PROMPT_SECONDS": str(PROMPT_SECONDS),
        "SECRET_KEY": "a-test-s-session-key-of-no-worth-at-all",
        "JWT_SECRET_KEY": "a-test-s-token-key-of-no-worth-at-all",
        "SETTINGS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEMO_PASSWORD": "mango-chai-42-boda",
        "MAX_SOCKETS": "5",
        # Tests pay more often than people do.
        "RATE_LIMIT_SIGN_IN": "1000/minute",
        "RATE_LIMIT_INITIATE": "10000/minute",
        ARMED_FILE: str(folder / "death.json"),
        LOG_FILE: str(folder / LOG),
    }
