"""A TCP connection that another thread can give up, and the way through a proxy.

A socket's timeout is for each step alone, so a peer that drips holds a thread for ever; and while TLS is being
set up no other thread can reach the socket. Here a second handle on the same connection is kept, through which
it can be shut down at any time.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.endpoint import Endpoint
    from telemetry_client.proxy import Proxy

_MAX_PROXY_ANSWER_BYTES = 16 * 1024
_PROXY_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")


class ProxyRefusedError(OSError):
    """The proxy does not connect. status: what it answered; 0 where that was not HTTP."""

    def __init__(self, status: int) -> None:
        super().__init__("the proxy does not connect")
        self.status = status


class Connecting:
    """Makes one connection after another, and gives the last one up when it is told to."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.is_abandoned = False
        self._held: Optional[socket.socket] = None

    def connect(self, host: str, port: int, most_seconds: float) -> socket.socket:
        """A connection to the first address of `host` that takes one, `most_seconds` for each."""
        failure: OSError = socket.timeout()
        for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            left = self.deadline.remaining()
            if self.is_abandoned or not left:
                raise socket.timeout
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(min(most_seconds, left))
                sock.connect(address)
                self.release()
                self._held = sock.dup()
                if self.is_abandoned:
                    raise socket.timeout
            except OSError as error:
                sock.close()
                failure = error
            else:
                sock.settimeout(self.seconds_left())
                return sock
        raise failure

    def seconds_left(self) -> float:
        """What a socket may wait for its next step."""
        return max(0.1, self.deadline.remaining())

    def abandon(self) -> None:
        """Ends whatever another thread does on the connection."""
        self.is_abandoned = True
        held = self._held
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Lets go of the second handle; without this the peer would not see the end."""
        held, self._held = self._held, None
        if held is not None:
            held.close()


def open_tunnel(sock: socket.socket, endpoint: Endpoint, proxy: Proxy) -> None:
    """Asks the proxy at the other end to connect to the collector. Raises ProxyRefusedError."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    target = f"{host}:{endpoint.port}".encode("ascii")
    request = b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n"
    if proxy.credentials:
        request += b"Proxy-Authorization: Basic " + base64.b64encode(proxy.credentials) + b"\r\n"
    sock.sendall(request + b"\r\n")
    answer = b""
    # Byte by byte: what comes after the headers is not the proxy's any more.
    while not answer.endswith(b"\r\n\r\n") and len(answer) < _MAX_PROXY_ANSWER_BYTES:
        received = sock.recv(1)
        if not received:
            break
        answer += received
    match = _PROXY_STATUS.match(answer)
    if match is None or not answer.endswith(b"\r\n\r\n"):
        raise ProxyRefusedError(0)
    if not match.group(1).startswith(b"2"):
        raise ProxyRefusedError(int(match.group(1)))
