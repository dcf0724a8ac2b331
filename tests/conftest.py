"""What every test has: real services on demand, a guarded network, an honest summary."""

from __future__ import annotations

import pytest

from tests.services.engines import leave_out_turns, pytest_report_header
from tests.services.fixtures import chromium_path, postgres_server, redis_server, rooms_database
from tests.services.network import network_guard, stays_on_this_machine
from tests.services.order import put_in_order
from tests.services.summary import pytest_terminal_summary

__all__ = [
    "chromium_path",
    "network_guard",
    "postgres_server",
    "pytest_report_header",
    "pytest_terminal_summary",
    "redis_server",
    "rooms_database",
    "stays_on_this_machine",
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out_turns(config, items)
    put_in_order(items)
