"""The OpenTelemetry Collector as something to measure: takes reports over HTTP, loads them into ClickHouse.

A report is the body of a log record. OTLP has an envelope and no NDJSON: a batch is one request with as many records.

What a 200 means: the request stands in the exporter's queue, a bbolt file, as a transaction of its own. With `fsync` it
went through `fdatasync` before, so it survives a power cut; without it only a kill. It is neither validated nor
known to be new: a retry counts twice, and so may what was under way to ClickHouse when the collector was killed. A
report leaves the queue once ClickHouse has taken it, which by its defaults does not sync what it writes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.otel.build import binary
from tests.clickhouse_server import free_port

CONFIG = Path(__file__).parent / "collector.yaml"
TABLE = "otel.reports"  # what the configuration calls it; a report is its column `Body`
HEADERS = {"Content-Type": "application/json"}
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True)
class OtelTarget:
    """A collector that runs.

    Attributes:
        url: takes a POST of what `enveloped` returns, with `HEADERS`; 200 is its acknowledgement.
        pid: of its only process.
    """

    url: str
    pid: int


def enveloped(reports: Sequence[bytes]) -> bytes:
    """Reports as one request in OTLP's JSON, each the body of a log record of now."""
    now = str(time.time_ns())
    records = [{"timeUnixNano": now, "body": {"stringValue": report.decode()}} for report in reports]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()


@contextlib.contextmanager
def serving(
    directory: Path, clickhouse_url: str, *, fsync: bool = True, cpu: int | None = None, creates_table: bool = True
) -> Iterator[OtelTarget]:
    """A collector on one processor, until the block ends; its queue and log stay in `directory` for the next one.

    Args:
        directory: for its queue and its log.
        clickhouse_url: as its exporter takes it, `tcp://127.0.0.1:PORT` or `http://127.0.0.1:PORT`.
        fsync: whether a report is synced to disk before it is acknowledged.
        cpu: the processor it is pinned to, if it is to be.
        creates_table: whether it makes its table at start; it then does not start while ClickHouse is away.

    Raises:
        NotAvailableError: it cannot be built on this machine.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = {
        "OTEL_PORT": str(port),
        "OTEL_STORAGE": os.fspath(directory / "queue"),
        "OTEL_FSYNC": json.dumps(fsync),
        "OTEL_CLICKHOUSE": clickhouse_url,
        "OTEL_CREATE_SCHEMA": json.dumps(creates_table),
        "GOMAXPROCS": "1",
    }
    log = directory / "log"
    with log.open("ab") as output, _pinned(cpu):
        process = subprocess.Popen(
            [binary(), f"--config=file:{CONFIG}"], env=os.environ | settings, stdout=output, stderr=output
        )
    try:
        _wait_until_it_answers(process, port, log)
        yield OtelTarget(f"http://127.0.0.1:{port}/v1/logs", process.pid)
    finally:
        _stop(process)


@contextlib.contextmanager
def _pinned(cpu: int | None) -> Iterator[None]:
    """What this thread starts meanwhile stays on `cpu`, with all of its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if cpu is None else {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the OpenTelemetry Collector does not answer"
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it as a service manager does; whoever killed it before has done so already."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
