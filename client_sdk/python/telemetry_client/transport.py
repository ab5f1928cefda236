"""One POST, bounded in time whatever the network does.

Invariants: certificates are always verified; redirects are never followed; no proxy is used; the body never
appears in an error; nothing raises for what the network does. DNS and a server that drips a byte at a time
ignore socket timeouts, so each exchange runs in a daemon thread that is left behind, its socket shut
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

if TYPE_CHECKING:
    import ssl

    from telemetry_client.endpoint import Endpoint

USER_AGENT = "product-telemetry/1"
TOTAL_SECONDS = 8.0
CONNECT_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Answer(NamedTuple):
    """What came back: HTTP status, outcome and field codes, seconds to wait; or status 0 and the trouble."""

    status: int
    outcome: str = ""
    field: str = ""
    retry_after: Optional[float] = None
    trouble: str = ""


class Deadline:
    """A moment on the monotonic clock that all steps together must not pass."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self._at - time.monotonic())


def post(endpoint: Endpoint, path: str, body: bytes, deadline: Deadline) -> Answer:
    """Posts `body` to `path` below the endpoint and returns before the deadline."""
    exchange = _Exchange(endpoint, path, body, deadline)
    thread = threading.Thread(target=exchange.run, name="telemetry-client", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if exchange.answers:
        return exchange.answers[0]
    exchange.abandon()
    return Answer(0, trouble="no answer in time")


class _Exchange:
    """One connection and one request on it; runs in its own thread."""

    def __init__(self, endpoint: Endpoint, path: str, body: bytes, deadline: Deadline) -> None:
        self.endpoint = endpoint
        self.target = endpoint.base_path + path
        self.body = body
        self.deadline = deadline
        self.connection: Optional[http.client.HTTPConnection] = None
        self.answers: List[Answer] = []

    def run(self) -> None:
        self.answers.append(self._answer())

    def abandon(self) -> None:
        """Ends a thread that still reads; without this a dripping server would keep it for ever."""
        sock = self.connection.sock if self.connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _answer(self) -> Answer:
        try:
            return self._exchange()
        except ImportError:
            return Answer(0, trouble="this Python has no TLS")
        except socket.gaierror:
            return Answer(0, trouble="the collector's name cannot be resolved")
        except socket.timeout:
            return Answer(0, trouble="no answer in time")
        except (OSError, ValueError, http.client.HTTPException) as error:
            # The class says enough; a text might quote what was sent or received.
            return Answer(0, trouble=f"connection failed ({type(error).__name__})")

    def _exchange(self) -> Answer:
        connection = self.connection = self._connection()
        try:
            connection.connect()
            connection.sock.settimeout(max(0.1, self.deadline.remaining()))
            # putrequest instead of request(): no header but these leaves this machine.
            connection.putrequest("POST", self.target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.endpoint.authority)
            connection.putheader("User-Agent", USER_AGENT)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(self.body)))
            connection.putheader("Connection", "close")
            connection.endheaders(self.body)
            return _read(connection.getresponse())
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.endpoint.host, self.endpoint.port
        seconds = min(CONNECT_SECONDS, max(0.1, self.deadline.remaining()))
        if self.endpoint.is_tls:
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=tls_context())
        return http.client.HTTPConnection(host, port, timeout=seconds)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and host name verified. Raises ImportError where Python has no TLS."""
    import ssl  # noqa: PLC0415 - minimal builds of Python come without it

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(response: http.client.HTTPResponse) -> Answer:
    text = response.read(MAX_ANSWER_BYTES + 1)
    outcome = field = ""
    with contextlib.suppress(ValueError, RecursionError):
        told = json.loads(text) if len(text) <= MAX_ANSWER_BYTES else None
        if isinstance(told, dict):
            outcome, field = _code(told.get("outcome")), _code(told.get("field"))
    return Answer(response.status, outcome, field, _retry_after(response.getheader("Retry-After")))


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
