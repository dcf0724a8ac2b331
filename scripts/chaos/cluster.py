"""The place of a chaos run on several processes: a whole cluster, struck one part at a time."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from scripts.chaos.shop import Ground, Simulator, manners
from tests.support.cluster import Cluster, cluster, hasty

#: How long a part of it is away. Redis and PostgreSQL are missed by everybody meanwhile.
DOWN_SECONDS = 2.0


class ClusterShop:
    """nginx in front of two web processes, with two workers, PostgreSQL and Redis."""

    def __init__(self, found: Cluster) -> None:
        self._cluster = found
        self.befell: Counter[str] = Counter()
        self._blows = itertools.cycle(self._all_blows())

    @property
    def base_url(self) -> str:
        return self._cluster.base_url

    @property
    def env(self) -> Mapping[str, str]:
        return self._cluster.env

    @property
    def password(self) -> str:
        return self._cluster.password

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._cluster.flask(*arguments)

    def log_text(self) -> str:
        """What every process has said, one after the other."""
        programs = (*self._cluster.webs, *self._cluster.workers)
        return "\n".join(f"--- {one.name}\n{one.log_text()}" for one in programs)

    def strike(self) -> None:
        """Take the next part away and bring it back. Raises ServiceFailedError."""
        name, blow = next(self._blows)
        blow()
        time.sleep(DOWN_SECONDS)
        self._cluster.mend()
        self.befell[name] += 1

    def _all_blows(self) -> list[tuple[str, Callable[[], None]]]:
        found: list[tuple[str, Callable[[], None]]] = []
        for web, worker in zip(self._cluster.webs, self._cluster.workers, strict=True):
            found += [
                ("a web process killed", web.kill),
                ("Redis away and empty", self._cluster.store.stop),
                ("a worker killed", worker.kill),
                ("PostgreSQL restarted", self._cluster.database.stop),
            ]
        return found


@contextmanager
def cluster_ground(*, prompt_seconds: int, pace: int, seed: int) -> Iterator[Ground]:
    """Run a cluster and its simulator while the block runs.

    Raises ServiceMissingError for what is not installed, and ServiceFailedError.
    """
    env = manners(prompt_seconds) | {"SIMULATOR_SEED": str(seed)}
    with cluster(extra_env=env, commands=hasty(pace)) as found:
        yield Ground(ClusterShop(found), Simulator(found.simulator_url))
