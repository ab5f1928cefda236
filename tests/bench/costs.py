"""Measures what a report costs, for `collector capacity`: `python -m tests.bench.costs [--write]`.

Prints `collector/capacity/costs.json` as it would be, or writes it. CPU time is what the kernel counts for the one
process that does the work. Measure on a machine that does nothing else: on a busy one a worker wakes for fewer reports
at once, and each costs it several times as much. About six minutes on two cores.

    worker, loading   a real `serve` with one worker; a sender on the same machine, each way of connecting in turn
    closing           a day of so many reports after a month of days like it, at two sizes, because what it costs for a
                      report grows with the day
    sizes             the same store's tables, a spool's files, a real backup
    cells             a simulated month of 200 products, really released
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import multiprocessing
import os
import platform
import ssl
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import aiohttp
import trustme
import uvloop

from collector import logs
from collector.capacity.costs import COSTS, Measured, updated
from tests.bench.closing_costs import closings, memory_mib
from tests.bench.wording import BODY, PATH
from tests.conftest import Server, children, running
from tests.utility.world import simulate

ROUNDS = 3
SECONDS = 4.0
SENDERS = 64
BATCHES, LINES = 300, 1000
CELLS_REPORTS_A_DAY, MADE_UP_PRODUCTS = 100_000, 150
WIRE = "bytes of the loopback interface meanwhile, so with those of anybody else on it"
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="write the file instead of printing it")
    write = parser.parse_args().write
    be_quiet()
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(ROUNDS):
            for measure in (serving, serving_tls):
                found = lowest(found, measure(Path(directory) / f"{measure.__name__}-{number}"))
        found |= in_a_process(closings, Path(directory))
        found |= in_a_process(cells, Path(directory) / "cells")
    text = updated(found, dt.datetime.now(dt.UTC).date(), machine())
    if write:
        COSTS.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def be_quiet() -> None:
    """Keeps what is logged out of what is printed, in each process."""
    logs.configure("text", "bench", quiet=True)


def lowest(before: dict[str, Measured], now: dict[str, Measured]) -> dict[str, Measured]:
    """Each figure from the round in which it was lowest: what else runs on a machine only adds to it."""
    return before | {name: min(now[name], before.get(name, now[name])) for name in now}


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} virtual cores ({model}), {gibibytes:.0f} GiB, Python {platform.python_version()}"


def in_a_process(measure: Callable[[Path], dict[str, Measured]], directory: Path) -> dict[str, Measured]:
    """Measures in a process of its own, whose CPU time and memory are those of an engine alone."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=be_quiet) as process:
        return process.submit(measure, directory).result()


def cpu_us(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK * 1e6


def process(server: Server, module: str) -> int:
    return next(p for p in children(server.process.pid) if module.encode() in Path(f"/proc/{p}/cmdline").read_bytes())


def serving(data: Path) -> dict[str, Measured]:
    """The worker without TLS, and loading."""
    with running(data, "--rate-per-second", "0") as server:
        worker, store = process(server, "collector.worker"), process(server, "collector.storekeeper")
        memory = {
            "supervisor_mib": Measured(
                memory_mib(server.process.pid, "VmRSS"), "resident, of a `serve` that has just started"
            ),
            "store_idle_mib": Measured(memory_mib(store, "VmRSS"), "resident, of a `serve` that has just started"),
        }
        keepalive, kept_wire = per_report(worker, lambda: uvloop.run(load(server.ingest, fresh=False)))
        new, new_wire = per_report(worker, lambda: uvloop.run(load(server.ingest, fresh=True)))
        server.wait_until_loaded(60)
        before = cpu_us(store)
        batch, batch_wire = per_report(worker, lambda: uvloop.run(batches(server.ingest)))
        server.wait_until_loaded(60)
        time.sleep(10)  # until what was loaded is merged
        loading = (cpu_us(store) - before) / (BATCHES * LINES)
        how = f"lowest of {ROUNDS}: CPU of the worker over {SECONDS:.0f} s of {SENDERS} senders"
        return memory | {
            "worker_keepalive_us": Measured(keepalive, f"{how}, connections kept open"),
            "worker_new_us": Measured(new, f"{how}, a connection a report, no TLS"),
            "worker_batch_us": Measured(
                batch, f"lowest of {ROUNDS}: CPU of the worker over {BATCHES} NDJSON batches of {LINES:,}"
            ),
            "store_load_us": Measured(
                loading, f"lowest of {ROUNDS}: CPU of the store process while {BATCHES * LINES:,} reports came"
            ),
            "worker_mib": Measured(memory_mib(worker, "VmRSS"), "resident, after all of that"),
            "wire_keepalive_bytes": Measured(kept_wire, WIRE),
            "wire_new_bytes": Measured(new_wire, WIRE),
            "wire_batch_bytes": Measured(batch_wire, WIRE),
        }


def serving_tls(data: Path) -> dict[str, Measured]:
    """The worker with a TLS handshake for each report."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = data.with_suffix(".pem"), data.with_suffix(".key")
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options = ("--rate-per-second", "0", "--tls-certificate", str(certificate), "--tls-key", str(key))
    with running(data, *options) as server:
        url = server.ingest.replace("127.0.0.1", "localhost")
        worker = process(server, "collector.worker")
        cost, wire = per_report(worker, lambda: uvloop.run(load(url, fresh=True, trusting=trusting)))
    how = f"lowest of {ROUNDS}: CPU of the worker over {SECONDS:.0f} s of {SENDERS} senders, "
    how += "a TLS 1.3 handshake a report, P-256 key"
    return {"worker_tls_us": Measured(cost, how), "wire_tls_bytes": Measured(wire, WIRE)}


def per_report(pid: int, sending: Callable[[], int]) -> tuple[float, float]:
    """Microseconds of CPU of a process, and bytes on the loopback, for each report that is sent meanwhile."""
    before, wire = cpu_us(pid), loopback_bytes()
    sent = sending()
    return (cpu_us(pid) - before) / sent, (loopback_bytes() - wire) / sent


def loopback_bytes() -> int:
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


async def load(url: str, *, fresh: bool, trusting: ssl.SSLContext | None = None) -> int:
    deadline = time.perf_counter() + SECONDS
    sent = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal sent
        while time.perf_counter() < deadline:
            async with session.post(url + PATH, data=BODY, headers={"Content-Type": "application/json"}) as response:
                assert response.status == 202
            sent += 1

    connector = aiohttp.TCPConnector(limit=0, force_close=fresh, ssl=trusting or True)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(one(session) for _ in range(SENDERS)))
    return sent


async def batches(url: str) -> int:
    report = json.loads(BODY)
    del report["report_id"]
    body = (json.dumps(report).encode() + b"\n") * LINES
    async with aiohttp.ClientSession(headers={"Content-Type": "application/x-ndjson"}) as session:
        for _ in range(BATCHES):
            async with session.post(url + PATH, data=body) as response:
                assert response.status == 202
    return BATCHES * LINES


def cells(directory: Path) -> dict[str, Measured]:
    """Cells that a month of many reports really brings, in all grains."""
    directory.mkdir()
    world = simulate(directory, CELLS_REPORTS_A_DAY, lambda _what: None, made_up_products=MADE_UP_PRODUCTS)
    released = world.release("standard", lambda _what: None)
    each = len(released) / (28 * len(world.products))
    how = f"{len(released):,} cells of {len(world.products)} products in 28 days, {CELLS_REPORTS_A_DAY:,} reports a day"
    return {"cells_per_product_day": Measured(each, f"{how}; more reports bring more")}


if __name__ == "__main__":
    main()
