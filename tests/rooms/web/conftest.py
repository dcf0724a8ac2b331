"""What the tests of PUBLIC_URL=auto have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.tunnel import Tunnel
from tests.rooms.web.following import FIRST, HOME, PORT, SANDBOX, Clock, Follow, Lines
from tests.support.app import Shop
from tests.support.ngrok import Agent, agent_running, tunnel


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def agent() -> Iterator[Agent]:
    with agent_running(tunnel(FIRST, HOME)) as running:
        yield running


@pytest.fixture
def follow(shop: Shop, agent: Agent, clock: Clock) -> Iterator[Follow]:
    """Let the shop follow the agent's tunnel, with these settings beside."""
    was = shop.app.extensions["lipa_tunnel"]

    def begin(**more: Any) -> None:
        shop.set(**{"public_url": "auto", "ngrok_api_url": agent.url, "port": PORT} | more)
        configured = shop.app.extensions["lipa_settings"]
        shop.app.extensions["lipa_tunnel"] = Tunnel(configured, clock)

    yield begin
    shop.app.extensions["lipa_tunnel"] = was


@pytest.fixture
def sandbox(shop: Shop, follow: Follow) -> Shop:
    """A shop at Safaricom's sandbox that follows the agent's tunnel."""
    follow(**SANDBOX)
    return shop


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """What the log says of the tunnel."""
    caplog.set_level("INFO", "app.tunnel")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "app.tunnel"]
