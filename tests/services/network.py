"""No test may speak to anything but this machine; one that tries fails, by name.

Connections of C libraries (libpq) and of other processes (the browser) are not
seen here; those are given loopback addresses only.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest


class NetworkRefusedError(RuntimeError):
    """A test reached for an address beyond loopback.

    It is no OSError, so that code which handles a network that is down does not swallow it.
    """


class NetworkGuard:
    """Refuses connections beyond this machine and remembers who asked for them."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def check(self, host: object) -> None:
        """Raises NetworkRefusedError unless `host` is loopback."""
        if not is_loopback(host):
            self.refused.append(str(host))
            raise NetworkRefusedError(f"A test reached for {host}; only loopback is allowed.")

    def take(self) -> list[str]:
        """The hosts refused since the last call."""
        refused, self.refused = self.refused, []
        return refused


def is_loopback(host: object) -> bool:
    """Whether `host`, a name or an address as the socket module takes it, is this machine."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
    if name is None or name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guarded_connect(original: Callable[..., Any], guard: NetworkGuard) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            guard.check(address[0])
        return original(self, address)

    return connect


def _guarded_lookup(original: Callable[..., Any], guard: NetworkGuard) -> Callable[..., Any]:
    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        # A lookup is the first thing that leaves the machine, and where there is
        # no network it is the only one, so it is refused as well. Literal
        # addresses are read, not looked up.
        if not _is_literal(host):
            guard.check(host)
        return original(host, *arguments, **options)

    return getaddrinfo


def _is_literal(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture(scope="session", autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """The guard of the whole session, in force from before the first other fixture."""
    guard = NetworkGuard()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            original = getattr(socket.socket, name)
            patch.setattr(socket.socket, name, _guarded_connect(original, guard))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo, guard))
        yield guard


@pytest.fixture(autouse=True)
def stays_on_this_machine(network_guard: NetworkGuard) -> Iterator[None]:
    """Fails a test that reached out even when the code under test swallowed the refusal."""
    network_guard.take()
    yield
    if refused := network_guard.take():
        pytest.fail(f"reached beyond this machine: {', '.join(refused)}", pytrace=False)
