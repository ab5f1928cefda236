"""What closing a day costs a store, and what everything takes on its disk: `tests.bench.costs` asks for it.

A simulated day is made as large as wanted by the engine itself, with days like it, which count already, before it. Two
days are closed: one that ends nothing else, and one that ends a month. CPU time and memory are those of the process.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from collector.capacity.costs import Measured
from collector.capacity.model import REPORTS_A_PASS
from collector.configuration import read_configuration
from collector.ingest.segment import SEALED, segments
from collector.layout import layout
from collector.publish.closing import REMEMBERED_DAYS
from collector.publish.periods import ONE_DAY, days
from collector.settings import Settings
from collector.simulate.run import Plan, send
from collector.store.backing_up import Backing
from collector.storeroom import StoreRoom, open_store
from tests.bench.processes import memory_mib

SIZES = (250_000, 1_000_000)
# A day that ends a month and no week, so that what is released with it is told apart.
LAST = dt.date(2026, 10, 31)
# What a closing does once in each pass.
_PASS = (
    f"SELECT count(report_id) FROM private.counted WHERE counted_on >= '{LAST - (REMEMBERED_DAYS + 1) * ONE_DAY}' "
    "AND toUInt32(cityHash64(report_id)) IN (SELECT toUInt32(cityHash64(report_id)) FROM private.reports)"
)


def closings(directory: Path) -> dict[str, Measured]:
    """A day's closing at two sizes, and what everything takes on disk."""
    small, large = (closing_of(directory / f"closing-{size}", size) for size in SIZES)
    millions = (SIZES[1] - SIZES[0]) / 1e6
    how = f"days of {SIZES[0]:,} and {SIZES[1]:,} reports after a month like it"
    growth_mib = (large["mib"] - small["mib"]) / millions
    per_pass = f"{REMEMBERED_DAYS} days of {SIZES[1]:,}, once for each {REPORTS_A_PASS // 1_000_000} million of a day"
    return {
        "closing_day_us": Measured(large["day_us"], f"CPU of closing and releasing, {how}; the larger one"),
        "closing_growth_us": Measured(
            large["pass_us"] / (REPORTS_A_PASS / 1e6), f"CPU of looking through the ids of {per_pass}"
        ),
        "closing_month_us": Measured(large["month_us"], f"what a month's end costs more, {how}"),
        "closing_mib": Measured(
            max(0.0, small["mib"] - growth_mib * SIZES[0] / 1e6), f"peak over an idle store, {how}"
        ),
        "closing_mib_per_million": Measured(max(0.0, growth_mib), f"what the larger day takes more, {how}"),
        **{
            name: Measured(large[name], f"in a store of {31 * SIZES[1] // 1_000_000} million reports")
            for name in ("received_bytes", "counted_bytes", "cell_bytes")
        },
        "spool_bytes": Measured(large["spool_bytes"], "sealed segments of a simulated day"),
        "backup_report_bytes": Measured(small["backup_report_bytes"], "a backup's files"),
        "backup_cell_bytes": Measured(small["backup_cell_bytes"], "a backup's files"),
    }


def closing_of(directory: Path, reports: int) -> dict[str, float]:
    """What closing a day of so many reports costs for each of them, and its memory; then a month's end."""
    settings = Settings(data=directory)
    paths, configuration = layout(settings), read_configuration(settings)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as sender:
        sender.submit(send, Plan(LAST - ONE_DAY, 1, min(reports, 200_000), 7, None), settings).result()
    spooled = sum(path.stat().st_size for path in segments(paths.spool, SEALED))
    with open_store(settings, paths, configuration) as room:
        loaded = room.loader.load_sealed()
        multiply(room, loaded, reports)
        engine, told = room.engine, {"spool_bytes": spooled / loaded}
        told["received_bytes"] = on_disk(room, "private.reports")
        told["pass_us"] = spent(lambda: engine.rows(_PASS)) / reports
        idle = memory_mib(os.getpid(), "VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        told["day_us"] = spent(lambda: room.publisher.publish(LAST, LAST - ONE_DAY)) / reports
        told["mib"] = memory_mib(os.getpid(), "VmHWM") - idle
        engine.command(
            f"INSERT INTO private.reports SELECT * REPLACE (toDate('{LAST}') AS received_on, "
            f"generateUUIDv4() AS report_id) FROM ({as_received(LAST - ONE_DAY)})"
        )
        both = spent(lambda: room.publisher.publish(LAST + ONE_DAY, LAST))
        told["month_us"] = max(0.0, both - told["day_us"] * reports) / (31 * reports)
        for table in ("counted", "cells"):
            where = "private" if table == "counted" else "public"
            told[f"{table.removesuffix('s')}_bytes"] = on_disk(room, f"{where}.{table}")
        told |= backup(room, directory / "backups") if reports == SIZES[0] else {}
    return told


def as_received(day: dt.date) -> str:
    return (
        f"SELECT report_id, counted_on AS received_on, report, source, product, product_version, version_line, "
        f"os_version, instance_type, language, licence FROM private.counted WHERE counted_on = '{day}'"
    )


def multiply(room: StoreRoom, loaded: int, reports: int) -> None:
    """Makes the loaded day as large as it is to be, and puts days like it, which are closed, before it."""
    engine = room.engine
    for _ in range(1, reports // loaded):
        engine.command(
            "INSERT INTO private.reports SELECT * REPLACE (generateUUIDv4() AS report_id) "
            f"FROM private.reports LIMIT {loaded}"
        )
    columns = "source, product, product_version, version_line, os_version, instance_type, language"
    for day in days(LAST - 30 * ONE_DAY, LAST - 2 * ONE_DAY):
        engine.command(
            f"INSERT INTO private.counted SELECT toDate('{day}'), generateUUIDv4(), report, {columns}, "
            f"licence != toUUID('00000000-0000-0000-0000-000000000000'), licence FROM private.reports"
        )
    engine.command("OPTIMIZE TABLE private.counted FINAL")
    engine.command("OPTIMIZE TABLE private.reports FINAL")


def on_disk(room: StoreRoom, table: str) -> float:
    database, name = table.split(".")
    rows = room.engine.rows(
        "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts "
        "WHERE active AND database = {d:String} AND table = {t:String}",
        d=database,
        t=name,
    )
    return float(rows[0][0])


def spent(work: Callable[[], object]) -> float:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    before, began = used(), time.perf_counter()
    work()
    took = used() - before
    print(f"  {took:.1f} s of CPU in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    return took * 1e6


def backup(room: StoreRoom, into: Path) -> dict[str, float]:
    into.mkdir()
    backing = Backing(room.engine.session(), room.paths.access, (), lambda: None)
    taken = backing.take(into, dt.datetime.now(dt.UTC), lambda _rows: lambda _done: None)
    manifest = json.loads((taken / "manifest.json").read_bytes())
    told = {}
    for table, name in (("private.counted", "backup_report_bytes"), ("public.cells", "backup_cell_bytes")):
        held = [part for part in manifest["partitions"] if part["table"] == table]
        told[name] = sum(file["bytes"] for part in held for file in part["files"]) / sum(p["rows"] for p in held)
    return told
