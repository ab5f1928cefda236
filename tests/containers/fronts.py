"""The real nginx and the real Caddy with the shipped configurations, on loopback, in a directory of their own.

What a test changes in a configuration is where it finds things: port, certificates, and what stands behind it.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from tests.clickhouse_server import free_port
from tests.conftest import PROJECT, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FRONT = PROJECT / "deploy" / "front"
FILES = {"nginx": FRONT / "nginx.conf.template", "caddy": FRONT / "Caddyfile"}
# The first is one that a client finds without a name service.
TELEMETRY, USAGE, GRAFANA = "localhost", "usage.example.com", "grafana.example.com"
NAMES = {"TELEMETRY_HOST": TELEMETRY, "USAGE_HOST": USAGE, "GRAFANA_HOST": GRAFANA}
# Where a stranger connects from: an address that nothing else here has.
STRANGER = "127.0.0.9"


@dataclass(frozen=True)
class Certificates:
    """A server's pair and the authority that it is believed by."""

    pair: Path
    authority: Path


def certificates(directory: Path) -> Certificates:
    authority = trustme.CA()
    made = authority.issue_cert(TELEMETRY, USAGE, GRAFANA)
    made.private_key_and_cert_chain_pem.write_to_path(directory / "pair.pem")
    authority.cert_pem.write_to_path(directory / "authority.pem")
    return Certificates(directory / "pair.pem", directory / "authority.pem")


@dataclass(frozen=True)
class Front:
    """A running proxy; everything it writes is in its directory."""

    process: subprocess.Popen[bytes]
    port: int
    directory: Path
    authority: Path

    def written(self) -> bytes:
        """All that it has written anywhere: its directory, and where a package's own configuration would log."""
        places = [self.directory, Path("/var/log/nginx"), Path("/var/lib/nginx"), Path("/var/log/caddy")]
        files = [file for place in places for file in place.rglob("*") if file.is_file()]
        return b"".join(file.read_bytes() for file in files if file.name not in {"pair.pem", "authority.pem"})

    def connect(self, host: str, address: str = STRANGER) -> ssl.SSLSocket:
        """A TLS connection to it under this name."""
        context = ssl.create_default_context(cafile=str(self.authority))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(address, 0))
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        host: str = TELEMETRY,
    ) -> tuple[int, str]:
        """Status and text of an answer."""
        with self.connect(host) as secure, contextlib.closing(http.client.HTTPConnection(host)) as connection:
            connection.sock = secure
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def say(self, text: bytes, host: str = TELEMETRY) -> bytes:
        """What it answers to bytes that need be no request."""
        with self.connect(host) as secure:
            secure.sendall(text)
            with contextlib.suppress(OSError):
                return secure.recv(65536)
        return b""


@contextlib.contextmanager
def front(
    kind: str, directory: Path, behind: Mapping[str, str], change: Mapping[str, str] | None = None
) -> Iterator[Front]:
    """Runs the proxy.

    Args:
        kind: nginx or caddy.
        directory: an empty one.
        behind: where it finds `collector:8080` and the others, by that name.
        change: texts of the configuration to replace with others.
    """
    if shutil.which(kind, path=f"{os.environ['PATH']}:/usr/sbin") is None:
        missing(f"{kind} is missing")
    pair = certificates(directory)
    port = free_port()
    found = {
        "listen 8443": f"listen 127.0.0.1:{port}",
        "https_port 8443": f"https_port {port}",
        "/tmp/": f"{directory}/",  # noqa: S108 - in the proxy's container
    }
    found |= {"/run/secrets/tls-certificate": str(pair.pair), "/run/secrets/tls-key": str(pair.pair)}
    text = FILES[kind].read_text(encoding="utf-8")
    for name in (*behind, *(change or {})):
        assert name in text, f"{name} does not stand in {FILES[kind].name}"
    for name, value in (found | dict(behind) | dict(change or {})).items():
        text = text.replace(name, value)
    for name, value in NAMES.items():
        text = text.replace(f"${{{name}}}", value)
    (directory / FILES[kind].name).write_text(text, encoding="utf-8")
    environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin", "HOME": str(directory)} | NAMES
    environment["CERTIFICATE"] = f"tls {pair.pair} {pair.pair}"
    command = {
        # The test's directories are for its own user alone.
        "nginx": ["nginx", "-p", directory, "-c", directory / FILES[kind].name, "-g", "daemon off; user root;"],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", directory / FILES[kind].name],
    }[kind]
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    running = Front(process, port, directory, pair.authority)
    try:
        _wait_for(running)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(running: Front) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert running.process.poll() is None, (running.directory / "output").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", running.port), timeout=1):
            return
        assert time.monotonic() < deadline, (running.directory / "output").read_text()
        time.sleep(0.05)
