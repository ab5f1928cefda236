from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from collector.ingest.segment import SEALED, segments
from collector.ingest.spool import SegmentWriter
from collector.store import retry as retrying
from collector.store.engine import Engine, EngineError
from collector.store.loader import Loader, loaded_rows
from collector.store.quarantine import drop, dropped_rows, set_aside, set_aside_segments
from collector.store.retry import Retried, retry
from tests.sample_days import DAY, row

TODAY = dt.date(2026, 9, 20)
BAD = {"report_id": "canary-value"}


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    (tmp_path / "quarantine").mkdir()
    return tmp_path / "quarantine"


def put(tmp_path: Path, *rows: dict[str, Any], day: dt.date = DAY) -> Path:
    """A segment in quarantine, as the loader puts it there."""
    spool = tmp_path / "spool"
    writer = SegmentWriter(spool / "w0", seal_after_bytes=1 << 20, reserve_percent=0)
    writer.append(day, b"".join(json.dumps(one, default=str).encode() + b"\n" for one in rows))
    writer.seal()
    (path,) = segments(spool, SEALED)
    return set_aside(path, tmp_path / "quarantine", 27)


def stored(engine: Engine) -> int:
    return int(engine.rows(f"SELECT count() FROM {engine.over_all('private.reports')} FINAL")[0][0])


def balance(engine: Engine, quarantine: Path) -> tuple[int, int, int]:
    """Loaded, quarantined, dropped: their sum is what was accepted."""
    backlog = Loader(engine, quarantine.parent / "spool", quarantine).backlog()
    return loaded_rows(engine), backlog.quarantined, dropped_rows(quarantine, TODAY)


def test_segment_is_listed_with_its_reason_and_nothing_of_its_content(tmp_path: Path, quarantine: Path) -> None:
    path = put(tmp_path, row(), row() | BAD)
    (one,) = set_aside_segments(quarantine)
    assert (one.day, one.rows, one.bytes, one.code) == (DAY, 2, path.stat().st_size, 27)
    assert one.since == dt.datetime.now(dt.UTC).date()
    assert one.name.startswith(f"w0.{DAY}.")
    assert set(json.loads(path.with_suffix(".reason").read_text())) == {"code", "since"}


def test_segment_without_a_reason_and_files_of_others_are_no_obstacle(tmp_path: Path, quarantine: Path) -> None:
    put(tmp_path, row()).with_suffix(".reason").write_text("not JSON")
    (quarantine / "notes.ndjson").write_text("not a segment")
    (quarantine / "w0.2026-09-14.directory.ndjson").mkdir()
    (one,) = set_aside_segments(quarantine)
    assert one.code is None


def test_segment_that_the_engine_can_read_by_now_is_loaded_whole(
    tmp_path: Path, quarantine: Path, engine: Engine
) -> None:
    path = put(tmp_path, row(), row(), row())
    assert retry(engine, path) == Retried(3, 0)
    assert stored(engine) == 3
    assert balance(engine, quarantine) == (3, 0, 0)
    assert list(quarantine.iterdir()) == []


def test_lines_that_cannot_be_read_are_found_and_all_others_loaded(
    tmp_path: Path, quarantine: Path, engine: Engine
) -> None:
    bad = [n for n in range(100) if n in {0, 41, 42, 99}]
    path = put(tmp_path, *(row(language=f"x{n:02}") | (BAD if n in bad else {}) for n in range(100)))
    assert retry(engine, path) == Retried(96, 4)
    assert [json.loads(line)["language"] for line in path.read_text().splitlines()] == [f"x{n:02}" for n in bad]
    assert stored(engine) == 96
    assert balance(engine, quarantine) == (96, 4, 0)
    assert retry(engine, path) == Retried(0, 4)
    assert balance(engine, quarantine) == (96, 4, 0)
    assert {file.suffix for file in quarantine.iterdir()} == {".ndjson", ".reason"}


def test_what_was_left_is_loaded_once_the_engine_can_read_it(tmp_path: Path, quarantine: Path, engine: Engine) -> None:
    path = put(tmp_path, row(), row() | BAD, row(), row() | BAD)
    assert retry(engine, path) == Retried(2, 2)
    path.write_text(path.read_text().replace("canary-value", "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44", 1))
    assert retry(engine, path) == Retried(1, 1)
    assert balance(engine, quarantine) == (3, 1, 0)


def test_retry_that_was_killed_before_the_segment_was_replaced_counts_nothing_twice(
    tmp_path: Path, quarantine: Path, engine: Engine
) -> None:
    path = put(tmp_path, row(), row() | BAD, row())
    shutil.copy(path, tmp_path / "kept")
    retry(engine, path)
    shutil.copy(tmp_path / "kept", path)
    assert retry(engine, path) == Retried(2, 1)
    assert stored(engine) == 2
    assert balance(engine, quarantine) == (2, 1, 0)


def test_outage_in_a_retry_leaves_the_segment_as_it_was(tmp_path: Path, quarantine: Path, engine: Engine) -> None:
    path = put(tmp_path, row(), row() | BAD)
    before = path.read_bytes()
    for node in engine.nodes:
        node.command("RENAME TABLE private.reports TO private.gone")
    with pytest.raises(EngineError):
        retry(engine, path)
    assert path.read_bytes() == before
    assert balance(engine, quarantine) == (0, 2, 0)
    assert {file.suffix for file in quarantine.iterdir()} == {".ndjson", ".reason"}


def test_segment_bad_throughout_ends_the_search_and_loses_nothing(
    tmp_path: Path, quarantine: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest pieces are tried first, so a search that is cut short has loaded what it could."""
    monkeypatch.setattr(retrying, "_MOST_TRIES", 9)
    path = put(tmp_path, *(row() for _ in range(40)), *(row() | BAD for _ in range(40)))
    result = retry(engine, path)
    assert result.loaded == 40
    assert result.left == 40
    assert balance(engine, quarantine) == (40, 40, 0)


def test_given_up_reports_are_deleted_and_stay_in_the_sum(tmp_path: Path, quarantine: Path, engine: Engine) -> None:
    path = put(tmp_path, row(), row() | BAD)
    retry(engine, path)
    assert drop(path, TODAY) == 1
    assert balance(engine, quarantine) == (1, 0, 1)
    assert set_aside_segments(quarantine) == []
    assert [file for file in quarantine.rglob("*") if file.is_file() and file.stat().st_size] == []


def test_killed_while_giving_up_the_content_goes_with_the_next_one(
    tmp_path: Path, quarantine: Path, engine: Engine
) -> None:
    drop(put(tmp_path, row()), TODAY)
    (mark,) = (quarantine / "dropped").iterdir()
    mark.write_text("content")  # as if killed after the rename
    assert balance(engine, quarantine) == (0, 0, 1)
    drop(put(tmp_path, row(), row()), TODAY)
    assert mark.stat().st_size == 0
    assert balance(engine, quarantine) == (0, 0, 3)


def test_what_was_given_up_long_ago_leaves_the_sum_like_what_was_loaded_then(tmp_path: Path, quarantine: Path) -> None:
    drop(put(tmp_path, row(), day=TODAY - dt.timedelta(days=399)), TODAY)
    old = quarantine / "dropped" / f"w0.{TODAY - dt.timedelta(days=401)}.1f2e3d4c-000000.7"
    old.touch()
    assert dropped_rows(quarantine, TODAY) == 1
    drop(put(tmp_path, row()), TODAY)
    assert not old.exists()
    assert dropped_rows(quarantine, TODAY) == 2
