from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.ingest import segment
from collector.ingest.segment import OPEN, SEALED
from collector.ingest.spool import SegmentWriter, Spool, SpoolError
from schemas.outcomes import Outcome
from tests.sample_days import DAY, ONE

BOOT = "image-boot/1"


def line(day=DAY) -> bytes:
    return json.dumps({"report_id": str(uuid.uuid4()), "received_on": day.isoformat()}).encode() + b"\n"


def writer(directory: Path, *, seal_after_bytes: int = 1 << 20, reserve_percent: float = 0) -> SegmentWriter:
    return SegmentWriter(directory / "w0", seal_after_bytes=seal_after_bytes, reserve_percent=reserve_percent)


@contextlib.contextmanager
def files_no_longer_than(n: int) -> Iterator[None]:
    """The kernel writes up to the limit and refuses the rest, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def rows_in(directory: Path, stage: str) -> list[bytes]:
    return [row for path in segment.segments(directory, stage) for row in path.read_bytes().splitlines(keepends=True)]


def test_appended_rows_are_in_the_open_segment_of_their_day(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    rows = [line(), line()]
    for row in rows:
        spool.append(DAY, row)
    (path,) = segment.segments(tmp_path, OPEN)
    assert segment.day_of(path) == DAY
    assert rows_in(tmp_path, OPEN) == rows
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_change_of_day_seals_the_day_before(tmp_path: Path) -> None:
    spool = writer(tmp_path)
    spool.append(DAY, line())
    spool.append(DAY + ONE, line(DAY + ONE))
    assert [segment.day_of(path) for path in segment.segments(tmp_path, SEALED)] == [DAY]
    assert [segment.day_of(path) for path in segment.segments(tmp_path, OPEN)] == [DAY + ONE]


def test_full_segment_is_sealed(tmp_path: Path) -> None:
    spool = writer(tmp_path, seal_after_bytes=100)
    spool.append(DAY, line() + line())
    assert len(rows_in(tmp_path, SEALED)) == 2
    assert rows_in(tmp_path, OPEN) == []


@pytest.mark.parametrize("torn", [b'{"report_id": "x', b"\x00" * 512, b"{}\n", b'"text"\n', b"\xff\xfe\n"])
def test_recovery_cuts_at_the_first_line_that_is_no_row(tmp_path: Path, torn: bytes) -> None:
    rows = [line(), line(), line()]
    writer(tmp_path).append(DAY, b"".join(rows))
    (path,) = segment.segments(tmp_path, OPEN)
    with path.open("ab") as file:
        file.write(torn + line())
    assert writer(tmp_path).recovered_rows == 3
    assert rows_in(tmp_path, SEALED) == rows
    assert rows_in(tmp_path, OPEN) == []


def test_recovery_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    segment.prepare(tmp_path / "w0")
    (tmp_path / "w0" / OPEN / "2026-09-14.a-000000.ndjson").write_bytes(b"torn")
    assert writer(tmp_path).recovered_rows == 0
    assert not list(tmp_path.rglob("*.ndjson"))


def test_short_write_is_cut_off_and_answered_as_a_full_disk(tmp_path: Path) -> None:
    """A file size limit makes the kernel really write a part and then refuse the rest."""
    spool = writer(tmp_path)
    kept = line()
    spool.append(DAY, kept)
    with files_no_longer_than(len(kept) + 10), pytest.raises(SpoolError) as caught:
        spool.append(DAY, line())
    assert caught.value.outcome is Outcome.SPOOL_FULL
    assert rows_in(tmp_path, OPEN) == [kept]
    after = line()
    spool.append(DAY, after)
    assert rows_in(tmp_path, OPEN) == [kept, after]


def test_failed_sync_gives_the_segment_up_and_keeps_what_was_durable(tmp_path: Path, monkeypatch) -> None:
    spool = writer(tmp_path)
    kept = line()
    spool.append(DAY, kept)

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)  # the kernel's answer, not our code, is replaced
        with pytest.raises(SpoolError) as caught:
            spool.append(DAY, line())
    assert caught.value.outcome is Outcome.UNAVAILABLE
    after = line()
    spool.append(DAY, after)
    assert rows_in(tmp_path, SEALED) == [kept]
    assert rows_in(tmp_path, OPEN) == [after]


def test_tail_that_could_not_be_cut_is_never_sealed(tmp_path: Path, monkeypatch) -> None:
    """A short write, and then a disk that refuses to cut it: the torn row must not reach the store."""
    spool = writer(tmp_path)
    kept = line()
    spool.append(DAY, kept)

    def fail(_descriptor: int, _length: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", fail)  # the kernel's answer, not our code, is replaced
        with files_no_longer_than(len(kept) + 10), pytest.raises(SpoolError) as caught:
            spool.append(DAY, line())
        assert caught.value.outcome is Outcome.UNAVAILABLE
        assert rows_in(tmp_path, SEALED) == []
    spool.seal()
    assert rows_in(tmp_path, SEALED) == [kept]


def test_under_the_reserve_nothing_is_taken(tmp_path: Path) -> None:
    spool = writer(tmp_path, reserve_percent=100)
    with pytest.raises(SpoolError) as caught:
        spool.append(DAY, line())
    assert caught.value.outcome is Outcome.SPOOL_FULL


async def test_many_requests_share_commits_and_each_is_durable_before_its_answer(tmp_path: Path) -> None:
    spool = Spool(writer(tmp_path))
    syncs: list[int] = []
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        real(descriptor)
        syncs.append(descriptor)

    async def send(row: bytes) -> None:
        await spool.append(DAY, row, BOOT, 1)
        assert row in rows_in(tmp_path, OPEN)

    os.fdatasync = counted
    try:
        rows = [line() for _ in range(200)]
        await asyncio.gather(*(send(row) for row in rows))
    finally:
        os.fdatasync = real
    assert 1 <= len(syncs) < 20
    await spool.close()
    assert sorted(rows_in(tmp_path, SEALED)) == sorted(rows)


async def test_cancelled_request_does_not_disturb_the_others(tmp_path: Path) -> None:
    spool = Spool(writer(tmp_path))
    tasks = [asyncio.create_task(spool.append(DAY, line(), BOOT, 1)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(r) for r in results].count(type(None)) == 19
    await spool.close()


async def test_rows_around_midnight_go_to_the_segments_of_their_days(tmp_path: Path) -> None:
    spool = Spool(writer(tmp_path))
    days = [DAY, DAY + ONE] * 20
    await asyncio.gather(*(spool.append(day, line(day), BOOT, 1) for day in days))
    await spool.close()
    for path in segment.segments(tmp_path, SEALED):
        assert {json.loads(row)["received_on"] for row in path.read_bytes().splitlines()} == {
            segment.day_of(path).isoformat()
        }
