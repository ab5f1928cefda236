"""A stand-in for the collector on a real socket, fake machines in a directory, and the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme

import telemetry_client
from telemetry_client.machine import Machine
from tests.machine_choice import skip_where_the_machine_says_off

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from telemetry_client.client import Client

    Place = Callable[[str, str], None]
    BuildMachine = Callable[..., Machine]
    OpenAt = Callable[..., Client]

PACKAGE_PARENT = Path(telemetry_client.__file__).parent.parent


class Received(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.body)


class Scripted(NamedTuple):
    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b"{}"


class Collector:
    """Answers every POST with the next scripted answer, or 202; remembers all connections and requests."""

    def __init__(self) -> None:
        self.script: list[Scripted] = []
        self.received: list[Received] = []
        self.connections = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.received.append(Received(self.path, dict(self.headers), body))
                dry = Scripted(200, {}, b'{"outcome":"valid"}')
                usual = dry if "dry_run=1" in self.path else Scripted(202, {}, b'{"outcome":"accepted"}')
                answer = collector.script.pop(0) if collector.script else usual
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def do_GET(self) -> None:
                collector.received.append(Received(self.path, dict(self.headers), b""))
                self.send_error(405)

            def log_message(self, *_arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
                collector.connections += 1
                super().process_request(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def answer(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> None:
        self.script.append(Scripted(status, headers or {}, body))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice of the person who runs the tests neither decides them nor is changed by them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The fake machine's `/`."""
    directory = tmp_path / "root"
    directory.mkdir()
    return directory


@pytest.fixture
def place(root: Path) -> Place:
    """Puts a file into the fake machine."""

    def put(absolute: str, text: str) -> None:
        path = root / absolute.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return put


@pytest.fixture
def machine(root: Path) -> BuildMachine:
    """A fake machine with this environment and these other properties."""

    def build(environ: Mapping[str, str] | None = None, **properties: str | bool | int) -> Machine:
        return Machine(root=str(root), environ=environ or {}, **properties)

    return build


class Cli:
    """Runs the real command in a process of its own, with an environment that holds nothing unasked."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state
        self.python = sys.executable

    def __call__(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", has_own_state: bool = True
    ) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.defpath, "PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(self.state.parent)}
        places = ["--root", str(self.root), *(["--state-dir", str(self.state)] if has_own_state else [])]
        command, *rest = arguments
        return subprocess.run(
            [self.python, "-W", "error", "-m", "telemetry_client", command, *places, *rest],
            env={**environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def cli(root: Path, tmp_path: Path) -> Cli:
    skip_where_the_machine_says_off()
    return Cli(root, tmp_path / "state")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The variable that makes every TLS library here trust the test's authority."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return {"SSL_CERT_FILE": str(file)}
