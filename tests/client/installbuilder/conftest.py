"""A machine on which an installer with the component runs: its programs are started for real, by a real shell and curl.

InstallBuilder's part, which could not be had, is played by `question_page.Installer`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
import trustme

from tests.conftest import PROJECT, Server, missing, running
from tests.machine_choice import skip_where_the_machine_says_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOM = PROJECT / "client_sdk/installbuilder"
# Every program that send.sh may start; a machine without curl has the others.
TOOLS = ("sh", "cat", "chmod", "date", "grep", "mkdir", "mv", "od", "rm", "sed", "sleep", "tr")
PREFIX = "TELEMETRY_INSTALLER_"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("question_page", ROOM / "question_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


question_page = _load()


class Ended(NamedTuple):
    """What the installer's process sees of a program that it started."""

    code: int
    output: bytes
    seconds: float


class Machine:
    """A person's account on a machine, and an installed product.

    Args:
        directory: for everything.
        authority: whose certificates curl trusts.
        is_root: whether programs take the account for root's; the machine's own files are then below `root`.
    """

    def __init__(self, directory: Path, authority: Path, *, is_root: bool = False, has_curl: bool = True) -> None:
        self.root = directory / "root"
        self.home = directory / "home"
        self.installed = directory / "Pro\u00f6duct (x86)"
        self.arguments = ["--root", str(self.root)]
        programs = directory / "bin"
        for place in (self.root, self.home, self.installed / "telemetry", programs, directory / "tmp"):
            place.mkdir(parents=True)
        shutil.copy(ROOM / "send.sh", self.installed / "telemetry")
        for tool in (*TOOLS, *(["curl"] if has_curl else [])):
            (programs / tool).symlink_to(_found(tool))
        (programs / "id").write_text(f"#!/bin/sh\necho {0 if is_root else 1000}\n")
        (programs / "id").chmod(0o755)
        self.mark = secrets.token_hex(8)
        self.environment = {
            "PATH": str(programs),
            "HOME": str(self.home),
            "TMPDIR": str(directory / "tmp"),
            "CURL_CA_BUNDLE": str(authority),
            "MACHINE_MARK": self.mark,
        }
        self.consent = (
            self.root / "var/lib/telemetry-client/consent"
            if is_root
            else self.home / ".local/state/telemetry-client/consent"
        )

    def installer(self, url: str, **variables: str) -> Any:
        """An installer that starts here, on Linux if not told otherwise."""
        known = {
            "product_fullname": "InstallBuilder",
            "product_version": "25.7.0",
            "platform_name": "linux-x64",
            "linux_distribution_id": "Ubuntu",
            "linux_distribution_release": "24.04",
            "installation_language_code": "ja",
            "installer_command_line_arguments": "",
            "installdir": str(self.installed),
        }
        installer = question_page.Installer(known | variables, self.environment)
        installer.variables["telemetry_url"] = url
        return installer

    def run(self, installer: Any, *, shell: str = "", by_shell: bool = False) -> list[Ended]:
        """Starts what the installer started, as a program that collects output and waits for its end would.

        by_shell: as an installer would that hands the whole line to a shell; else its words are taken apart first.
        shell: the one that /bin/sh is.
        """
        ended = []
        for program, environment in installer.programs:
            line = f"{program.path} {program.arguments} {shlex.join(self.arguments)}"
            command = [_found("sh"), "-c", line] if by_shell else shlex.split(line)
            if shell:
                assert command[0] == "/bin/sh"
                command[:1] = shlex.split(shell)
            ended.append(self.start(command, environment, program.stdin))
        return ended

    def start(self, command: list[str], environment: Mapping[str, str], stdin: str | None = None) -> Ended:
        started = time.monotonic()
        result = subprocess.run(
            command,
            env=dict(environment),
            input=b"" if stdin is None else stdin.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        return Ended(result.returncode, result.stdout, time.monotonic() - started)

    def send(self, values: Mapping[str, str], stdin: str | None = None, *arguments: str, **environment: str) -> Ended:
        """Starts send.sh with these values as they are, past the component."""
        stated = {PREFIX + name: value for name, value in values.items()}
        if stdin is not None:
            arguments = ("--license-key-stdin", *arguments)
        command = ["/bin/sh", str(self.installed / "telemetry/send.sh"), *self.arguments, *arguments]
        return self.start(command, self.environment | stated | environment, stdin)

    def processes(self) -> list[int]:
        """What still runs of all that was started here."""
        mark = f"MACHINE_MARK={self.mark}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
        return found

    def wait_until_quiet(self, seconds: float = 20) -> float:
        """Until nothing that was started here runs any more; how long that took."""
        started = time.monotonic()
        while self.processes():
            assert time.monotonic() - started < seconds, "something is left"
            time.sleep(0.02)
        return time.monotonic() - started

    def stop(self) -> None:
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


class Peer:
    """A server on loopback, with TLS, that answers each POST with `status` and remembers the forms.

    Connections are counted when they are accepted, before any byte.
    """

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self.status = 202
        self.location = ""
        self.forms: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.drips_for = 0.0
        peer = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.bodies.append(body)
                peer.forms.append(dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)))
                peer.requests.append((self.path, dict(self.headers)))
                self.send_response(peer.status)
                if peer.location:
                    self.send_header("Location", peer.location)
                self.send_header("Content-Length", "100" if peer.drips_for else "0")
                self.end_headers()
                until = time.monotonic() + peer.drips_for
                with contextlib.suppress(OSError):
                    while time.monotonic() < until:
                        self.wfile.write(b"x")
                        time.sleep(0.2)

            def log_message(self, *_arguments: object) -> None:
                pass

        class TlsServer(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
                peer.connections += 1
                super().process_request(request, client_address)

            def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
                request.settimeout(15)
                with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as wrapped:
                    Handler(wrapped, client_address, self)

        self.server = TlsServer(("127.0.0.1", 0), Handler)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def wait_for(self, number: int, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while len(self.forms) < number:
            assert time.monotonic() < deadline, f"{len(self.forms)} of {number} came"
            time.sleep(0.01)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        missing(f"{tool} is missing")
    return path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def machines(tmp_path: Path, trusted: Path) -> Iterator[Callable[..., Machine]]:
    """Makes machines; nothing that was started on them outlives the test."""
    skip_where_the_machine_says_off()
    made: list[Machine] = []

    def make(**properties: bool) -> Machine:
        made.append(Machine(tmp_path / f"machine-{len(made)}", trusted, **properties))
        return made[-1]

    yield make
    for machine in made:
        machine.stop()


@pytest.fixture
def machine(machines: Callable[..., Machine]) -> Machine:
    return machines()


@pytest.fixture
def peers(authority: trustme.CA) -> Iterator[Callable[..., Peer]]:
    """Starts servers; `by` is who issued the certificate."""
    with contextlib.ExitStack() as stack:

        def start(by: trustme.CA = authority) -> Peer:
            peer = Peer(by.issue_cert("127.0.0.1"))
            stack.callback(peer.close)
            return peer

        yield start


@pytest.fixture
def peer(peers: Callable[..., Peer]) -> Peer:
    return peers()


@pytest.fixture(scope="module")
def tls_collector(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The project's own server with a certificate for 127.0.0.1; one address may send as much as it wants."""
    directory = tmp_path_factory.mktemp("collector")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate, key = directory / "chain.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--rate-burst", "1000"]
    with running(directory / "data", *options) as server:
        yield server
