"""A collector on a small disk with TLS, the parts beside it, and clients that send to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from collector.ingest.owned_files import sync_directory
from collector.ingest.pseudonyms import quarter
from collector.ingest.spool import SegmentWriter
from schemas.policy import SHIPPED_POLICY
from tests.clickhouse_server import ClickHouseServer, free_port
from tests.conftest import Server, children, collector, missing, start_server
from tests.monitoring.conftest import write_certificate
from tests.outage.fault_proxy import FaultProxy
from tests.sample_days import row

BOOT = "/v1/reports/image-boot/1"
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "os_version": "debian-12"}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
TODAY = dt.datetime.now(dt.UTC).date()
ONE_DAY = dt.timedelta(days=1)
BURST, IN_FLIGHT, SPOOL_BYTES = 50, 10, 1 << 20
DISK_MEGABYTES = 64
_OPTIONS = ["--seal-after-seconds", "0.5", "--load-every-seconds", "0.2", "--store-timeout-seconds", "3"]
_LIMITS = ["--max-spool-bytes", str(SPOOL_BYTES), "--max-in-flight", str(IN_FLIGHT), "--rate-burst", str(BURST)]
_LIMITS += ["--rate-per-second", "1", "--trusted-proxies", "127.0.0.1/32"]


@dataclass
class Site:
    """Everything that an alert may be about.

    Args:
        directory: for files that an operator wrote.
        disk: the small disk; the data directory is on it.
        store: the database.
        proxy: what lies between collector and database.
    """

    directory: Path
    disk: Path
    store: ClickHouseServer
    proxy: FaultProxy
    ports: dict[str, int] = field(default_factory=lambda: {n: free_port() for n in ("ingest", "reports", "metrics")})
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.policy = self.directory / "policy.toml"
        self.mistake = self.directory / "mistake"
        self.renew_certificate(TODAY + 90 * ONE_DAY)
        self.write_policy(TODAY + 900 * ONE_DAY)

    @property
    def data(self) -> Path:
        return self.disk / "data"

    def start(self) -> None:
        """Starts the collector, on the same ports each time."""
        files = {"policy": self.policy, "tls-certificate": self._chain, "tls-key": self._key}
        options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
        options += [part for name, port in self.ports.items() for part in (f"--{name}-port", str(port))]
        self.server = start_server(self.data, *self.store.options(self.proxy.port), *_OPTIONS, *_LIMITS, *options)

    def part_options(self, metrics_port: int) -> list[str]:
        """Options of `collector ingest` on the same store."""
        return [*self.store.options(self.proxy.port), *_OPTIONS, "--metrics-port", str(metrics_port)]

    def pid_of(self, module: str) -> int:
        """The process of the collector that runs a module."""
        deadline = time.monotonic() + 30
        while True:
            for pid in children(self.server.process.pid):
                with contextlib.suppress(OSError):
                    if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return pid
            assert time.monotonic() < deadline, f"no {module} runs"
            time.sleep(0.05)

    # What an operator does.

    def renew_certificate(self, ends: dt.date) -> None:
        self._chain, self._key = write_certificate(self.directory, dt.datetime.combine(ends, dt.time(12), dt.UTC))

    def write_policy(self, first_permit_ends: dt.date) -> None:
        text = SHIPPED_POLICY.read_text("utf-8")
        text = re.sub(r"expires = \S+", f"expires = {TODAY + 900 * ONE_DAY}", text)
        self.policy.write_text(re.sub(r"expires = \S+", f"expires = {first_permit_ends}", text, count=1), "utf-8")

    def reload(self, result: str) -> None:
        line = f'telemetry_reloads_total{{result="{result}"}}'
        before = self.server.metric(line)
        self.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while self.server.metric(line) == before:
            assert time.monotonic() < deadline, self.server.log.read_text()
            time.sleep(0.1)

    # What is in the spool.

    def put_segment(self, day: dt.date, *, readable: bool) -> None:
        """A sealed segment of a worker that is gone."""
        report_id = str(uuid.uuid4()) if readable else "no-id"
        content = json.dumps(row(day, report_id=report_id), default=str).encode() + b"\n"
        writer = SegmentWriter(self.data / "spool" / "w8", seal_after_bytes=1, reserve_percent=0)
        writer.append(day, content)

    def put_directory_for_a_segment(self, day: dt.date, age_seconds: float) -> Path:
        """What is no file that can be read: it is tried again and again."""
        stuck = self.data / "spool" / "w0" / "sealed" / f"{day}.stuck-000001.ndjson"
        stuck.mkdir()
        sync_directory(stuck.parent)
        return self.aged(stuck, age_seconds)

    def waiting_bytes(self) -> int:
        """How much waits this moment; the metric may be a second old."""
        return sum(path.stat().st_size for path in self.data.glob("spool/*/*/*.ndjson"))

    @staticmethod
    def aged(path: Path, seconds: float) -> Path:
        then = time.time() - seconds
        os.utime(path, (then, then))
        return path

    # What clients do.

    @contextlib.contextmanager
    def connection(self) -> Iterator[http.client.HTTPSConnection]:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        made = http.client.HTTPSConnection("127.0.0.1", urlsplit(self.server.ingest).port, context=context, timeout=30)
        try:
            yield made
        finally:
            made.close()

    def send(self, number: int, **fields: str) -> int:
        """A batch of so many reports; the status of its answer."""
        lines = [json.dumps(GOOD | {"report_id": str(uuid.uuid4())} | fields) for _ in range(number)]
        with self.connection() as connection:
            connection.request(
                "POST", BOOT, "\n".join(lines), {"Content-Type": "application/x-ndjson", **_from_anywhere()}
            )
            with connection.getresponse() as answer:
                answer.read()
                return answer.status

    def send_one_by_one(self, number: int, headers: dict[str, str]) -> list[int]:
        """So many reports, each in a request of its own."""
        statuses = []
        with self.connection() as connection:
            for _ in range(number):
                connection.request("POST", BOOT, json.dumps(GOOD), {"Content-Type": "application/json"} | headers)
                with connection.getresponse() as answer:
                    answer.read()
                    statuses.append(answer.status)
        return statuses

    def crowd(self) -> list[int]:
        """Reports while as many others as may be under way dawdle over their bodies; their statuses."""
        head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with contextlib.ExitStack() as slow, self.connection() as connection:
            connection.connect()
            for _ in range(IN_FLIGHT):
                plain = socket.create_connection(("127.0.0.1", self.ports["ingest"]), timeout=30)
                dawdling = slow.enter_context(context.wrap_socket(plain))
                dawdling.sendall(head.encode())
            time.sleep(0.05)
            statuses = []
            for _ in range(20):
                connection.request(
                    "POST", BOOT, json.dumps(GOOD), {"Content-Type": "application/json", **_from_anywhere()}
                )
                with connection.getresponse() as answer:
                    answer.read()
                    statuses.append(answer.status)
            return statuses


def _from_anywhere() -> dict[str, str]:
    """Each from an address of its own, as real clients mostly are."""
    return {"X-Forwarded-For": f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"}


class Pulse:
    """A few reports a second, whatever becomes of them: a collector that nobody sends anything to is a fault too."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._go_on = threading.Event()
        self._go_on.set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        self._go_on.clear()

    def resume(self) -> None:
        self._go_on.set()

    def end(self) -> None:
        self._end.set()
        self._go_on.set()
        self._thread.join(timeout=40)

    def _beat(self) -> None:
        while not self._end.wait(0.3):
            self._go_on.wait()
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._site.send(1)


@contextlib.contextmanager
def failing_disk(pid: int, fault: str) -> Iterator[None]:
    """A process whose every fdatasync meets `fault` (as strace writes it), all threads of it, until the end."""
    if shutil.which("strace") is None:
        missing("strace is needed")
    command = ["strace", "-f", "-q", "-e", "trace=fdatasync", "-e", f"inject=fdatasync:{fault}", "-p", str(pid)]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not all(_tracer_of(thread) == tracer.pid for thread in Path(f"/proc/{pid}/task").iterdir()):
            if tracer.poll() is not None:
                missing("this process may not be traced by strace")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=20)


def _tracer_of(thread: Path) -> int:
    try:
        return int(re.findall(r"TracerPid:\s+(\d+)", (thread / "status").read_text())[0])
    except OSError:
        return 0


def copy_peppers(site: Site, data: Path) -> Path:
    """A data directory for another collector on the same store: this quarter's pepper, and two more."""
    secrets = data / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    (data / "spool").mkdir(mode=0o700)
    name = f"pepper-{quarter(TODAY)}"
    shutil.copy2(site.data / "secrets" / name, secrets / name)
    day = TODAY
    for _ in range(2):
        day = (day.replace(day=1) + dt.timedelta(days=100)).replace(day=1)
        first = day.replace(month=(day.month - 1) // 3 * 3 + 1)
        collector("pepper", "make", quarter(first), "--data", str(data))
        day = first
    return secrets
