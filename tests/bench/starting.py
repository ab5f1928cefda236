"""How soon commands answer, and what a store process takes that has nothing to do."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.processes import resident_megabytes
from tests.bench.row import Row, row
from tests.bench.wording import BODY, PATH
from tests.clickhouse_server import free_port
from tests.conftest import BIN, children

HELP = "collector --help"
ACCEPTED = "collector serve, from its start to the first 202"
IDLE = "store process, idle"
_GIVE_UP_SECONDS = 60
# The store opens its engine after the workers take reports, and is idle once it has loaded that report.
_IDLE_AFTER_SECONDS = 5


def measure(quick: bool) -> dict[str, list[Row]]:
    times, accepted, idle = [], [], []
    for _ in range(3 if quick else 7):
        started = time.perf_counter()
        subprocess.run([BIN / "collector", "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - started) * 1e3)
    for number in range(2 if quick else 5):
        with tempfile.TemporaryDirectory() as directory:
            seconds, megabytes = _serve(Path(directory), looks=number == 0)
        accepted.append(seconds)
        idle += megabytes
    return {"rows": [row(HELP, times, "ms"), row(ACCEPTED, accepted, "s"), row(IDLE, idle, "MB")]}


def _serve(directory: Path, *, looks: bool) -> tuple[float, list[float]]:
    """Seconds from a start on an empty directory to the first 202, and the idle store's memory if asked for."""
    port = free_port()
    ports = ["--ingest-port", str(port), "--reports-port", "0", "--metrics-port", "0"]
    with (directory / "log").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [BIN / "collector", "serve", "--data", directory / "data", *ports], stdout=log, stderr=log
        )
    try:
        while not _accepts(port):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.perf_counter() - started < _GIVE_UP_SECONDS, "no report is taken"
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        if not looks:
            return seconds, []
        time.sleep(_IDLE_AFTER_SECONDS)
        stores = [
            one
            for one in children(process.pid)
            if b"collector.storekeeper" in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        ]
        return seconds, [resident_megabytes(one) for one in stores]
    finally:
        process.terminate()
        process.wait()


def _accepts(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", PATH, BODY, {"Content-Type": "application/json"})
        return connection.getresponse().status == 202
    except OSError:
        return False
    finally:
        connection.close()
