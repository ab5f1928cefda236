"""One request, bounded in time whatever the network does.

Invariants: certificates are always verified, end to end also through a proxy; redirects are never followed; the
body never appears in an error; nothing raises for what the network does. DNS and a server that drips a byte at
a time ignore socket timeouts, so each exchange runs in a daemon thread that is left behind, its socket shut
down, when time is up.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, List, NamedTuple, Optional

from telemetry_client.connecting import Connecting, ProxyRefusedError, open_tunnel
from telemetry_client.version import USER_AGENT

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.endpoint import Endpoint
    from telemetry_client.proxy import Proxy

CONNECT_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Answer(NamedTuple):
    """What came back: HTTP status, outcome and field codes, seconds to wait; or status 0 and the trouble.

    was_handed: whether the body was handed to a connection, answered or not. content: what came, untrusted; empty
    where it was longer than `MAX_ANSWER_BYTES`.
    """

    status: int
    outcome: str = ""
    field: str = ""
    retry_after: Optional[float] = None
    trouble: str = ""
    was_handed: bool = False
    content: bytes = b""


def post(endpoint: Endpoint, path: str, body: bytes, deadline: Deadline, proxy: Optional[Proxy] = None) -> Answer:
    """Posts `body` to `path` below the endpoint and returns before the deadline."""
    return _run(_Exchange(endpoint, path, body, deadline, proxy))


def get(endpoint: Endpoint, path: str, deadline: Deadline, proxy: Optional[Proxy] = None) -> Answer:
    """Gets `path` below the endpoint and returns before the deadline; nothing of this machine is in the question."""
    return _run(_Exchange(endpoint, path, None, deadline, proxy))


def _run(exchange: _Exchange) -> Answer:
    thread = threading.Thread(target=exchange.run, name="telemetry-client", daemon=True)
    thread.start()
    thread.join(exchange.connecting.deadline.remaining())
    if exchange.answers:
        return exchange.answers[0]
    exchange.connecting.abandon()
    return Answer(0, trouble="no answer in time", was_handed=exchange.was_handed)


class _Exchange:
    """One connection and one request on it; runs in its own thread."""

    def __init__(
        self, endpoint: Endpoint, path: str, body: Optional[bytes], deadline: Deadline, proxy: Optional[Proxy]
    ) -> None:
        self.endpoint = endpoint
        self.target = endpoint.base_path + path
        self.body = body
        self.proxy = proxy
        self.connecting = Connecting(deadline)
        self.was_handed = False
        self.answers: List[Answer] = []

    def run(self) -> None:
        try:
            answer = self._answer()
        except Exception as error:  # noqa: BLE001 - the top of a thread, which would print the error with its text
            answer = Answer(0, trouble=f"internal error ({type(error).__name__})")
        self.answers.append(answer._replace(was_handed=self.was_handed))

    def _answer(self) -> Answer:
        try:
            return self._exchange()
        except ImportError:
            return Answer(0, trouble="this Python has no TLS")
        except ProxyRefusedError as error:
            return Answer(0, trouble=f"the proxy answered HTTP {error.status}" if error.status else "no proxy is there")
        except socket.gaierror:
            whose = "proxy" if self.proxy else "collector"
            return Answer(0, trouble=f"the {whose}'s name cannot be resolved")
        except socket.timeout:
            return Answer(0, trouble="no answer in time")
        except (OSError, ValueError, http.client.HTTPException) as error:
            # The class says enough; a text might quote what was sent or received.
            return Answer(0, trouble=f"connection failed ({type(error).__name__})")
        finally:
            self.connecting.release()

    def _exchange(self) -> Answer:
        connection = http.client.HTTPConnection(self.endpoint.host, self.endpoint.port)
        # Not its own connect(): that one can neither be given up nor verify through a proxy alike everywhere.
        connection.sock = self._connected()
        try:
            if self.connecting.is_abandoned:
                # Whoever waited has gone on, and has said that nothing was sent.
                raise socket.timeout
            connection.sock.settimeout(self.connecting.seconds_left())
            # putrequest instead of request(): no header but these leaves this machine.
            connection.putrequest(
                "GET" if self.body is None else "POST", self.target, skip_host=True, skip_accept_encoding=True
            )
            connection.putheader("Host", self.endpoint.authority)
            connection.putheader("User-Agent", USER_AGENT)
            if self.body is not None:
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(self.body)))
            connection.putheader("Connection", "close")
            self.was_handed = True
            connection.endheaders(self.body)
            return _read(connection.getresponse())
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        endpoint, proxy = self.endpoint, self.proxy
        if not endpoint.is_tls:
            return self.connecting.connect(endpoint.host, endpoint.port, CONNECT_SECONDS)
        from telemetry_client.tls import tls_context  # noqa: PLC0415 - minimal builds of Python have no TLS

        context = tls_context()
        host, port = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
        sock = self.connecting.connect(host, port, CONNECT_SECONDS)
        try:
            if proxy:
                open_tunnel(sock, endpoint, proxy)
            return context.wrap_socket(sock, server_hostname=endpoint.host)
        except BaseException:
            sock.close()
            raise


def _read(response: http.client.HTTPResponse) -> Answer:
    text = b""
    # The status line is the answer; a 202 whose explanation is cut short is a 202.
    with contextlib.suppress(OSError, http.client.HTTPException):
        text = response.read(MAX_ANSWER_BYTES + 1)
    outcome = field = ""
    with contextlib.suppress(ValueError, RecursionError):
        told = json.loads(text) if len(text) <= MAX_ANSWER_BYTES else None
        if isinstance(told, dict):
            outcome, field = _code(told.get("outcome")), _code(told.get("field"))
    retry_after = _retry_after(response.getheader("Retry-After"))
    return Answer(response.status, outcome, field, retry_after, content=text if len(text) <= MAX_ANSWER_BYTES else b"")


def _code(value: object) -> str:
    # A code is shown on a terminal and written to logs: nothing else from the network is.
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _retry_after(header: Optional[str]) -> Optional[float]:
    """Seconds to wait, from a number or a date; None where there is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None
