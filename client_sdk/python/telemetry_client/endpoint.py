"""The collector's address, and which addresses are refused.

https to anywhere; plain http to this machine only. No user name in it (it would end up in logs), no query
and no fragment.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple, Union
from urllib.parse import urlsplit


class Endpoint(NamedTuple):
    """Where to connect, and the path that every report's own path is added to."""

    url: str
    is_tls: bool
    host: str
    port: int
    base_path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header writes them; the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.is_tls else 80
        return host if self.port == usual else f"{host}:{self.port}"


class Refused(NamedTuple):
    """Why an address is not used. It does not repeat the address, which may hold a password."""

    why: str


def parse_endpoint(url: str) -> Union[Endpoint, Refused]:
    """The endpoint, or why there is none."""
    try:
        url.encode("ascii")
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Refused("it is not a URL")
    if any(character <= " " or character == "\x7f" for character in url):
        return Refused("it has blanks or control characters in it")
    host = parts.hostname or ""
    problem = _problem(parts.scheme, host, has_extras="@" in parts.netloc or "?" in url or "#" in url)
    if problem:
        return Refused(problem)
    is_tls = parts.scheme == "https"
    base_path = parts.path.rstrip("/")
    fallback = 443 if is_tls else 80
    endpoint = Endpoint("", is_tls, host, fallback if port is None else port, base_path)
    return endpoint._replace(url=f"{parts.scheme}://{endpoint.authority}{base_path}")


def is_loopback(host: str) -> bool:
    """Whether `host` is this very machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(scheme: str, host: str, *, has_extras: bool) -> str:
    if scheme not in ("https", "http") or not host:
        return "it does not begin with https:// and a host name"
    if has_extras:
        return "it has a user name, a query or a fragment in it"
    if scheme == "http" and not is_loopback(host):
        return "plain http is allowed to this machine only; use https"
    return ""
