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
import datetime as dt
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from collector import logs
from collector.capacity.costs import COSTS, Measured, updated
from tests.abuse.memory import process
from tests.bench.closing_costs import closings
from tests.bench.load import Load, Mode, send
from tests.bench.machine import processor
from tests.bench.processes import cpu_seconds, memory_mib
from tests.bench.targets.ours import certificate_for_localhost
from tests.bench.wording import Wording
from tests.conftest import Server, running
from tests.utility.world import simulate

ROUNDS = 3
SECONDS = 4.0
LINES = 100
CELLS_REPORTS_A_DAY, MADE_UP_PRODUCTS = 100_000, 150
WIRE = "bytes of the loopback interface meanwhile, so with those of anybody else on it"


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
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} virtual cores ({processor()}), {gibibytes:.0f} GiB, Python {platform.python_version()}"


def in_a_process(measure: Callable[[Path], dict[str, Measured]], directory: Path) -> dict[str, Measured]:
    """Measures in a process of its own, whose CPU time and memory are those of an engine alone."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=be_quiet) as pool:
        return pool.submit(measure, directory).result()


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
        to = to_ingest(server, "keep-alive")
        kept = per_report(worker, to)
        new = per_report(worker, replace(to, mode="new connection"))
        server.wait_until_loaded(60)
        before = cpu_seconds(store)
        batch = per_report(worker, replace(to, lines=LINES))
        server.wait_until_loaded(60)
        time.sleep(10)  # until what was loaded is merged
        loading = (cpu_seconds(store) - before) * 1e6 / batch.reports
        how = f"lowest of {ROUNDS}: CPU of the worker over {SECONDS:.0f} s of {to.connections} connections at once"
        return memory | {
            "worker_keepalive_us": Measured(kept.cpu_us, f"{how}, connections kept open"),
            "worker_new_us": Measured(new.cpu_us, f"{how}, a connection a report, no TLS"),
            "worker_batch_us": Measured(
                batch.cpu_us, f"lowest of {ROUNDS}: CPU of the worker over {SECONDS:.0f} s of NDJSON batches of {LINES}"
            ),
            "store_load_us": Measured(
                loading, f"lowest of {ROUNDS}: CPU of the store process while {batch.reports:,} reports came"
            ),
            "worker_mib": Measured(memory_mib(worker, "VmRSS"), "resident, after all of that"),
            "wire_keepalive_bytes": Measured(kept.wire, WIRE),
            "wire_new_bytes": Measured(new.wire, WIRE),
            "wire_batch_bytes": Measured(batch.wire, WIRE),
        }


def serving_tls(data: Path) -> dict[str, Measured]:
    """The worker with a TLS handshake for each report."""
    certificate, key, authority = certificate_for_localhost(data.with_suffix(".tls"))
    options = ("--rate-per-second", "0", "--tls-certificate", str(certificate), "--tls-key", str(key))
    with running(data, *options) as server:
        to = replace(to_ingest(server, "new connection"), authority=str(authority))
        one = per_report(process(server, "collector.worker"), to)
    how = f"lowest of {ROUNDS}: CPU of the worker over {SECONDS:.0f} s of {to.connections} connections at once, "
    how += "a TLS 1.3 handshake a report, P-256 key"
    return {"worker_tls_us": Measured(one.cpu_us, how), "wire_tls_bytes": Measured(one.wire, WIRE)}


def to_ingest(server: Server, mode: Mode) -> Load:
    host, port = urlsplit(server.ingest).netloc.split(":")
    return Load(host, int(port), Wording(), mode, SECONDS)


class Report(NamedTuple):
    """What one of `reports` cost: microseconds of CPU, bytes on the loopback."""

    cpu_us: float
    wire: float
    reports: int


def per_report(pid: int, load: Load) -> Report:
    """What a process spends on each report of a load."""
    before, wire = cpu_seconds(pid), loopback_bytes()
    sent = send(load)
    assert set(sent.statuses) == {"202"}, sent
    spent = (cpu_seconds(pid) - before) * 1e6
    return Report(spent / sent.reports, (loopback_bytes() - wire) / sent.reports, sent.reports)


def loopback_bytes() -> int:
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


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
