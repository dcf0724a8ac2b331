"""No test reaches beyond this machine unseen."""

from __future__ import annotations

import contextlib
import socket
import urllib.request

import pytest
import requests

from tests.services.network import NetworkGuard, NetworkRefusedError, is_loopback

# An address that is reserved for documentation: nobody answers there even without the guard.
OUTSIDE = "192.0.2.1"


@pytest.mark.parametrize("connect", ["connect", "connect_ex"])
def test_a_connection_beyond_loopback_is_refused(connect: str, network_guard: NetworkGuard) -> None:
    with socket.socket() as client, pytest.raises(NetworkRefusedError, match=OUTSIDE):
        getattr(client, connect)((OUTSIDE, 80))
    assert network_guard.take() == [OUTSIDE]


def test_looking_up_a_name_beyond_this_machine_is_refused(network_guard: NetworkGuard) -> None:
    with pytest.raises(NetworkRefusedError, match=r"example\.com"):
        requests.get("https://example.com", timeout=1)
    assert network_guard.take() == ["example.com"]


def test_a_refusal_that_the_code_swallows_is_still_remembered(
    network_guard: NetworkGuard,
) -> None:
    with contextlib.suppress(Exception):
        urllib.request.urlopen("http://example.com", timeout=1)
    assert network_guard.take() == ["example.com"]


def test_loopback_stays_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5),
    ):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", b"localhost", None])
def test_this_machine_is_loopback(host: object) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "2001:db8::1", "localhost.example.com", b"a.ke"])
def test_any_other_machine_is_not(host: object) -> None:
    assert not is_loopback(host)
