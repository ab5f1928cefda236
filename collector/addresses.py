"""Whose request it is, for the rate limit alone: the address is neither stored nor logged.

Pure. Behind proxies the address is the last one in X-Forwarded-For that no trusted proxy has; what stands
before it was written by the client and is believed by nobody.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """The address to count a request against, or None for one that is not counted.

    Args:
        peer: the connection's other end.
        forwarded: the values of the X-Forwarded-For lines, in order.
        trusted: networks of proxies that are believed.

    Returns:
        None where there is no address, and for this machine itself: a proxy on it that was not named as
        trusted would otherwise make the whole fleet one address.
    """
    address = _parse(peer or "")
    if address is None:
        return None
    if not _is_in(address, trusted):
        return None if address.is_loopback else address
    hops = [hop for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops):
        before = _parse(hop.strip())
        if before is None:
            break  # not an address: whoever wrote it is the last one that can be told
        address = before
        if not _is_in(address, trusted):
            break
    return address


def is_from(peer: str | None, networks: Sequence[Network]) -> bool:
    """Whether a connection's other end is in one of the networks."""
    address = _parse(peer or "")
    return address is not None and _is_in(address, networks)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _parse(text: str) -> Address | None:
    """An address as proxies write it: bare, in brackets, with or without a port, mapped into IPv6 or not."""
    try:
        # By far the most, and several times faster so.
        return ipaddress.IPv4Address(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        pass
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
