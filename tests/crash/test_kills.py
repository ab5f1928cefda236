"""Processes killed at random moments under load: acknowledged and missing 0, counted twice 0.

`CRASH_KILLS` says how many kills (10), `CRASH_SEED` which ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Server, children, collector, start_server
from tests.crash.end_state import end_state
from tests.crash.traffic import Traffic

KILLS = int(os.environ.get("CRASH_KILLS", "10"))
SEED = int(os.environ.get("CRASH_SEED", "20261031"))
VICTIMS = {"worker": 4, "store": 3, "supervisor": 2, "everything": 2}  # with how often each is chosen
_OPTIONS = ("--workers", "2", "--rate-per-second", "0", "--seal-after-seconds", "0.5")


def running_children(server: Server, module: str) -> list[int]:
    """The children that run this module now."""
    found = []
    for pid in children(server.process.pid):
        with contextlib.suppress(OSError):
            if module in Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"):
                found.append(pid)
    return found


async def kill(victim: str, server: Server, chance: random.Random) -> tuple[str, Server]:
    """Kills; what was killed really, and the server that runs afterwards."""
    modules = {"worker": "collector.worker", "store": "collector.storekeeper"}
    if victim in modules:
        if alive := running_children(server, modules[victim]):
            os.kill(chance.choice(alive), signal.SIGKILL)
            return victim, server  # the supervisor starts it again
        victim = "everything"  # it is down already, waiting to be started
    if victim == "everything":
        server.kill_everything()
    else:
        server.process.kill()
        server.process.wait(timeout=10)
    assert server.process.stdout is not None
    server.process.stdout.close()
    return victim, await asyncio.to_thread(start_server, server.data, *_OPTIONS)


async def kill_under_load(data: Path, progress: pytest.CaptureFixture[str]) -> tuple[Traffic, Server]:
    """Kills and kills; the traffic that was, and the server that is left."""
    chance = random.Random(SEED)
    killed: Counter[str] = Counter()
    server = await asyncio.to_thread(start_server, data, *_OPTIONS)
    traffic = Traffic(server.ingest)
    sending = asyncio.create_task(traffic.run())
    try:
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.1, 1.0))
            (victim,) = chance.choices(list(VICTIMS), list(VICTIMS.values()))
            victim, server = await kill(victim, server, chance)
            traffic.url = server.ingest
            killed[victim] += 1
            if killed.total() % 10 == 0:
                with progress.disabled():
                    print(  # noqa: T201 - a long run shows that it lives
                        f"\n{killed.total()} kills ({', '.join(f'{n} {v}' for v, n in killed.items())}), "
                        f"{len(traffic.acknowledged)} reports acknowledged so far"
                    )
        before = len(traffic.acknowledged)
        while len(traffic.acknowledged) < before + 100:  # there is life after the last kill
            await asyncio.sleep(0.05)
    finally:
        traffic.stop()
        await sending
    return traffic, server


def wait_until_all_is_loaded(server: Server) -> None:
    """Killed often, a process is started again half a minute later; until the store is back nobody can say."""
    deadline = time.monotonic() + 90
    while True:
        told = collector("status", "--data", str(server.data), "--format", "json", check=False)
        if told.returncode == 0 and json.loads(told.stdout)["serving"] and not json.loads(told.stdout)["waiting"]:
            return
        assert time.monotonic() < deadline, f"is not loaded: {told.stdout} {told.stderr}"
        time.sleep(0.2)


@pytest.mark.timeout(180 + 6 * KILLS)
def test_processes_killed_at_random_moments_lose_nothing_acknowledged_and_count_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    traffic, server = asyncio.run(kill_under_load(data, capsys))
    try:
        wait_until_all_is_loaded(server)
    finally:
        assert server.stop() == 0
        assert server.process.stdout is not None
        server.process.stdout.close()
    state = end_state(data)
    assert (state.backlog.waiting, state.backlog.quarantined) == (0, 0)
    missing = traffic.acknowledged - set(state.counted)
    assert not missing, f"{len(missing)} acknowledged reports are missing"
    twice = len(state.counted) - len(set(state.counted))
    assert twice == 0, f"{twice} reports count twice"
    assert len(state.stored) == len(set(state.stored))
    assert set(state.stored) <= set(state.counted) <= traffic.sent
    assert len(traffic.acknowledged) > 100 * KILLS
