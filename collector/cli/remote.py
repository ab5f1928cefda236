"""Asks a collector over HTTP for what it has published: at an address, or on the control socket of this machine.

Invariants: the token travels in one header, over TLS that is verified or to this very machine, and never after a
redirect; it is taken from a file or the environment, so that no list of processes and no shell's history has it.
A proxy of the environment is used for https alone, where it sees no more than the host's name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
from dataclasses import dataclass, field
from http import HTTPStatus
from stat import S_IROTH, S_IWOTH
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from collector.cli.main import fail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import aiohttp

TOKEN_VARIABLE = "COLLECTOR_TOKEN"  # noqa: S105 - where a token is, not one
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_LONGEST_ANSWER_BYTES = 512 << 20
_LONGEST_TOKEN = 1_000
_LONGEST_SAID = 500
_KINDS = ("application/json", "text/csv", "application/vnd.apache.parquet")


class RefusedError(Exception):
    """The collector cannot answer this question; the text is its own and says what can be asked."""


@dataclass(frozen=True)
class Place:
    """Where a collector answers.

    Attributes:
        name: the place in words.
        url: what the paths are put behind.
        socket: the Unix socket to connect to, in place of the host in `url`.
        token: sent with each question, if given.
    """

    name: str
    url: str
    socket: str | None = None
    token: str | None = field(default=None, repr=False)


class NobodyAnswersError(Exception):
    """Nobody takes the connection; the text says why."""


def read_url(url: str) -> str:
    """The address without a slash at its end; one that cannot be used ends the program."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        fail("--url: is not an address such as https://telemetry.example.com or http://127.0.0.1:8081")
    if parts.username is not None or parts.password is not None:
        fail(f"--url: holds a user or password; a token is given in {TOKEN_VARIABLE} or with --token-file")
    if parts.query or parts.fragment:
        fail("--url: is the collector's address alone; what to ask is said by the other options")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        fail("--url: plain http is for this machine alone, others could read it on its way; use https")
    return url.rstrip("/")


def read_token(file: Path | None, variable: str) -> str | None:
    """The token in the file, or else in the environment's variable; None if neither is given."""
    if file is None:
        return _checked(variable, TOKEN_VARIABLE) if variable.strip() else None
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & (S_IROTH | S_IWOTH):
                fail(f"--token-file: {file} is open to others; chmod it to 600")
            content = opened.read(_LONGEST_TOKEN + 2)
    except OSError as error:
        fail(f"--token-file: {file} cannot be read: {error.strerror}")
    return _checked(content.decode("ascii", "replace"), f"--token-file: {file}")


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if not token or len(token) > _LONGEST_TOKEN or not all("!" <= character <= "~" for character in token):
        fail(f"{where}: does not hold a token")
    return token


def ask(place: Place, path: str, parameters: Mapping[str, str]) -> bytes:
    """What the collector answers to GET `path`.

    Any failure but these two ends the program with a line that says what to do.

    Raises:
        RefusedError: it says that this cannot be asked.
        NobodyAnswersError: nobody takes the connection.
    """
    status, kind, body = asyncio.run(_get(place, path, parameters))
    said = _said(kind, body)
    if status == HTTPStatus.BAD_REQUEST and said:
        raise RefusedError(said)
    if status != HTTPStatus.OK or kind not in _KINDS:
        fail(_why_not(place, status, said))
    return body


def _why_not(place: Place, status: int, said: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        missing = "the token is not valid, or no longer" if place.token else "a token is needed"
        return (
            f"{place.name}: {missing}; an administrator makes one with `collector token create`, "
            f"give it in {TOKEN_VARIABLE} or with --token-file"
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"{place.name} points to another address, and a token is not sent on: give the right one with --url"
    if said:
        return f"{place.name} could not answer ({status}): {said}"
    return f"{place.name} does not answer like a collector (status {status}); --url is the address of its reports"


async def _get(place: Place, path: str, parameters: Mapping[str, str]) -> tuple[int, str, bytes]:
    """Status, media type and body."""
    import aiohttp

    limit = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS)
    connector = aiohttp.UnixConnector(place.socket) if place.socket else aiohttp.TCPConnector()
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(
                f"{place.url}{path}",
                params=parameters,
                headers={"Authorization": f"Bearer {place.token}"} if place.token else {},
                allow_redirects=False,
                proxy=None if place.socket else _proxy(place.url),
            ) as response,
        ):
            return response.status, response.content_type, await _body(response, place.name)
    except (TimeoutError, aiohttp.ClientError, UnicodeError) as error:
        _explain(error, place.name)


async def _body(response: aiohttp.ClientResponse, name: str) -> bytes:
    parts, length = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > _LONGEST_ANSWER_BYTES:
            fail(f"{name}: the answer is longer than {_LONGEST_ANSWER_BYTES >> 20} MiB; ask for less time")
    return b"".join(parts)


def _explain(error: Exception, name: str) -> NoReturn:
    """Ends the program with what a failed connection means, or raises that nobody was there."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        fail(f"{name}: its certificate is not trusted; SSL_CERT_FILE names the certificates to trust")
    if isinstance(error, aiohttp.ClientSSLError):
        fail(f"{name}: does not speak TLS as it should")
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        raise NobodyAnswersError(f"{name} cannot be reached: the name has no address") from None
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        fail(f"{name} has not answered in {_ANSWER_SECONDS} seconds")
    if isinstance(error, aiohttp.ClientConnectorError):
        why = os.strerror(error.os_error.errno) if error.os_error.errno else "the connection failed"
        raise NobodyAnswersError(f"{name} cannot be reached: {why}") from None
    if isinstance(error, aiohttp.ServerDisconnectedError):
        raise NobodyAnswersError(f"{name} ended the connection without an answer") from None
    fail(f"{name} does not answer like a collector; --url is the address of its reports")


def _said(kind: str, body: bytes) -> str:
    """The text of an answer that is an error, fit for a terminal; empty if there is none."""
    if kind != "application/json":
        return ""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    text = answer.get("error") if isinstance(answer, dict) else None
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_SAID] if isinstance(text, str) else ""


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme != "https" or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get("https")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
