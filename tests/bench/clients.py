"""What a report costs the machine that sends it: each client beside `curl` with the same body.

    python -m tests.bench.clients [--rounds 7] [--format text|json]

All post over TLS to a server on this machine, in turns within a round; each number is the median, with the lowest and
the highest. CPU is that of every process a client started. Memory is that of its largest process, and needs `time`.
"Added" is how long the caller waits, the start of the process included.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = os.path.realpath(sys.executable)
PACKAGE = PROJECT / "client_sdk" / "python"
SHELL = PROJECT / "client_sdk" / "shell" / "telemetry-client"
TCL = PROJECT / "client_sdk" / "tcl"
PYZ = PROJECT / "dist" / "telemetry-client.pyz"
PRODUCT = ("--product", "wordpress", "--product-version", "6.4.2-0", "--os-version", "debian-12", "--language", "en-US")
PATH = "/v1/reports/image-boot/1"
MEASURES = {
    "cpu_ms": "CPU ms",
    "memory_mb": "memory MB",
    "foreground_ms": "added ms",
    "background_ms": "in background, added ms",
}
BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class Client:
    """One way to send: what is run, and the files it consists of."""

    name: str
    command: tuple[str, ...]
    files: tuple[Path, ...]
    is_ours: bool = True

    @property
    def size(self) -> int:
        return sum(file.stat().st_size for file in self.files)

    def send(self, url: str, state: str, *options: str) -> list[str]:
        if not self.is_ours:
            return [*self.command, url + PATH]
        return [*self.command, "send", "--url", url, "--state-dir", state, *PRODUCT, *options]


def clients() -> Iterator[Client]:
    """Those that are here."""
    package = PACKAGE / "telemetry_client"
    files = (*package.glob("*.py"), package / "permits.json")
    start = f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); from telemetry_client import __main__ as it; it.main()"
    yield Client("Python", (PYTHON, "-I", "-c", start), files)
    if PYZ.exists():
        yield Client("Python, one file", (PYTHON, "-I", str(PYZ)), (PYZ,))
    for shell, command in (("dash", ("dash",)), ("bash", ("bash",)), ("busybox", ("busybox", "sh"))):
        if shutil.which(shell):
            yield Client(f"shell, {shell}", (*command, str(SHELL)), (SHELL,))
    if shutil.which("tclsh"):
        yield Client("Tcl", ("tclsh", str(TCL / "telemetry.tcl")), (*TCL.glob("*.tcl"), *TCL.glob("lib/*.tcl")))
    curl = shutil.which("curl")
    if curl:
        options = ("-q", "-sS", "--proto", "=https", "--connect-timeout", "3", "-m", "8", "--data-binary", "@-")
        header = ("-H", "Content-Type: application/json")
        yield Client("curl, same body", (curl, *options, *header), (), is_ours=False)


class Meter:
    """Runs clients one at a time and measures them. url: the server; surroundings: their whole environment."""

    def __init__(self, url: str, surroundings: dict[str, str], directory: Path) -> None:
        self.url = url
        self.surroundings = surroundings
        self.directory = directory
        self.body = directory / "body.json"
        # A client that goes on in the background becomes this process's child, so its CPU time is counted too.
        ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)

    def round(self, client: Client) -> dict[str, float]:
        wall, cpu = self._run(client.send(self.url, self._state()))
        measured = {"cpu_ms": cpu * 1000, "foreground_ms": wall * 1000}
        if client.is_ours:
            measured["background_ms"] = self._run(client.send(self.url, self._state(), "--background"))[0] * 1000
        if shutil.which("time"):
            peak = self.directory / "peak"
            measuring = [str(shutil.which("time")), "-q", "-f", "%M", "-o", str(peak)]
            self._run([*measuring, *client.send(self.url, self._state())])
            measured["memory_mb"] = int(peak.read_text(encoding="ascii").split()[-1]) / 1024
        return measured

    def _state(self) -> str:
        # A place of its own each time: the second report of a boot would not be made.
        return tempfile.mkdtemp(dir=self.directory)

    def _run(self, command: list[str]) -> tuple[float, float]:
        """Seconds until the caller goes on, and seconds of CPU until nothing is left."""
        # Not to /dev/null: a notice that nobody can see holds a report back.
        with self.body.open("rb") as body, (self.directory / "notices").open("ab") as notices:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, env=self.surroundings, stdin=body, stdout=subprocess.DEVNULL, stderr=notices
            )
            _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        with contextlib.suppress(ChildProcessError):
            while True:
                _pid, _status, usage = os.wait4(-1, 0)
                cpu += usage.ru_utime + usage.ru_stime
        return wall, cpu


class Collector(BaseHTTPRequestHandler):
    """Takes everything and remembers the last body and how many there were."""

    bodies: list[bytes] = []  # noqa: RUF012 - one server, one list

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[tuple[str, Path]]:
    """A TLS server's address and the file of its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusted = directory / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}", trusted
    server.shutdown()
    server.server_close()


def measure(rounds: int) -> list[dict[str, Any]]:
    """One entry for each client: name, size in bytes, and each measure as median, lowest and highest."""
    with tempfile.TemporaryDirectory() as made, serving(Path(made)) as (url, trusted):
        # Nothing of the caller's environment: a CI variable would forbid.
        surroundings = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": made,
            "LANG": "C.UTF-8",
            "TELEMETRY": "on",
            "SSL_CERT_FILE": str(trusted),
            "CURL_CA_BUNDLE": str(trusted),
        }
        meter = Meter(url, surroundings, Path(made))
        meter.body.write_bytes(b"{}")
        found = list(clients())
        results: dict[str, list[dict[str, float]]] = {client.name: [] for client in found}
        for client in found:
            # The first run warms caches, and shows that the report arrives.
            arrived = len(Collector.bodies)
            meter.round(client)
            if len(Collector.bodies) == arrived:
                sys.exit(f"{client.name}: no report arrived; is telemetry off on this machine?")
            if client.is_ours:
                meter.body.write_bytes(Collector.bodies[-1])
        for _round in range(rounds):
            for client in found:
                results[client.name].append(meter.round(client))
    return [summary(client, results[client.name]) for client in found]


def summary(client: Client, rounds: list[dict[str, float]]) -> dict[str, Any]:
    told: dict[str, Any] = {"client": client.name, "size_bytes": client.size if client.is_ours else None}
    for name in MEASURES:
        values = [measured[name] for measured in rounds if name in measured]
        told[name] = (
            {"median": statistics.median(values), "lowest": min(values), "highest": max(values)} if values else None
        )
    return told


def table(told: list[dict[str, Any]]) -> str:
    rows = [["client", "size", *MEASURES.values()]]
    for client in told:
        size = client["size_bytes"]
        row = [client["client"], f"{size / 1000:.0f} kB" if size else "-"]
        for name in MEASURES:
            value = client[name]
            row.append("-")
            if value:
                row[-1] = f"{value['median']:.0f} ({value['lowest']:.0f} to {value['highest']:.0f})"
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.clients", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    arguments = parser.parse_args()
    told = measure(arguments.rounds)
    if arguments.format == "json":
        print(json.dumps({"clients": told}, indent=2))
        return
    print(table(told))
    if not shutil.which("time"):
        print("memory was not measured: `time` is missing")


if __name__ == "__main__":
    main()
