"""A stand-in for the collector that answers with exact bytes, and counts every connection."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 22\r\n\r\n{"outcome":"accepted"}'
VALID = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"outcome":"valid"}'
_PATIENCE_SECONDS = 10


class Request(NamedTuple):
    """One request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        fields = json.loads(self.body)
        assert isinstance(fields, dict)
        return fields


class Listener:
    """Answers each connection with the next of `script`, or 202; an answer of None is no answer, only an end.

    A function in the script is called while the client waits, and gives the answer.
    """

    def __init__(self) -> None:
        self.script: list[bytes | Callable[[], bytes | None] | None] = []
        self.connections = 0
        self.requests: list[Request] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        # A shutdown wakes the accept(), which a close alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(_PATIENCE_SECONDS)
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        # Unbuffered: what follows the request is not this method's to read.
        with connection.makefile("rb", buffering=0) as file:
            line = file.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                return
            headers: dict[str, str] = {}
            while header := file.readline().decode("latin-1").rstrip("\r\n"):
                name, _, value = header.partition(":")
                headers[name] = value.strip()
            length = next((int(value) for name, value in headers.items() if name.lower() == "content-length"), 0)
            self.requests.append(Request(line, headers, _read(file, length)))
            usual = VALID if "dry_run=1" in line else ACCEPTED
            answer = self.script.pop(0) if self.script else usual
            if callable(answer):
                answer = answer()
            if answer is not None:
                connection.sendall(answer)
        with contextlib.suppress(OSError):
            self.finish(connection)

    def finish(self, connection: socket.socket) -> None:
        """After the answer: the end, which a client waits for that was told no length."""
        connection.shutdown(socket.SHUT_WR)


def _read(file: IO[bytes], length: int) -> bytes:
    read = b""
    while len(read) < length and (more := file.read(length - len(read))):
        read += more
    return read


class Tunnel(Listener):
    """A proxy that lets everything through to one port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.target = port
        self.script = [b"HTTP/1.1 200 Connection established\r\n\r\n"]

    def finish(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target)) as other:
            back = threading.Thread(target=_pipe, args=(other, connection), daemon=True)
            back.start()
            _pipe(connection, other)
            back.join(5)


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
