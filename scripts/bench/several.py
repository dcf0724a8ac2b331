"""The shop, or the bare one, as it is run on each engine: one process of threads on SQLite; on
PostgreSQL as many processes of greenlets as there are cores, behind nginx, and a worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import requests

from scripts.bench.ground import COMMANDS, START_SECONDS, Ground
from tests.services import nginx
from tests.services.launch import ServiceFailedError, free_port
from tests.support.cluster import Program


@contextmanager
def shop(ground: Ground, what: str = "shop", **settings: str) -> Iterator[None]:
    """Serve the shop, or the bare one, at ``ground.base_url`` while the block runs.

    Raises ServiceMissingError or ServiceFailedError.
    """
    if ground.engine == "sqlite":
        with ground.serving(what, **settings):
            yield
        return
    with ExitStack() as stack:
        ports = [free_port() for _ in range(os.cpu_count() or 1)]
        webs = [_web(ground, what, port, settings) for port in ports]
        for web in webs:
            stack.callback(web.kill)
            web.start()
        for web, port in zip(webs, ports, strict=True):
            _wait(web, f"http://127.0.0.1:{port}/api/health")
        stack.enter_context(ground.working())
        stack.enter_context(nginx.in_front_of(ports, int(ground.env["PORT"])))
        yield


def _web(ground: Ground, what: str, port: int, settings: dict[str, str]) -> Program:
    env = ground.env | settings | {"PORT": str(port), "TRUSTED_PROXIES": "1"}
    return Program(f"web {port}", COMMANDS[what], env, ground.folder / f"web-{port}.log")


def _wait(web: Program, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not web.is_gone:
        with suppress(requests.RequestException):
            if requests.get(url, timeout=2).ok:
                return
        time.sleep(0.1)
    raise ServiceFailedError(f"{web.name} did not start: {web.tail()}")
