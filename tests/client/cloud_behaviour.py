"""The servers behind `clouds.py`: how a metadata service behaves in each mode."""

from __future__ import annotations

import contextlib
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from tests.client.cloud_services import TOKEN, Cloud, Said

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

MODES = (
    *("ok", "refuse", "unreachable", "drop", "hang", "slow", "drip", "redirect", "error", "empty", "garbage"),
    *("long", "endless", "bad-token", "no-token", "no-flavor"),
)
SLOW_SECONDS = 1.5
_LONGEST_SECONDS = 60


class Surroundings(Protocol):
    """What a server has to know."""

    cloud: Cloud
    mode: str
    is_over: threading.Event

    def record(self, to: str, method: str = "", path: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Remembers one request."""


class MetadataServer(ThreadingHTTPServer):
    """One address, port 80."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, there: Surroundings, address: str) -> None:
        self.there = there
        self.address = address
        super().__init__((address, 80), _Handler)

    def server_bind(self) -> None:
        # The usual one looks the host's name up.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.address, 80))

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is what some modes are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MetadataServer
    has_asked = False

    def do_GET(self) -> None:
        self.has_asked = True
        self.close_connection = True
        there, address = self.server.there, self.server.address
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(headers.get("content-length", "0")))
        there.record(address, self.command, self.path, headers)
        if address != there.cloud.address:
            self.say(Said(404))
        else:
            self._behave(there, there.cloud.answer(self.command, self.path, headers), headers)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def say(self, said: Said) -> None:
        self.send_response(said.status)
        for name, value in {**said.headers, "Content-Length": str(len(said.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    def finish(self) -> None:
        if not self.has_asked:
            self.server.there.record(self.server.address)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_arguments: object) -> None:
        pass

    def _behave(self, there: Surroundings, said: Said, headers: Mapping[str, str]) -> None:
        if there.mode == "hang":
            there.is_over.wait(_LONGEST_SECONDS)
            return
        if there.mode == "slow":
            there.is_over.wait(SLOW_SECONDS)
        if there.mode == "drip":
            self._drip(there.is_over)
        elif there.mode == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not there.is_over.is_set():
                self.wfile.write(b"m" * 4096)
        elif self.path == there.cloud.token_path:
            self.say(_changed_token(there.mode, said))
        else:
            self.say(_changed(there, self.command, self.path, said, headers))

    def _drip(self, is_over: threading.Event) -> None:
        text = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10 * _LONGEST_SECONDS
        for byte in text:
            if is_over.wait(0.1):
                return
            self.wfile.write(bytes([byte]))


_REDIRECT = Said(302, b"", {"Location": "/elsewhere"})


def _changed_token(mode: str, said: Said) -> Said:
    changed = {
        "redirect": _REDIRECT,
        "error": Said(500, TOKEN.encode()),
        "no-token": Said(404),
        "bad-token": Said(200, f"{TOKEN}\nInjected: {TOKEN}\n".encode()),
    }
    return changed.get(mode, said)


def _changed(there: Surroundings, method: str, path: str, said: Said, headers: Mapping[str, str]) -> Said:
    if there.mode == "redirect":
        return Said(200, b"redirected.large", said.headers) if path == "/elsewhere" else _REDIRECT
    if there.mode == "error":
        return Said(500, b"error.large", said.headers)
    if there.mode == "no-token":
        needs = {name.lower(): value for name, value in there.cloud.needs.items()}
        return there.cloud.answer(method, path, {**headers, **needs})
    if said.status != 200:
        return said
    changed = {
        "empty": said._replace(body=b""),
        "garbage": said._replace(body=b"<html> no \xff\x00 type </html>\n"),
        "long": said._replace(body=said.body + b" " * (16 * 1024)),
        "no-flavor": said._replace(headers={}),
    }
    return changed.get(there.mode, said)
