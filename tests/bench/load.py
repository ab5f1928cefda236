"""The sender of a benchmark, a process of its own: `python -m tests.bench.load JSON`, where JSON is a `Load`.

It writes prepared bytes on sockets, so that the sender is slower than the server as seldom as it can be, looks at the
status of every answer, and prints a `Sent` as one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import uvloop

from tests.bench.cores import SENDER, on_core
from tests.bench.exchange import Connection, NoAnswerError
from tests.bench.wording import Requests, Wording

PROJECT = Path(__file__).parent.parent.parent
Mode = Literal["keep-alive", "new connection", "burst"]
# An answer may come this long after the last request was sent.
PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Load:
    """What to send where.

    Attributes:
        host, port: of the target.
        wording: how it is told a report.
        mode: keep-alive asks again on each connection once it is answered, new connection on a new one; burst opens one
            for each report at a moment that was drawn before, whether or not those before were answered.
        seconds: how long requests are begun.
        connections: at once; a burst has as many as it needs.
        lines: reports of a request.
        refused_every: each so many-eth report has a field that is not permitted; 0 for none.
        machines: reports of a burst.
        authority: certificate (PEM) that a TLS server's is checked against; None without TLS.
    """

    host: str
    port: int
    wording: Wording
    mode: Mode
    seconds: float
    connections: int = 128
    lines: int = 1
    refused_every: int = 0
    machines: int = 0
    authority: str | None = None


@dataclass(frozen=True)
class Sent:
    """What was sent and answered.

    Attributes:
        reports: in requests that were answered, whatever with.
        seconds: from the first request to the last answer.
        statuses: HTTP status -> answers.
        failures: what went wrong -> requests without an answer.
        busy: share of the time in which this process ran, or waited for its core.
        latency_ms: median, p99 and max from the moment a request was due to the end of its answer; of a burst alone.
    """

    reports: int
    seconds: float
    statuses: dict[str, int]
    failures: dict[str, int]
    busy: float
    latency_ms: dict[str, float] = field(default_factory=dict)


class Tally:
    """Counts answers."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.last = time.perf_counter()

    def answered(self, status: bytes) -> None:
        self.statuses[status.decode()] += 1
        self.last = time.perf_counter()


class Sending:
    """One run of a load."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._tally = Tally()
        self._requests = Requests(
            load.wording,
            host=f"{load.host}:{load.port}",
            lines=load.lines,
            refused_every=load.refused_every,
            closes=load.mode != "keep-alive",
        )
        self._trust = ssl.create_default_context(cafile=load.authority) if load.authority else None
        self._times: list[float] = []

    async def run(self) -> Sent:
        load, tally = self._load, self._tally
        sending = self._burst if load.mode == "burst" else self._keep_sending
        started, ran = time.perf_counter(), time_on_core()
        tasks = sending(started)
        _, late = await asyncio.wait(tasks, timeout=load.seconds + PATIENCE_SECONDS)
        for task in late:
            task.cancel()
            tally.failures["no answer in time"] += 1
        ended = time.perf_counter()
        return Sent(
            reports=sum(tally.statuses.values()) * load.lines,
            seconds=max(tally.last - started, 1e-9),
            statuses=dict(tally.statuses),
            failures=dict(tally.failures),
            busy=(time_on_core() - ran) / (ended - started),
            latency_ms=latencies(self._times),
        )

    def _keep_sending(self, started: float) -> list[asyncio.Task[None]]:
        deadline = started + self._load.seconds
        keeps = self._load.mode == "keep-alive"

        def another() -> bytes | None:
            return self._requests.next() if keeps and time.perf_counter() < deadline else None

        async def send() -> None:
            await self._connect(another)
            while time.perf_counter() < deadline:
                await self._connect(another)

        return [asyncio.create_task(send()) for _ in range(self._load.connections)]

    def _burst(self, started: float) -> list[asyncio.Task[None]]:
        load = self._load

        async def send(due: float) -> None:
            await asyncio.sleep(due - time.perf_counter())
            if await self._connect(lambda: None):
                self._times.append(time.perf_counter() - due)

        return [asyncio.create_task(send(started + due)) for due in boots(load.machines, load.seconds)]

    async def _connect(self, another: Callable[[], bytes | None]) -> bool:
        """One connection from its first request to its last answer; whether it went well."""
        load, loop = self._load, asyncio.get_running_loop()
        done = loop.create_future()
        name = "localhost" if self._trust else None
        try:
            await loop.create_connection(
                lambda: Connection(self._requests.next(), another, self._tally.answered, done),
                load.host,
                load.port,
                ssl=self._trust,
                server_hostname=name,
            )
            await done
        except (OSError, NoAnswerError) as error:
            self._tally.failures[type(error).__name__] += 1
            await asyncio.sleep(0.01)  # a target that is gone is not asked as fast as the machine can
            return False
        return True


def boots(machines: int, seconds: float) -> list[float]:
    """Moments at which machines boot, as if each chose its own; the same in every run."""
    golden = 0.6180339887498949  # multiples of it fall evenly, and in no rhythm
    return sorted(n * golden % 1 * seconds for n in range(machines))


def latencies(seconds: list[float]) -> dict[str, float]:
    """Median, p99 and max in milliseconds; empty of none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    places = {"p50": len(ordered) // 2, "p99": min(len(ordered) - 1, len(ordered) * 99 // 100), "max": -1}
    return {name: 1000 * ordered[place] for name, place in places.items()}


def time_on_core() -> float:
    """Seconds for which this process ran or was ready to, waiting for its core; without the latter where not told."""
    try:
        ran, waited, _ = Path("/proc/self/schedstat").read_text(encoding="ascii").split()
    except OSError:
        return time.process_time()
    return (int(ran) + int(waited)) / 1e9


def send(load: Load) -> Sent:
    """Runs a load in a process on the sender's core.

    Raises:
        subprocess.SubprocessError: it failed, or did not end.
    """
    command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(load))]
    limit = load.seconds + PATIENCE_SECONDS + 30
    with on_core(SENDER):
        # Not of the terminal's group: at Ctrl-C it is this process that ends it.
        done = subprocess.run(
            command, cwd=PROJECT, stdout=subprocess.PIPE, check=True, timeout=limit, start_new_session=True
        )
    return Sent(**json.loads(done.stdout))


def main() -> None:
    given = json.loads(sys.argv[1])
    load = Load(**given | {"wording": Wording(**given["wording"])})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def run() -> Sent:
        return await Sending(load).run()

    print(json.dumps(asdict(uvloop.run(run()))))


if __name__ == "__main__":
    main()
