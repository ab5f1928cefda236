"""The way to the collector where it leads through a proxy.

Asked in order: TELEMETRY_PROXY, the administrator's file, the image's file, https_proxy, HTTPS_PROXY, all_proxy,
ALL_PROXY; the first that is set and not empty counts. `none` is no proxy. What is set and not understood is a
proxy that is not used, and then nothing is sent: going round a proxy is not ours to decide.

    http://[USER:PASSWORD@]HOST[:PORT]     with or without http:// and a slash at the end; port 80 if not given

User and password are sent to the proxy alone and shown to nobody.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import unquote_to_bytes

from telemetry_client.endpoint import is_loopback
from telemetry_client.fact import Fact
from telemetry_client.text import lowered, stripped

if TYPE_CHECKING:
    from telemetry_client.configuration import Configuration

_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
_PORT = 80
_LAST_PORT = 65535
# What stands for `/`, `:` and `@` in a user or password is `%2F`, `%3A` and `%40`.
_WRITTEN = re.compile(
    r"(?:[Hh][Tt][Tt][Pp]://)?"
    r"(?:(?P<user>[!-.0-9;-?A-~]+):(?P<password>[!-.0-?A-~]*)@)?"
    r"(?P<host>[0-9A-Za-z](?:[0-9A-Za-z._-]*[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


class Proxy(NamedTuple):
    """A proxy that is used. credentials: `USER:PASSWORD` as it is sent, empty where there is none."""

    host: str
    port: int
    origin: str
    credentials: bytes = b""

    @property
    def shown(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        """Without the credentials, which must not come into a traceback or a log."""
        return f"Proxy({self.shown})"


class UnusableProxy(NamedTuple):
    """Why nothing is sent. It does not repeat what was set, which may hold a password."""

    why: str


def find_proxy(
    configuration: Configuration, environ: Mapping[str, str], host: str
) -> Union[Proxy, UnusableProxy, None]:
    """The proxy for a collector at `host` (empty: for any), or None where the way is direct."""
    setting = configuration.proxy or _first(environ, _VARIABLES)
    if setting is None or lowered(setting.value) == "none":
        return None
    exceptions = _first(environ, _EXCEPTIONS)
    if host and (is_loopback(host) or (exceptions is not None and is_excepted(host, exceptions.value))):
        return None
    return parse_proxy(setting)


def parse_proxy(setting: Fact) -> Union[Proxy, UnusableProxy]:
    """The proxy that a setting names."""
    match = _WRITTEN.fullmatch(setting.value)
    port = int(match["port"] or _PORT) if match else 0
    if match is None or not 0 < port <= _LAST_PORT:
        why = "it does not begin with http:// and a host name"
        return UnusableProxy(f"the proxy ({setting.origin}) is not usable: {why}")
    credentials = b""
    if match["user"]:
        credentials = unquote_to_bytes(match["user"]) + b":" + unquote_to_bytes(match["password"])
    return Proxy(match["host"].strip("[]"), port, setting.origin, credentials)


def is_excepted(host: str, exceptions: str) -> bool:
    """Whether `no_proxy` names this host: itself, a domain above it, its address, or `*`."""
    name = lowered(host).rstrip(".")
    for written in re.split(r"[,\s]+", lowered(exceptions)):
        exception = written.strip("[]").strip(".")
        if exception and (exception in ("*", name) or name.endswith("." + exception)):
            return True
        if exception and _is_same_address(name, exception):
            return True
    return False


def _is_same_address(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def _first(environ: Mapping[str, str], names: Tuple[str, ...]) -> Optional[Fact]:
    for name in names:
        value = stripped(environ.get(name, ""))
        if value:
            return Fact(value, f"environment {name}")
    return None
