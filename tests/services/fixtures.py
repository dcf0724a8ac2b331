"""The services as pytest fixtures, each started once for a session and only when asked for.

What is not installed skips the tests that need it, with the command that
installs it as the reason. With REQUIRE_SERVICES=1 it fails them instead.
Under pytest-xdist every worker has servers of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.services import chromium, postgres, redis
from tests.services.launch import ServiceMissingError


@contextmanager
def required() -> Iterator[None]:
    """What is missing inside skips the test, or fails it where services are required."""
    try:
        yield
        return
    except ServiceMissingError as missing:
        reason = str(missing)
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A real PostgreSQL server; `create_database(name)` gives a test its own database."""
    with required(), postgres.serve() as server:
        yield server


@pytest.fixture(scope="session")
def rooms_database(postgres_server: postgres.PostgresServer) -> str:
    """The address of one database for all tests that empty it before they begin."""
    return postgres_server.create_database("rooms")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis.RedisServer]:
    """A real Redis server, shared by the tests of one worker."""
    with required(), redis.serve() as server:
        yield server


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of a real browser, for Playwright's `executable_path`."""
    with required():
        return chromium.find_chromium()
