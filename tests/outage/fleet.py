"""Machines that report all the while, and what the store holds of it afterwards."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.clickhouse_server import ClickHouseServer
from tests.conftest import Server

BATCH = 20


@dataclass
class Fleet:
    """Sends reports and remembers what became of each.

    Attributes:
        accepted: ids that were answered with 202.
        refused: answers and failures that were something else.
    """

    server: Server
    accepted: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def send(self, reports: int) -> None:
        """Sends so many, as fast as it goes."""
        asyncio.run(self._send(reports, None))

    def send_for(self, seconds: float, per_second: int, meanwhile: Callable[[], None]) -> None:
        """Sends at a steady pace while `meanwhile` runs in a thread beside it."""

        async def both() -> None:
            await asyncio.gather(self._send(int(seconds * per_second), per_second), asyncio.to_thread(meanwhile))

        asyncio.run(both())

    async def _send(self, reports: int, per_second: int | None) -> None:
        async with aiohttp.ClientSession() as session:
            started, sending = time.monotonic(), set[asyncio.Task[None]]()
            for first in range(0, reports, BATCH):
                if per_second:
                    await asyncio.sleep(max(0.0, started + first / per_second - time.monotonic()))
                task = asyncio.create_task(self._post(session, min(BATCH, reports - first)))
                sending.add(task)
                task.add_done_callback(sending.discard)
                if len(sending) >= 32:
                    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*sending)

    async def _post(self, session: aiohttp.ClientSession, reports: int) -> None:
        ids = [str(uuid.uuid4()) for _ in range(reports)]
        common = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "os_version": "debian-12"}
        body = "".join(json.dumps(common | {"report_id": one}) + "\n" for one in ids)
        try:
            async with session.post(
                f"{self.server.ingest}/v1/reports/image-boot/1",
                data=body,
                headers={"Content-Type": "application/x-ndjson"},
            ) as response:
                answer = (await response.text()).splitlines()
                if response.status in {200, 202, 207} and all('"accepted"' in line for line in answer):
                    self.accepted.update(ids)
                else:
                    self.refused.append(str(response.status))
        except (aiohttp.ClientError, OSError) as error:
            self.refused.append(type(error).__name__)


def stored(*servers: ClickHouseServer) -> list[str]:
    """The ids in the store, which has one server or several shards, as a reader sees them."""
    return [one for server in servers for (one,) in server.ask("SELECT report_id FROM private.reports FINAL")]


def check_nothing_lost(
    servers: Sequence[ClickHouseServer], data: Path, accepted: set[str], seconds: float = 30
) -> None:
    """Waits until the spool is empty, then compares: no report lost, invented, doubled or set aside."""
    deadline = time.monotonic() + seconds
    while waiting := [*data.glob("spool/*/*/*.ndjson")]:
        assert time.monotonic() < deadline, f"{len(waiting)} segments still wait"
        time.sleep(0.05)
    ids = stored(*servers)
    assert len(ids) == len(set(ids))
    assert set(ids) == accepted
    assert not [*data.glob("quarantine/*.ndjson")]


def events(server: Server, name: str) -> list[dict[str, object]]:
    """The log lines of one event."""
    lines = (json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == name]


def wait_for_event(server: Server, name: str, after: int = 0, seconds: float = 30, kind: str = "") -> dict[str, object]:
    """The first event of this name, and of this kind if one is given, after the first `after` of them."""
    deadline = time.monotonic() + seconds
    while not (found := [one for one in events(server, name)[after:] if not kind or one["kind"] == kind]):
        assert time.monotonic() < deadline, f"no {name}: {server.log.read_text()}"
        time.sleep(0.05)
    return found[0]


def wait_until_well(server: Server, seconds: float = 30) -> None:
    """Waits until the last that the collector said of its store is that it is back."""
    deadline = time.monotonic() + seconds
    while server.metric("telemetry_store_up") != 1:
        assert time.monotonic() < deadline, f"the store is not back: {server.log.read_text()}"
        time.sleep(0.05)
