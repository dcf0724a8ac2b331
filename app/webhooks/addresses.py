"""Which addresses news may be sent to: the internet's, never this machine or its neighbours.

Whoever may set an address could else have the shop call what only the shop can reach. A name is
looked up when something is sent, every address that it has is checked, and the connection is made
to one of the addresses that were checked: a name that changes in between changes nothing.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from app.core.errors import ValidationError
from app.core.texts import marked, said

MOST_CHARACTERS = 500
PORTS = (443, 8443)
#: The one address of this machine that a shop with the simulator may post to.
LOOPBACK = "127.0.0.1"
_PLAIN = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\.?")
#: Clouds' own services, and ways to write other addresses: not the internet's, though they look so.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
        "::/96",
    )
)

Address = IPv4Address | IPv6Address


class NotAllowed(ValidationError):
    """The address is one that nothing is sent to. The message says why."""


@dataclass(frozen=True)
class Target:
    """Where to post. ``is_local`` is true only for the simulator's loopback address."""

    scheme: str
    host: str
    port: int
    path: str
    is_local: bool

    @property
    def host_header(self) -> str:
        standard = {"https": 443, "http": 80}[self.scheme]
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == standard else f"{name}:{self.port}"


def read(address: str, *, local_allowed: bool) -> Target:
    """Return what an address means. Raises NotAllowed.

    ``local_allowed`` lets ``http://127.0.0.1`` through, which only a shop with the simulator may.
    """
    if len(address) > MOST_CHARACTERS or not _PLAIN.fullmatch(address):
        raise NotAllowed(
            said("An address has {most} plain characters at most, no spaces.", most=MOST_CHARACTERS)
        )
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise NotAllowed(
            marked("That is not a whole address, such as https://erp.example/lipa")
        ) from error
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise NotAllowed(marked("An address has no user name, no password and no #."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if local_allowed and parts.scheme == "http" and host == LOOPBACK:
        return Target("http", host, port or 80, path, is_local=True)
    _require_https(parts, host, port)
    return Target("https", host, port or 443, path, is_local=False)


def _require_https(parts: SplitResult, host: str, port: int | None) -> None:
    if parts.scheme != "https":
        raise NotAllowed(marked("An address begins with https://"))
    if port not in (None, *PORTS):
        raise NotAllowed(
            said("An address has one of the ports {ports}.", ports=", ".join(map(str, PORTS)))
        )
    literal = _literal(host)
    if literal is not None:
        require_public(literal)
    elif not _HOST.fullmatch(host):
        raise NotAllowed(marked("That is not a host's name. Write an international one as xn--…"))


def resolve(target: Target) -> str:
    """Look a target up and return the address to connect to. Raises NotAllowed and OSError.

    One address that is not the internet's is enough to send nothing.
    """
    if target.is_local:
        return LOOPBACK
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        require_public(ip_address(address.partition("%")[0]))
    return addresses[0]


def require_public(address: Address) -> None:
    """Raise NotAllowed for an address that is not the internet's."""
    if not is_public(address):
        raise NotAllowed(
            said(
                "{address} is not an address of the internet. Nothing is sent there.",
                address=str(address),
            )
        )


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the internet, however it is written."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    never = any(address in network for network in _NEVER if network.version == address.version)
    return address.is_global and not (address.is_multicast or address.is_reserved or never)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
