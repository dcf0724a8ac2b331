"""Who is calling: whether an address is one of the provider's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def is_proven(address: str | None, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Tell whether an address lies in one of the networks; nonsense does not."""
    return _lies_in(address or "", tuple(networks))


@lru_cache(maxsize=1024)
def _lies_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer.version == network.version and peer in network for network in networks)
