from __future__ import annotations

import datetime as dt
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from collector.ingest.segment import OPEN, SEALED, segments
from collector.ingest.spool import SegmentWriter
from collector.store.engine import Engine, EngineError
from collector.store.loader import Backlog, Loader, loaded_rows
from tests.sample_days import DAY, ONE, row


@pytest.fixture
def loader(engine: Engine, tmp_path: Path) -> Loader:
    (tmp_path / "quarantine").mkdir()
    return Loader(engine, tmp_path / "spool", tmp_path / "quarantine")


def spool(tmp_path: Path, *rows: dict[str, Any], worker: str = "w0", seal: bool = True) -> None:
    writer = SegmentWriter(tmp_path / "spool" / worker, seal_after_bytes=1 << 20, reserve_percent=0)
    for one in rows:
        writer.append(one["received_on"], json.dumps(one, default=str).encode() + b"\n")
    if seal:
        writer.seal()


def stored(engine: Engine) -> int:
    return int(engine.rows(f"SELECT count() FROM {engine.over_all('private.reports')} FINAL")[0][0])


def test_sealed_segments_are_loaded_and_deleted(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    sent = [row(), row(), row(DAY + ONE)]
    spool(tmp_path, *sent)
    assert loader.load_sealed() == 3
    assert list(segments(tmp_path / "spool", SEALED)) == []
    assert loaded_rows(engine) == 3
    found = engine.rows(
        "SELECT report_id, received_on, product_version, os_version, language, licence "
        f"FROM {engine.over_all('private.reports')}"
    )
    names = ("report_id", "received_on", "product_version", "os_version", "language", "licence")
    assert sorted(found) == sorted(tuple(one[n] for n in names) for one in sent)


def test_open_segments_wait(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    spool(tmp_path, row(), seal=False)
    assert loader.load_sealed() == 0
    assert loader.backlog().waiting == 1
    assert stored(engine) == 0


def test_segment_loaded_twice_after_a_kill_makes_no_second_row(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    spool(tmp_path, row(), row())
    (path,) = segments(tmp_path / "spool", SEALED)
    shutil.copy(path, tmp_path / "kept")
    loader.load_sealed()
    shutil.copy(tmp_path / "kept", path)  # as if killed between the insert and the deletion
    loader.load_sealed()
    assert stored(engine) == 2
    assert loaded_rows(engine) == 2


def test_unreadable_segment_goes_to_quarantine_and_blocks_nothing(
    tmp_path: Path, engine: Engine, loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    spool(tmp_path, row() | {"report_id": "canary-value"}, worker="w0")
    spool(tmp_path, row(), worker="w1")
    assert loader.load_sealed() == 1
    assert stored(engine) == 1
    backlog = loader.backlog()
    assert (backlog.waiting, backlog.quarantined) == (0, 1)
    assert "canary" not in "".join(capsys.readouterr())


def test_engine_errors_carry_a_code_and_no_text(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "bad.ndjson").write_text('{"report_id": "canary-value"}\n')
    with pytest.raises(EngineError) as caught:
        engine.load(engine.over_all("private.reports"), [tmp_path / "bad.ndjson"], 1)
    assert caught.value.code == 376
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_failure_that_may_pass_keeps_the_segment(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    spool(tmp_path, row())
    for node in engine.nodes:
        node.command("RENAME TABLE private.reports TO private.gone")
    with pytest.raises(EngineError):
        loader.load_sealed()
    for node in engine.nodes:
        node.command("RENAME TABLE private.gone TO private.reports")
    assert loader.load_sealed() == 1
    assert stored(engine) == 1


def test_two_at_once_load_each_segment_once(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    """The loop of `serve` and a `collector publish` beside it use one loader from two threads."""
    for n in range(30):
        spool(tmp_path, row(), worker=f"w{n}")
    with ThreadPoolExecutor(2) as threads:
        loaded = list(threads.map(lambda _: loader.load_sealed(), range(2)))
    assert sum(loaded) == 30
    assert stored(engine) == loaded_rows(engine) == 30


def test_segment_that_cannot_be_read_does_not_hold_up_the_rest(tmp_path: Path, engine: Engine, loader: Loader) -> None:
    spool(tmp_path, row(DAY + ONE))
    (tmp_path / "spool" / "w0" / SEALED / f"{DAY}.bad-000000.ndjson").mkdir()
    with pytest.raises(IsADirectoryError):
        loader.load_sealed()
    assert stored(engine) == 1


@pytest.mark.parametrize("day", [dt.date(1970, 1, 2), dt.date(2024, 1, 1)])
def test_rows_of_a_clock_that_is_far_behind_are_kept(
    tmp_path: Path, engine: Engine, loader: Loader, day: dt.date
) -> None:
    spool(tmp_path, row(day))
    assert loader.load_sealed() == 1
    assert stored(engine) == 1


def test_files_of_somebody_else_are_left_alone(tmp_path: Path, loader: Loader) -> None:
    spool(tmp_path, row())
    foreign = [tmp_path / "spool" / "w0" / SEALED / "notes.ndjson", tmp_path / "spool" / "README"]
    for path in foreign:
        path.write_text("not a row")
    (tmp_path / "quarantine" / "directory.ndjson").mkdir()
    assert loader.load_sealed() == 1
    assert loader.backlog() == Backlog(0, 0)
    assert all(path.exists() for path in foreign)


def test_path_with_quotes_is_loaded(tmp_path: Path, engine: Engine) -> None:
    odd = tmp_path / "it's \\ odd.ndjson"
    odd.write_bytes(json.dumps(row(), default=str).encode() + b"\n")
    engine.load(engine.over_all("private.reports"), [odd], 1)
    assert stored(engine) == 1


def test_watermark_waits_for_every_spool(tmp_path: Path, loader: Loader) -> None:
    spool(tmp_path, row(DAY), worker="w0", seal=False)
    spool(tmp_path, row(DAY + ONE), worker="w1", seal=False)
    assert not loader.has_loaded_past(DAY)
    assert loader.has_loaded_past(DAY - ONE)
    spool(tmp_path, worker="w0")  # restarts: recovers and seals
    loader.load_sealed()
    assert loader.has_loaded_past(DAY)
    assert [p.parent.parent.name for p in segments(tmp_path / "spool", OPEN)] == ["w1"]
