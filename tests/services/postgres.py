"""A PostgreSQL server of one's own: empty, fast rather than durable, open to loopback only."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services.launch import (
    START_SECONDS,
    ServiceFailedError,
    ServiceMissingError,
    as_user,
    free_port,
    plain_environment,
    running,
    throw_away_folder,
)

DEBIAN_ROOT = Path("/usr/lib/postgresql")
SUPERUSER = "postgres"
MISSING = "PostgreSQL is not installed. Install it: sudo apt-get install postgresql"
NO_ACCOUNT = (
    "PostgreSQL refuses to run as root and there is no account named postgres. "
    "Run the tests as another user, or: sudo apt-get install postgresql"
)

# Nobody needs these data after a crash, and waiting for the disk is most of a test's time.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `url` opens its database `postgres` as its superuser."""

    port: int

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database `postgres`, with the psycopg 3 driver."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy's address of `database`, which need not exist yet."""
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its address; one of that name is replaced."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._execute("CREATE DATABASE {}", name)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, ending whatever connections it has."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: str, database: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))

    @property
    def dsn(self) -> str:
        """libpq's address of the database `postgres`."""
        return f"host=127.0.0.1 port={self.port} user={SUPERUSER} dbname=postgres connect_timeout=5"

    def answers(self) -> bool:
        """Whether a client can connect at this moment."""
        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True


def find_binaries(debian_root: Path = DEBIAN_ROOT) -> Path:
    """The folder with `initdb` and `postgres`: the newest of Debian's, or the one in the PATH.

    Raises ServiceMissingError when there is none.
    """
    folders = sorted(debian_root.glob("*/bin"), key=_version, reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServiceMissingError(MISSING)


def _version(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]


def account() -> str | None:
    """Whom to run the server as; None is the caller, because PostgreSQL refuses only root.

    Raises ServiceMissingError when the caller is root and there is nobody else.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ServiceMissingError(NO_ACCOUNT) from None


@dataclass(frozen=True)
class Ground:
    """Where a server lives, which can be stopped and started again with its data."""

    folder: Path
    user: str | None
    server: PostgresServer

    @contextmanager
    def running(self, speed: Mapping[str, str] = FAST) -> Iterator[PostgresServer]:
        """Run the server while the block runs. Raises ServiceFailedError."""
        settings = dict(speed) | {
            "listen_addresses": "127.0.0.1",
            "port": str(self.server.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
        }
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        command: list[str | Path] = [find_binaries() / "postgres", "-D", self.folder / "data"]
        log = self.folder / "postgres.log"
        with running([*command, *options], log, self.server.answers, self.user):
            yield self.server


@contextmanager
def ground() -> Iterator[Ground]:
    """Make the place of a new, empty server. Raises ServiceMissingError."""
    binaries, user = find_binaries(), account()
    with throw_away_folder("postgres", user) as folder:
        _initialise(binaries, folder / "data", user)
        yield Ground(folder, user, PostgresServer(free_port()))


@contextmanager
def serve() -> Iterator[PostgresServer]:
    """Run a new, empty server while the block runs.

    Raises ServiceMissingError, or ServiceFailedError when it is there and does not start.
    """
    with ground() as place, place.running() as server:
        yield server


def _initialise(binaries: Path, data: Path, user: str | None) -> None:
    command: list[str | Path] = [binaries / "initdb", "-D", data, "-U", SUPERUSER]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        cwd=data.parent,
        env=plain_environment(),
        **as_user(user),
    )
    if made.returncode != 0:
        raise ServiceFailedError(f"initdb failed: {made.stderr}")
