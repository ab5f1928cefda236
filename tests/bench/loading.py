"""The loader's speed beside the engine's own: `python -m tests.bench.loading [--quick]`.

Both take the same segments, in turns: the loader from a spool, the engine by one INSERT FROM INFILE for each into a
table that is like the loader's. The loader counts rows, notes what it loaded, and deletes the segments besides.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from collector.ingest.segment import SEALED, prepare
from collector.store.engine import Engine, open_embedded
from collector.store.loader import Loader
from collector.store.migrate import migrate
from tests.bench import database

DAY = dt.date(2026, 9, 14)
LONG, SHORT = "long segments", "segments of a quiet hour"


def measure(quick: bool) -> database.Measured:
    # A long segment is sealed by its size, a short one by its age.
    shapes = {LONG: (1, 200_000), SHORT: (16, 500)} if quick else {LONG: (4, 200_000), SHORT: (64, 500)}
    rounds = 3 if quick else 15
    rows = []
    promises = []
    with tempfile.TemporaryDirectory() as directory:
        engine = open_embedded(Path(directory) / "engine")
        try:
            migrate(engine, DAY)
            for name, (segments, reports) in shapes.items():
                found, ratio = _compare(
                    engine, Path(directory) / name.replace(" ", "-"), name, segments, reports, rounds
                )
                rows += found
                promises.append(ratio)
        finally:
            engine.close()
    return {"rows": rows, "promises": promises}


def _compare(
    engine: Engine, directory: Path, name: str, segments: int, reports: int, rounds: int
) -> tuple[list[dict], dict]:
    made = directory / "made"
    made.mkdir(parents=True)
    paths = [made / f"{DAY}.abcdef-{number:08}.ndjson" for number in range(segments)]
    for path in paths:
        _make_segment(engine, path, reports)
    worker = directory / "spool" / "0"
    prepare(worker)
    loader = Loader(engine, directory / "spool", directory / "quarantine")

    def by_loader() -> None:
        assert loader.load_sealed() == segments * reports

    def by_engine() -> None:
        for path in paths:
            engine.command(f"INSERT INTO private.like_reports FROM INFILE '{path}' FORMAT JSONEachRow")

    seconds: dict[str, list[float]] = {"loader": [], "engine": []}
    cpu: dict[str, list[float]] = {"loader": [], "engine": []}
    for number in range(rounds + 1):
        turns = [("loader", by_loader), ("engine", by_engine)]
        for who, load in turns if number % 2 else reversed(turns):
            engine.command("TRUNCATE TABLE private.reports SYNC")
            engine.command("DROP TABLE IF EXISTS private.like_reports SYNC")
            engine.command("CREATE TABLE private.like_reports AS private.reports")
            for path in paths:
                (worker / SEALED / path.name).hardlink_to(path)
            took, spent = _timed(load)
            table = "private.reports" if who == "loader" else "private.like_reports"
            assert engine.rows(f"SELECT count() FROM {table}") == [(segments * reports,)]
            for path in paths:
                (worker / SEALED / path.name).unlink(missing_ok=True)
            if number:  # the first round warms up
                seconds[who].append(took)
                cpu[who].append(spent)
    engine.command("TRUNCATE TABLE private.reports SYNC")
    total = segments * reports
    ratios = [theirs / ours for ours, theirs in zip(seconds["loader"], seconds["engine"], strict=True)]
    size = sum(path.stat().st_size for path in paths) / segments / 1e6
    found = database.row(f"loader to engine, {name}", ratios, "x", f"{segments} of {size:.1f} MB each")
    rows = [
        *(database.row(f"{who}, {name}", [total / one for one in seconds[who]], "reports/s") for who in seconds),
        *(database.row(f"{who}, {name}: CPU", [one / total * 1e6 for one in cpu[who]], "us/report") for who in cpu),
        found,
    ]
    return rows, database.promise(
        f"loader's speed to the engine's own, {name}",
        ">= 0.9 x",
        found["value"],
        holds=found["value"] >= 0.9,
        bound_by="counting the rows of a segment, noting it durably and deleting it",
    )


def _make_segment(engine: Engine, path: Path, reports: int) -> None:
    """A segment as ingest writes it, in the order in which reports come."""
    engine.command("TRUNCATE TABLE private.reports SYNC")
    database.receive(engine, DAY, reports)
    assert engine.unload(f"SELECT * FROM private.reports FINAL ORDER BY rand() LIMIT {reports}", path) == reports


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and seconds of CPU of all threads of this process."""
    os.sync()  # what another turn left to write is not this one's
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    database.main(measure)
