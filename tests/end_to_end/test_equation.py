"""Nothing is unaccounted for: what was received, what was accepted, and where it is, from metrics and store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
import uuid
from pathlib import Path

import aiohttp

from collector.store.engine import open_embedded
from tests.conftest import Server, children, collector, running

BOOT = "/v1/reports/image-boot/1"
GOOD = {"source": "cloud", "product": "nginx", "product_version": "1.27.3"}


def outcomes(server: Server) -> dict[str, float]:
    with urllib.request.urlopen(f"{server.metrics}/metrics") as response:
        lines = response.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith("telemetry_reports_total{"):
            outcome = line.split('outcome="')[1].split('"')[0]
            found[outcome] = found.get(outcome, 0) + float(line.rsplit(" ", 1)[1])
    return {outcome: reports for outcome, reports in found.items() if reports}


async def post_everything(url: str) -> None:
    """Good and bad reports, alone and in batches, and 60 of them twice."""
    ids = [str(uuid.uuid4()) for _ in range(200)]
    good = [json.dumps(GOOD | {"report_id": one}) for one in ids]
    bad = [json.dumps(GOOD | {"product": "nothing"}), "{", json.dumps(GOOD | {"hostname": "a"}), "[]"]
    async with aiohttp.ClientSession() as session:

        async def post(body: str, kind: str = "application/json") -> None:
            async with session.post(url + BOOT, data=body, headers={"Content-Type": kind}) as response:
                await response.read()

        await asyncio.gather(*(post(body) for body in good[:100] + bad * 10))
        await asyncio.gather(*(post("\n".join(good[100:] + bad * 5), "application/x-ndjson") for _ in range(1)))
        await asyncio.gather(*(post(body) for body in good[:60]))
        await asyncio.gather(*(post(json.dumps(GOOD)) for _ in range(40)), post("a=b", "text/plain"))


def spoil_a_sealed_segment(server: Server) -> int:
    """Makes one row of a sealed segment unreadable while the store cannot look; returns how many rows it has."""
    deadline = time.monotonic() + 20
    while not (sealed := sorted(server.data.glob("spool/*/sealed/*.ndjson"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    text = sealed[0].read_text()
    sealed[0].write_text(text.replace('"received_on":"', '"received_on":"x', 1))
    return text.count("\n")


def test_received_is_accepted_and_rejected_and_what_was_accepted_is_all_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, "--workers", "2") as server:
        asyncio.run(post_everything(server.ingest))
        server.wait_until_loaded()
        (store,) = [
            p for p in children(server.process.pid) if b"storekeeper" in Path(f"/proc/{p}/cmdline").read_bytes()
        ]
        os.kill(store, signal.SIGSTOP)
        asyncio.run(post_everything(server.ingest))
        quarantined = spoil_a_sealed_segment(server)
        os.kill(store, signal.SIGCONT)
        server.wait_until_loaded()
        found, received = outcomes(server), server.metric("telemetry_received_total")
        assert server.stop() == 0
    assert received == sum(found.values())
    assert found == {
        "accepted": 600,
        "unknown_product": 30,
        "malformed": 60,
        "unknown_field": 30,
        "unsupported_media_type": 2,
    }
    state = json.loads(collector("status", "--data", str(data), "--format", "json").stdout)
    assert state["accepted"] == found["accepted"]
    assert (state["waiting"], state["quarantined"], state["dropped"]) == (0, quarantined, 0)
    assert state["loaded"] == found["accepted"] - quarantined
    engine = open_embedded(data / "engine")
    ((rows, distinct),) = engine.rows("SELECT count(), uniqExact(report_id) FROM private.reports FINAL")
    engine.close()
    assert rows == distinct
    duplicates = state["loaded"] - distinct
    assert found["accepted"] == distinct + duplicates + state["waiting"] + state["quarantined"]
    assert duplicates >= 60
