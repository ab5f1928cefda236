"""What the store process does of its own accord stands back while somebody has segments of the quarantine in hand."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import forgotten
from collector.configuration import read_configuration
from collector.forgetting import repeat
from collector.forgotten import Forgotten
from collector.layout import layout
from collector.publishing import Publishing
from collector.settings import Settings
from collector.store.retry import retry
from collector.storeroom import StoreRoom, open_store
from collector.subject_report import held
from tests.erasure.machine import TODAY, pseudonyms, spool
from tests.ready_engine import ReadyEngine


@pytest.fixture
def room(ready_engine: ReadyEngine, tmp_path: Path) -> Iterator[StoreRoom]:
    """Of a collector with a pending request, and with a segment in quarantine that can be read by now."""
    settings = Settings(data=tmp_path / "data", seal_after_seconds=1)
    ready_engine.put(settings.data / "engine")
    spool(settings.data)
    with open_store(settings, layout(settings), read_configuration(settings)) as room:
        (segment,) = room.paths.spool.glob("*/sealed/*")
        segment.rename(room.paths.quarantine / f"w7.{segment.name}")
        of_it = tuple(map(str, pseudonyms(settings.data).values()))
        forgotten.keep(room.paths, Forgotten("forget-0a", TODAY, of_it, forgotten.until(TODAY, 7)))
        yield room


async def test_rows_that_a_retry_has_in_hand_are_erased_after_it(room: StoreRoom) -> None:
    opening = asyncio.create_task(asyncio.sleep(0))
    publishing = Publishing(room, asyncio.Event(), opening)
    async with publishing.quarantine:  # as `collector quarantine retry` holds it
        work = asyncio.create_task(publishing.publish())
        await asyncio.sleep(2)
        assert forgotten.read(room.paths)[0].is_pending
        (segment,) = room.paths.quarantine.glob("*.ndjson")
        assert (await asyncio.to_thread(retry, room.engine, segment)).left == 0
    async with asyncio.timeout(30):
        while forgotten.read(room.paths)[0].is_pending:
            await asyncio.sleep(0.1)
    publishing.stop.set()
    await work
    assert not held(room, map(str, pseudonyms(room.paths.data).values()))


def test_many_requests_wait_for_the_workers_once(room: StoreRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """No day is closed meanwhile."""
    monkeypatch.setattr("collector.forgetting._SEALING_SECONDS", 3)  # and one of `seal_after_seconds`
    for n in range(5):
        forgotten.keep(room.paths, Forgotten(f"forget-1{n}", TODAY, (str(uuid.uuid4()),), forgotten.until(TODAY, 7)))
    stuck = room.paths.spool / "w7/open" / f"{TODAY}.0a-1.ndjson"
    stuck.touch()
    began = time.monotonic()
    assert [len(one.pending) for one in repeat(room, TODAY)] == [1] * 6
    assert time.monotonic() - began < 4 * 3
    stuck.unlink()
    assert [one.pending for one in repeat(room, TODAY)] == [()] * 6
