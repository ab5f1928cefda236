"""One report that arrives 1,000 times counts once, whichever way it came; on the engine alone, see tests/publish."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import uuid
from collections import Counter
from pathlib import Path

import aiohttp

from collector.ingest.segment import OPEN, SEALED
from collector.ingest.spool import SegmentWriter
from tests.conftest import running, start_server
from tests.crash.end_state import end_state
from tests.crash.traffic import BOOT, body
from tests.sample_days import ONE, row

REPORT = str(uuid.uuid4())
TWO_DAYS = str(uuid.uuid4())  # comes on two days
OTHERS = [str(uuid.uuid4()) for _ in range(5)]


async def send(url: str, ids: list[str], *, batches_of: int = 1) -> int:
    """Sends each id, each request on a connection of its own; how many reports were acknowledged."""
    batches = iter([ids[n : n + batches_of] for n in range(0, len(ids), batches_of)])
    acknowledged = 0

    async def send_some(session: aiohttp.ClientSession) -> None:
        nonlocal acknowledged
        for batch in batches:
            content = "\n".join(json.dumps(body(one)) for one in batch)
            media_type = "application/json" if batches_of == 1 else "application/x-ndjson"
            async with session.post(url + BOOT, data=content, headers={"Content-Type": media_type}) as response:
                acknowledged += len(batch) * (response.status == 202)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        await asyncio.gather(*(send_some(session) for _ in range(16)))
    return acknowledged


def spool_of_yesterday(data: Path, times: int) -> None:
    """A report in the spool of a worker that is gone, received on the day before."""
    yesterday = dt.datetime.now(dt.UTC).date() - ONE
    line = json.dumps(row(yesterday, report_id=TWO_DAYS, product="redis"), default=str).encode() + b"\n"
    writer = SegmentWriter(data / "spool" / "w7", seal_after_bytes=1 << 20, reserve_percent=0)
    writer.append(yesterday, line * times)


def test_report_that_arrives_a_thousand_times_counts_once(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    acknowledged = 0
    server = start_server(data, "--workers", "2", "--seal-after-seconds", "300")
    acknowledged += asyncio.run(send(server.ingest, [REPORT] * 400 + OTHERS))
    acknowledged += asyncio.run(send(server.ingest, [REPORT, TWO_DAYS] * 400, batches_of=50))
    server.kill_everything()
    assert server.process.stdout is not None
    server.process.stdout.close()
    shutil.copytree(data / "spool", kept)
    spool_of_yesterday(data, 50)
    with running(data, "--workers", "2") as again:  # recovers, loads
        acknowledged += asyncio.run(send(again.ingest, [REPORT, TWO_DAYS] * 200))
        again.wait_until_loaded()
    assert acknowledged == 400 + 5 + 2 * 400 + 2 * 200
    segments = list(kept.glob(f"w[01]/{OPEN}/*"))  # a worker that was slow to start may have none
    assert segments
    for segment in segments:  # what was loaded and deleted comes back, as after a power cut
        assert segment.read_bytes().count(REPORT.encode()) > 10
        shutil.copy(segment, data / "spool" / segment.parts[-3] / SEALED)
    assert Counter(end_state(data).counted) == Counter([REPORT, TWO_DAYS, *OTHERS])
