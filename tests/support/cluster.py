"""A whole cluster on one machine: nginx, web processes, workers, PostgreSQL, Redis, a simulator."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import requests
from cryptography.fernet import Fernet

from tests.services import nginx, postgres, redis
from tests.services.launch import (
    ServiceFailedError,
    free_port,
    plain_environment,
    throw_away_folder,
)
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 30
COMMAND_SECONDS = 120
POLL_SECONDS = 0.1
LOG_TAIL_CHARACTERS = 4000

Server = TypeVar("Server")


@dataclass(frozen=True)
class Commands:
    """What Python is given to run, in a web process and in a worker."""

    web: Sequence[str] = ("run.py",)
    worker: Sequence[str] = ("-m", "flask", "worker", "--threads", "4")


def hasty(pace: float) -> Commands:
    """The same with the engine's pauses divided by ``pace``, for tests that wait for it."""
    server = ("-m", "scripts.chaos.server", str(pace))
    return Commands(web=server, worker=(*server, "worker", "--threads", "4"))


class Program:
    """One process of the cluster, which can be ended in either way and started again."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.env = dict(env)
        self.log = log
        self._command = [sys.executable, *command]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it as systemd does, and wait. Raises ServiceFailedError when it will not end."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise ServiceFailedError(f"{self.name} did not end: {self.tail()}") from late
        finally:
            _kill_group(process)

    def kill(self) -> None:
        """End it and its children at once."""
        process, self.process = self.process, None
        if process is not None:
            _kill_group(process)

    def log_text(self) -> str:
        """Everything that it has said so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        return self.log_text()[-LOG_TAIL_CHARACTERS:]

    @property
    def is_gone(self) -> bool:
        """Whether it was ended from here or by itself."""
        return self.process is None or self.process.poll() is not None


class Service(Generic[Server]):
    """PostgreSQL or Redis, which can be taken away and come back where it was."""

    def __init__(self, running: Callable[[], AbstractContextManager[Server]]) -> None:
        self._running = running
        self._stack: ExitStack | None = None
        self.server: Server

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._stack is None:
            stack = ExitStack()
            self.server = stack.enter_context(self._running())
            self._stack = stack

    def stop(self) -> None:
        """Stop it without waiting for those who are connected."""
        if self._stack is not None:
            self._stack.close()
            self._stack = None


@dataclass(eq=False)
class Cluster:
    """What runs, by name. `base_url` is nginx's address, which is all that a browser knows."""

    folder: Path
    env: dict[str, str]
    port: int
    database: Service[PostgresServer]
    store: Service[RedisServer]
    simulator: Program
    webs: list[Program] = field(default_factory=list)
    workers: list[Program] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.env['SIMULATOR_PORT']}"

    @property
    def password(self) -> str:
        return self.env["DEMO_PASSWORD"]

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a flask command with the cluster's settings; its output is captured as text."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def start_web(self, web: Program) -> None:
        """Start one web process, and wait until it answers by itself."""
        web.start()
        _wait_for(web, _health_of(web))

    def mend(self) -> None:
        """Start whatever of it does not run."""
        for service in (self.database, self.store):
            service.start()
        gone = [program for program in (*self.webs, *self.workers) if program.is_gone]
        for program in gone:
            program.start()
        for web in self.webs:
            if web in gone:
                _wait_for(web, _health_of(web))

    def restart_one_by_one(self) -> None:
        """Restart every process in good order, never more than one at a time."""
        for web in self.webs:
            web.stop()
            self.start_web(web)
        for worker in self.workers:
            worker.stop()
            worker.start()


@contextmanager
def cluster(
    *,
    webs: int = 2,
    workers: int = 2,
    port: int | None = None,
    extra_env: Mapping[str, str] | None = None,
    commands: Commands | None = None,
) -> Iterator[Cluster]:
    """Run a cluster with a filled demo shelf while the block runs.

    Raises ServiceMissingError for a program that is not installed, and ServiceFailedError.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(throw_away_folder("cluster"))
        database = Service(stack.enter_context(postgres.ground()).running)
        redis_port = free_port()
        store = Service(lambda: redis.serve(redis_port))
        for service in (database, store):
            stack.callback(service.stop)
            service.start()
        front = port or free_port()
        env = _environment(folder, front, database.server, store.server) | dict(extra_env or {})
        simulator = Program("simulator", ["-m", "app.simulator"], env, folder / "simulator.log")
        found = Cluster(folder, env, front, database, store, simulator)
        simulator.start()
        stack.callback(simulator.kill)
        _wait_for(simulator, f"{found.simulator_url}/simulator/api/health")
        prepared = found.flask("prepare")
        if prepared.returncode:
            raise ServiceFailedError(f"flask prepare failed: {prepared.stderr}")
        commands = commands or Commands()
        ports = [_add_web(found, number, commands.web) for number in range(webs)]
        stack.callback(_kill_all, found.webs)
        for number in range(workers):
            _add_worker(found, number, commands.worker)
        stack.callback(_kill_all, found.workers)
        for web in found.webs:
            _wait_for(web, _health_of(web))
        stack.enter_context(nginx.in_front_of(ports, front))
        yield found
        programs = (*found.webs, *found.workers)
        with ThreadPoolExecutor(len(programs)) as hands:
            list(hands.map(Program.stop, programs))


def _kill_all(programs: list[Program]) -> None:
    for program in programs:
        program.kill()


def _add_web(found: Cluster, number: int, command: Sequence[str]) -> int:
    port = free_port()
    env = found.env | {"PORT": str(port)}
    web = Program(f"web {number}", command, env, found.folder / f"web-{number}.log")
    web.start()
    found.webs.append(web)
    return port


def _add_worker(found: Cluster, number: int, command: Sequence[str]) -> None:
    worker = Program(f"worker {number}", command, found.env, found.folder / f"worker-{number}.log")
    worker.start()
    found.workers.append(worker)


def _environment(
    folder: Path, front: int, database: PostgresServer, store: RedisServer
) -> dict[str, str]:
    return plain_environment() | {
        "HOST": "127.0.0.1",
        "SIMULATOR_PORT": str(free_port()),
        "SIMULATOR_EMBEDDED": "false",
        "EMBEDDED_WORKER": "false",
        "WEB_SERVER": os.environ.get("WEB_SERVER", "gevent"),
        "TRUSTED_PROXIES": "1",
        "MAX_SOCKETS": "2000",
        "DATABASE_URL": database.create_database("lipa"),
        "REDIS_URL": store.url,
        "PUBLIC_URL": f"http://127.0.0.1:{front}",
        "MPESA_ENVIRONMENT": "simulator",
        "LIPA_ENV_FILE": str(folder / ".env"),
        "UPLOAD_FOLDER": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(32),
        "JWT_SECRET_KEY": secrets.token_urlsafe(32),
        "SETTINGS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEMO_PASSWORD": secrets.token_urlsafe(12),
    }


def _health_of(web: Program) -> str:
    return f"http://127.0.0.1:{web.env['PORT']}/api/health"


def _wait_for(program: Program, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_well(url):
        if program.is_gone:
            raise ServiceFailedError(f"{program.name} ended early: {program.tail()}")
        if time.monotonic() > deadline:
            raise ServiceFailedError(f"{program.name} was not ready: {program.tail()}")
        time.sleep(POLL_SECONDS)


def _is_well(url: str) -> bool:
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False
        return session.get(url, timeout=5).status_code == 200
    return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
