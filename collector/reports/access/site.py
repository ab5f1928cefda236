"""By which names the dashboard is reached: the hosts and origins it accepts, and where it may send a browser.

Pure. A page of someone else's cannot name another Host than its own, so a name that was made to point here
(DNS rebinding) is refused; nor can it choose its Origin, so what it posts is refused.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_COOKIE = "product_telemetry_session"
_LONGEST_PATH = 2_000
# What a URL is made of: visible ASCII less the double quote, angle brackets and the backslash, a slash to browsers.
_LOCAL = re.compile(r"/[!#-;=?-\[\]-~]*")


class Site:
    """The dashboard's own address.

    Args:
        url: the public one, https://HOST[:PORT], or None where it is reached on this machine alone.
    """

    def __init__(self, url: str | None) -> None:
        parts = urlsplit(url.lower()) if url else None
        self._scheme = parts.scheme if parts else "http"
        self._host = self._normal(parts.netloc) if parts else None
        self._origin = f"{self._scheme}://{self._host}" if self._host else None
        self.is_secure = self._scheme == "https"
        # With this prefix browsers take the cookie over TLS from this very host only, for all paths.
        self.cookie = f"__Host-{_COOKIE}" if self.is_secure else _COOKIE

    def knows(self, host: str) -> bool:
        """Whether a Host header names this site or this machine."""
        return is_loopback(host) or (self._host is not None and self._normal(host) == self._host)

    def is_own_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether what was posted with this Origin header was sent by a page of this site."""
        if not origin or not host:
            return False
        return origin.lower() == self._origin or (is_loopback(host) and origin.lower() == f"http://{host.lower()}")

    def _normal(self, host: str) -> str:
        """In small letters, without the scheme's own port."""
        return host.lower().removesuffix(f":{_DEFAULT_PORTS.get(self._scheme)}")


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine as itself, on any port: tunnels end on ports of their own."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def local_path(given: str | None) -> str:
    """`given` if it is a path of this site with or without parameters, else the start page.

    No scheme and no host; no backslash, doubled slash or dot segment, which browsers and libraries turn into one;
    not the sign-in page again.
    """
    if not given or len(given) > _LONGEST_PATH or not _LOCAL.fullmatch(given):
        return "/"
    segments = given.partition("?")[0].partition("#")[0].split("/")[1:]
    if {".", ".."} & set(segments) or "" in segments[:-1] or segments[0] in {"sign-in", "sign-out"}:
        return "/"
    return given
