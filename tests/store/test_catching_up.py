"""A backlog is loaded in order and in bounded passes, and what is at fault alone waits alone."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from collector.ingest.segment import SEALED, segments
from collector.store.engine import Engine, EngineError
from collector.store.loader import Loader, loaded_rows
from tests.sample_days import DAY, ONE, row


class Clock:
    """Seconds that pass only when a test says so, or with each look."""

    def __init__(self, step: float = 0) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "quarantine").mkdir()
    return tmp_path / "spool"


def seal(spool: Path, number: int, *, day=DAY, rows: int = 1, worker: str = "w0", **fields: object) -> Path:
    """A sealed segment; a higher number was sealed later."""
    path = spool / worker / SEALED / f"{day}.0badcafe-{number:06d}.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(json.dumps(row(day) | fields, default=str).encode() + b"\n" for _ in range(rows)))
    os.utime(path, (number, number))
    return path


def loads(engine: Engine) -> list[str]:
    return [name for (name,) in engine.rows("SELECT segment FROM private.loads FINAL ORDER BY segment")]


def stored(engine: Engine) -> int:
    return int(engine.rows(f"SELECT uniqExact(report_id) FROM {engine.over_all('private.reports')}")[0][0])


def test_a_pass_is_bounded_and_the_oldest_come_first(engine: Engine, spool: Path) -> None:
    """Sealed in any order, by two workers; each pass here has time for one insert."""
    loader = Loader(engine, spool, spool.parent / "quarantine", Clock(step=10))
    numbers = [70, 3, 150, 99, 12]
    paths = {n: seal(spool, n, day=DAY + (n // 60) * ONE, worker=f"w{n % 2}") for n in numbers}
    assert loader.is_behind
    done = loader.load_some()
    assert (done.rows, done.waiting, done.failure) == (2, 3, None)
    assert [n for n, path in paths.items() if path.exists()] == [70, 150, 99]
    done = loader.load_some()
    assert (done.rows, done.waiting) == (2, 1)
    assert paths[150].exists()
    assert loader.is_behind
    older = seal(spool, 1, day=DAY - ONE)  # found later, of an earlier day
    assert loader.load_some().rows == 1
    assert (older.exists(), paths[150].exists()) == (False, True)
    assert loader.load_some().waiting == 0
    assert not loader.is_behind


def test_many_small_segments_are_loaded_in_few_inserts(engine: Engine, spool: Path) -> None:
    for n in range(150):
        seal(spool, n, rows=2)
    loader = Loader(engine, spool, spool.parent / "quarantine")
    assert loader.load_sealed() == 300
    assert (stored(engine), loaded_rows(engine), len(loads(engine))) == (300, 300, 150)
    assert not [*segments(spool, SEALED)]


def test_of_segments_loaded_together_only_the_unreadable_one_is_set_aside(engine: Engine, spool: Path) -> None:
    paths = [seal(spool, n, rows=3) for n in range(10)]
    bad = paths[6]
    bad.write_bytes(bad.read_bytes() + b'{"report_id": "canary-value"}\n')
    assert Loader(engine, spool, spool.parent / "quarantine").load_sealed() == 27
    assert stored(engine) in {27, 30}  # the engine may have taken some of the rows before the bad one
    assert [path.name for path in (spool.parent / "quarantine").glob("*.ndjson")] == [f"w0.{bad.name}"]
    assert not [*segments(spool, SEALED)]


def test_segments_that_cannot_be_read_from_disk_do_not_come_first_every_time(engine: Engine, spool: Path) -> None:
    """More of them than a pass takes for an outage, and older than all that is well."""
    clock = Clock()
    loader = Loader(engine, spool, spool.parent / "quarantine", clock)
    unreadable = [spool / "w0" / SEALED / f"{DAY - ONE}.0badcafe-{n:06d}.ndjson" for n in range(5)]
    for path in unreadable:
        path.mkdir(parents=True)
    well = seal(spool, 9)
    failures = [loader.load_some().failure for _ in range(3)]
    assert isinstance(failures[0], IsADirectoryError)
    assert not well.exists()
    assert stored(engine) == 1
    assert not loader.is_behind
    for path in unreadable:
        path.rmdir()
    seal(spool, 0, day=DAY - ONE)
    assert loader.load_some().rows == 0  # under a name that failed: waits a minute
    clock.now += 61
    assert loader.load_some().rows == 1


def test_engine_that_refuses_everything_is_asked_a_few_times_and_keeps_the_order(engine: Engine, spool: Path) -> None:
    for n, day in itertools.product(range(3), range(6)):
        seal(spool, n, day=DAY + day * ONE)
    loader = Loader(engine, spool, spool.parent / "quarantine", Clock())
    for node in engine.nodes:
        node.command("RENAME TABLE private.reports TO private.gone")
    done = loader.load_some()
    assert isinstance(done.failure, EngineError)
    assert (done.rows, done.waiting) == (0, 18)
    assert loader.is_behind
    for node in engine.nodes:
        node.command("RENAME TABLE private.gone TO private.reports")
    assert loader.load_sealed() == 18
    assert stored(engine) == 18
