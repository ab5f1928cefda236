"""A worker's memory from nothing to millions of spooled reports, while the store takes none of them.

`make test-memory` spools MEMORY_REPORTS (5 million) and prints a line now and then. The store process is
stopped, as by a debugger, so that the spool really fills.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from collector.ingest.segment import count_rows
from tests.conftest import Server, children, running

PATH = "/v1/reports/image-boot/1"
LINES = 1000
SETTLED_REPORTS = 100_000
ALLOWED_GROWTH_MEGABYTES = 20
_VERSIONS = [f"{major}.{minor}.{patch}" for major in range(8) for minor in range(10) for patch in range(10)]


def process(server: Server, module: str) -> int:
    """The id of the server's process that runs `module`."""
    return next(p for p in children(server.process.pid) if module.encode() in Path(f"/proc/{p}/cmdline").read_bytes())


def resident_megabytes(pid: int) -> float:
    """Memory of a process that is not in any file, in MB: what the kernel could not just drop."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = sum(int(line.split()[1]) for line in lines if line.startswith(("Anonymous:", "Swap:")))
    return kilobytes / 1024


def batch(number: int) -> bytes:
    """A batch of reports with values as different as those of a fleet."""
    rows = [
        {
            "source": ("vm", "cloud", "container")[n % 3],
            "product": ("wordpress", "nginx", "redis")[n % 3],
            "product_version": _VERSIONS[(number * 7 + n) % len(_VERSIONS)],
            "os_version": f"debian-{n % 30}",
            "instance_type": f"m{n % 40}.large",
            "language": "de",
        }
        for n in range(LINES)
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


async def spool(url: str, reports: int, done: Callable[[int], None]) -> int:
    """Spools reports in batches over four connections; returns how many were accepted."""
    batches = iter(range(reports // LINES))
    bodies = [batch(n) for n in range(20)]
    accepted = 0

    async def send(session: aiohttp.ClientSession) -> None:
        nonlocal accepted
        for n in batches:
            async with session.post(
                url + PATH, data=bodies[n % len(bodies)], headers={"Content-Type": "application/x-ndjson"}
            ) as response:
                answer = await response.read()
                assert response.status == 202, response.status
                accepted += answer.count(b'"accepted"')
                done(accepted)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(send(session) for _ in range(4)))
    return accepted


def measure(directory: Path, reports: int, tell: Callable[[str], None] = lambda _: None) -> tuple[float, float]:
    """Spools reports into a server whose store is stopped.

    Returns:
        The worker's memory after the first 100,000 reports, and the most it had after that, in MB.
    """
    every = max(reports // 10, 50_000)
    with running(directory / "data", "--reserve-percent", "0", "--silent-process-seconds", "3600") as server:
        store, worker = process(server, "collector.storekeeper"), process(server, "collector.worker")
        os.kill(store, signal.SIGSTOP)
        try:
            levels: list[float] = []
            told = 0

            def look(accepted: int) -> None:
                nonlocal told
                if accepted >= SETTLED_REPORTS and (not levels or accepted % 20_000 < LINES):
                    levels.append(resident_megabytes(worker))
                if accepted - told >= every:
                    told = accepted
                    tell(
                        f"{accepted:>10,} reports spooled: worker {resident_megabytes(worker):.0f} MB, "
                        f"supervisor {resident_megabytes(server.process.pid):.0f} MB"
                    )

            accepted = asyncio.run(spool(server.ingest, reports, look))
            assert accepted == reports
            deadline = time.monotonic() + 30
            while list(server.data.glob("spool/*/open/*.ndjson")):
                assert time.monotonic() < deadline, "the last segment is not sealed"
                time.sleep(0.1)
            assert sum(count_rows(segment) for segment in server.data.glob("spool/*/sealed/*.ndjson")) == reports
        finally:
            os.kill(store, signal.SIGKILL)
    return levels[0], max(levels)


def main() -> int:
    reports = int(os.environ.get("MEMORY_REPORTS", "5000000"))
    with tempfile.TemporaryDirectory() as directory:
        first, most = measure(Path(directory), reports, lambda line: print(line, flush=True))  # noqa: T201
    print(f"after {SETTLED_REPORTS:,} reports {first:.1f} MB, at most {most:.1f} MB after that")  # noqa: T201
    return 0 if most - first <= ALLOWED_GROWTH_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
