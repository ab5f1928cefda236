"""`make bench`: what things cost on this machine, ours beside a floor, in turns within one run.

Ratios are what counts: machines differ and are noisy. Sizes and memory are absolute.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import uvloop

from collector.configuration import read_configuration
from collector.ingest.validation import Validator
from collector.settings import Settings
from schemas.reports import REPORTS, ImageBoot
from tests.conftest import BIN, PROJECT, children, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
BODY = json.dumps(
    {
        "report_id": "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44",
        "source": "cloud",
        "product": "wordpress",
        "product_version": "6.4.2-0",
        "os_version": "debian-12",
        "instance_type": "t3.micro",
        "language": "en-US",
    }
).encode()
PATH = "/v1/reports/image-boot/1"


def main() -> None:
    validation()
    help_time()
    client_sizes()
    with tempfile.TemporaryDirectory() as directory, running(Path(directory) / "data") as server, bare() as floor:
        ingest(server.ingest, floor)
        batches(server.ingest)
        memory(server.process.pid)


def validation() -> None:
    known = read_configuration(Settings(data=Path("unused")))
    validator = Validator(known.policy, known.catalogue, lambda _k, _d: "", lambda: "")
    report, day = REPORTS["image-boot/1"], dt.date(2026, 9, 14)
    ours, parse = [], []
    for _ in range(ROUNDS):
        ours.append(per_call(lambda: validator.validate_json(report, BODY, day)))
        parse.append(per_call(lambda: ImageBoot.model_validate_json(BODY)))
    show("validate one report to its row", ours, "us")
    show("  of that, parsing by the model alone", parse, "us", statistics.median(parse) / statistics.median(ours))


def per_call(call: Callable[[], object], n: int = 20_000) -> float:
    started = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - started) / n * 1e6


def help_time() -> None:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([BIN / "collector", "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - started) * 1e3)
    show("collector --help", times, "ms")


def client_sizes() -> None:
    files = list((PROJECT / "client_sdk/python/telemetry_client").glob("*"))
    size = sum(path.stat().st_size for path in files if path.is_file())
    print(f"{'Python client, all its files':<44}{size / 1024:>10.0f} KiB")


@contextlib.contextmanager
def bare() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parent / "bare_handler.py"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def ingest(ours: str, floor: str) -> None:
    for fresh, label in ((False, "keep-alive"), (True, "new connection")):
        rates: dict[str, list[float]] = {ours: [], floor: []}
        for _ in range(ROUNDS):
            for url, measured in rates.items():
                measured.append(uvloop.run(load(url, 1.5, fresh=fresh)))
        ratio = statistics.median(rates[ours]) / statistics.median(rates[floor])
        show(f"reports/s, {label}, validated and fsynced", rates[ours], "/s", ratio)
        show("  bare handler, in memory", rates[floor], "/s")


async def load(url: str, seconds: float, *, fresh: bool) -> float:
    """Requests a second from 32 senders in this process; on two cores the sender is often the slower one."""
    deadline = time.perf_counter() + seconds
    sent = 0

    async def send(session: aiohttp.ClientSession) -> None:
        nonlocal sent
        while time.perf_counter() < deadline:
            async with session.post(url + PATH, data=BODY, headers={"Content-Type": "application/json"}) as response:
                assert response.status == 202
            sent += 1

    connector = aiohttp.TCPConnector(limit=0, force_close=fresh)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(send(session) for _ in range(32)))
    return sent / seconds


def batches(url: str) -> None:
    body = (BODY + b"\n") * 1000

    async def send() -> float:
        async with aiohttp.ClientSession() as session:
            started = time.perf_counter()
            for _ in range(20):
                headers = {"Content-Type": "application/x-ndjson"}
                async with session.post(url + PATH, data=body, headers=headers) as response:
                    assert response.status == 202
            return 20_000 / (time.perf_counter() - started)

    show("reports/s, NDJSON in batches of 1000", [asyncio.run(send()) for _ in range(ROUNDS)], "/s")


def memory(supervisor: int) -> None:
    for pid in (supervisor, *children(supervisor)):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = next((word.decode() for word in command if word.startswith(b"collector.")), "supervisor")
        status = Path(f"/proc/{pid}/status").read_text()
        rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        print(f"{'peak memory of ' + name:<44}{rss / 1024:>10.0f} MiB")


def show(label: str, values: list[float], unit: str, ratio: float | None = None) -> None:
    middle, low, high = statistics.median(values), min(values), max(values)
    tail = f"   ratio {ratio:.2f}" if ratio is not None else ""
    print(f"{label:<44}{middle:>10,.1f} {unit:<3} ({low:,.1f} to {high:,.1f}){tail}")


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; median of {ROUNDS} rounds (min to max)")
    main()
