"""What closing a day costs: `python -m tests.bench.closing [--quick]`.

Days of made-up reports are closed by the real `collector publish`, a process of its own: its time without that of a
run that finds nothing to do, and the most memory it ever had. Then a real `collector serve` closes a day while reports
come at a fixed rate, each on a new connection: how long they wait, beside how long they wait afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from collector.publish.closing import REMEMBERED_DAYS
from collector.store.engine import open_embedded
from collector.store.migrate import migrate
from tests.abuse.memory import process
from tests.bench import database
from tests.bench.processes import memory_mib
from tests.bench.wording import BODY, PATH
from tests.conftest import BIN, running

ONE_DAY = dt.timedelta(days=1)
REPORTS_PER_SECOND = 500
_LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Closed:
    """What it cost to close a day: seconds, seconds of CPU, peak memory in MiB."""

    seconds: float
    cpu: float
    memory: float


def measure(quick: bool) -> database.Measured:
    few, many = (500_000, 2_000_000) if quick else (5_000_000, 50_000_000)
    a_day = 100_000 if quick else 1_000_000
    small, large = [], []
    for reports in (few, many, few):
        (large if reports == many else small).append(close(reports))
    remembering = close(a_day, remembered=a_day)
    waits = [ingest_while_closing(500_000 if quick else 5_000_000) for _ in range(1 if quick else 3)]
    growth = large[0].seconds / many / (statistics.median(one.seconds for one in small) / few)
    growth_of_cpu = large[0].cpu / many / (statistics.median(one.cpu for one in small) / few)
    memory = max(one.memory for one in large)
    p99 = [(after * 1e3, during * 1e3) for after, during, _ in waits]
    slower = statistics.median(during / after for after, during in p99)
    rows = [
        *_rows(f"a day of {few:,}", small, few),
        *_rows(f"a day of {many:,}", large, many),
        *_rows(f"{a_day:,}, as many on {REMEMBERED_DAYS} days before", [remembering], a_day),
        database.row("seconds per report of the long day to the short day", [growth], "x"),
        database.row("CPU per report of the long day to the short day", [growth_of_cpu], "x", "with merges beside it"),
        database.row("ingest p99, no day being closed", [after for after, _ in p99], "ms", f"{REPORTS_PER_SECOND}/s"),
        database.row("ingest p99 while a day is closed", [during for _, during in p99], "ms"),
        database.row("store process with one closed day, peak memory", [peak for *_, peak in waits], "MiB"),
    ]
    return {
        "rows": rows,
        "promises": [
            database.promise(
                f"peak memory, closing a day of {many:,}",
                "< 2,048 MiB",
                memory,
                holds=memory < 2048,
                bound_by="a set of 32-bit hashes and the engine's merge of parts",
            ),
            database.promise(
                f"seconds per report, {many:,} to {few:,}",
                "< 1.2 x",
                growth,
                holds=growth < 1.2,
                bound_by="merging more parts, and sets that outgrow the processor's caches",
            ),
            database.promise(
                "ingest p99 while a day is closed, to without",
                "<= 2 x",
                slower,
                holds=slower <= 2,
                bound_by="the engine's threads and ingest share the cores",
            ),
        ],
    }


def close(reports: int, remembered: int = 0) -> Closed:
    """Closes a day of so many reports, with `remembered` that counted on each day before that is still looked at."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        day = fill(data, reports, remembered)
        closing = publish(data, day)
        idle = publish(data, day)
    return Closed(closing.seconds - idle.seconds, closing.cpu - idle.cpu, closing.memory)


def fill(data: Path, reports: int, remembered: int = 0) -> dt.date:
    """Makes a data directory with a day that is over and not closed; which."""
    day = dt.datetime.now(dt.UTC).date() - ONE_DAY
    while day.weekday() == 6 or (day + ONE_DAY).day == 1:  # a week or a month is not to end with it
        day -= ONE_DAY
    (data / "lock").touch()
    engine = open_embedded(data / "engine")
    try:
        migrate(engine, day)
        if remembered:
            for ago in range(1, REMEMBERED_DAYS + 1):
                database.remember(engine, day - ago * ONE_DAY, remembered)
        database.receive(engine, day, reports)
    finally:
        engine.close()
    return day


def publish(data: Path, day: dt.date) -> Closed:
    """What a run of the real command costs."""
    began = time.perf_counter()
    publishing = subprocess.Popen(
        [BIN / "collector", "publish", "--data", data, "--through", day.isoformat()], stdout=subprocess.DEVNULL
    )
    memory = 0.0
    while True:
        memory = max(memory, memory_mib(publishing.pid, "VmHWM"))
        pid, status, usage = os.wait4(publishing.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(_LOOK_EVERY_SECONDS)
    publishing.returncode = os.waitstatus_to_exitcode(status)
    assert publishing.returncode == 0
    return Closed(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, memory)


def ingest_while_closing(reports: int) -> tuple[float, float, float]:
    """Seconds that one in a hundred reports waits at least, without and with a closing; MiB of the store process."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        data.mkdir()
        day = fill(data, reports)
        with running(data) as server:
            began = time.perf_counter()
            during = asyncio.run(_waits_while_closing(server.ingest, data / "run" / "control.sock", day))
            took = time.perf_counter() - began
            asyncio.run(asyncio.sleep(1))
            end = time.perf_counter() + max(took, 1)
            after = asyncio.run(waits(server.ingest, lambda: time.perf_counter() < end))
            store = process(server, "collector.storekeeper")
            return p99(after), p99(during), memory_mib(store, "VmHWM")


async def _waits_while_closing(url: str, control: Path, day: dt.date) -> list[float]:
    """The same as `collector publish` asks, without the time that a command takes to start."""

    async def close_it() -> None:
        # The collector closes what is over as soon as it has started; the answer comes after that.
        reader, writer = await asyncio.open_unix_connection(control)
        head = f"POST /publish?through={day} HTTP/1.1\r\nHost: collector\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.endswith(b'"waiting": []}'), answer
        writer.close()

    closing = asyncio.create_task(close_it())
    found = await waits(url, lambda: not closing.done())
    await closing
    return found


async def waits(url: str, goes_on) -> list[float]:
    """Sends at a fixed rate, however long answers take; seconds from when each report was due to its answer."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    found: list[float] = []

    async def send(due: float) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 202"), answer[:40]
        found.append(time.perf_counter() - due)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    due = time.perf_counter()
    async with asyncio.TaskGroup() as sending:
        while goes_on():
            sending.create_task(send(due))
            due += 1 / REPORTS_PER_SECOND
            await asyncio.sleep(max(0, due - time.perf_counter()))
    return found


def p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


def _rows(name: str, closed: list[Closed], reports: int) -> list[dict]:
    return [
        database.row(f"{name}: seconds per million", [one.seconds / reports * 1e6 for one in closed], "s"),
        database.row(f"{name}: CPU seconds per million", [one.cpu / reports * 1e6 for one in closed], "s"),
        database.row(f"{name}: time of the closing", [one.seconds for one in closed], "s"),
        database.row(f"{name}: peak memory", [one.memory for one in closed], "MiB"),
    ]


if __name__ == "__main__":
    database.main(measure)
