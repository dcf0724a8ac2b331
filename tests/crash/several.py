"""A shop of several processes, of which one at a time dies while the others go on."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.crash.daraja import Daraja, running_daraja
from tests.crash.launcher import LOG_FILE
from tests.crash.shop import (
    LOG,
    PROMPT_SECONDS,
    START_SECONDS,
    Launcher,
    Shop,
    environment,
    wait_until,
)
from tests.services import nginx
from tests.services.launch import free_port, throw_away_folder

WORK = "work"
WEBS = WORKERS = 2


class SeveralShop(Shop):
    """nginx, two web processes on greenlets and two workers, on one PostgreSQL and one Redis.

    Each is a process group of its own. What is armed ends the one that comes to it; it stays away
    until `start`.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        daraja: Daraja,
        webs: Launcher,
        workers: Launcher,
    ) -> None:
        super().__init__(folder, env, daraja, workers)
        self.ports = [free_port() for _ in range(WEBS)]
        self._webs = webs
        self._wanted = [f"serve {port}" for port in self.ports] + [WORK] * WORKERS
        #: The process group of each of these, None while it is dead.
        self._groups: list[int | None] = [None] * len(self._wanted)

    @property
    def is_running(self) -> bool:
        return any(self._groups)

    def start(self) -> None:
        """Start whatever is dead, and wait until all that serve answer. Raises TimeoutError."""
        for place, command in enumerate(self._wanted):
            if self._groups[place] is None:
                launcher = self._launcher if command == WORK else self._webs
                self._groups[place] = launcher.tell(command)
        for port in self.ports:
            wait_until(partial(_listens, port), START_SECONDS, f"port {port} is served")
        wait_until(self.is_well, START_SECONDS, f"the shop is well: {self.log_tail()}")

    def kill(self) -> None:
        """End every process at once."""
        self._kill(range(len(self._wanted)))

    def kill_workers(self) -> None:
        self._kill(place for place, command in enumerate(self._wanted) if command == WORK)

    def wait_for_death(self, seconds: float = 20) -> None:
        """Wait until one of them is gone. Raises TimeoutError."""
        wait_until(lambda: bool(self._newly_dead()), seconds, "one process is dead")
        for place in self._newly_dead():
            self._groups[place] = None

    def is_dead(self) -> bool:
        """Tell whether any of them is."""
        return not all(self._groups) or bool(self._newly_dead())

    def sweep(self) -> int:
        """Leave it to the workers, who do it each second."""
        return 0

    def _newly_dead(self) -> list[int]:
        return [
            place
            for place, (command, group) in enumerate(zip(self._wanted, self._groups, strict=True))
            if group is not None and _has_ended(group) and not _is_served(command)
        ]

    def _kill(self, places: Iterator[int] | range) -> None:
        for place in places:
            group, self._groups[place] = self._groups[place], None
            if group is not None:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
                self._wait_for_the_end_of(self._wanted[place])

    def _wait_for_the_end_of(self, command: str) -> None:
        wait_until(lambda: not _is_served(command), START_SECONDS, f"{command} has ended")


def _has_ended(group: int) -> bool:
    """Tell whether the first process of a group is gone, or only waits to be asked how it ended."""
    try:
        return Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _is_served(command: str) -> bool:
    return command != WORK and _listens(int(command.split()[1]))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError:
        return False
    return True


@contextmanager
def crashing_cluster(database_url: str, redis_url: str) -> Iterator[SeveralShop]:
    """Run a shop of several processes, and its Daraja, while the block runs."""
    with throw_away_folder("crash") as folder, running_daraja(folder, PROMPT_SECONDS) as daraja:
        env = environment(folder, database_url, daraja.url) | {
            "REDIS_URL": redis_url,
            "EMBEDDED_WORKER": "false",
            "TRUSTED_PROXIES": "1",
        }
        workers = Launcher(env, folder / LOG)
        webs = Launcher(env | {"WEB_SERVER": "gevent"}, Path(env[LOG_FILE]))
        shop = SeveralShop(folder, env, daraja, webs, workers)
        try:
            shop.flask("prepare")
            with nginx.in_front_of(shop.ports, int(env["PORT"])):
                shop.start()
                yield shop
        finally:
            shop.kill()
            for launcher in (webs, workers):
                launcher.close()
