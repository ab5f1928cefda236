"""What is promised of speed and size, how it follows from the results, and what bounds it where it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.bench import backlog, names, starting
from tests.bench.figures import Figure, cpu_ratio, of_part, rate, rate_ratio, two_workers_to_one, worker_peak
from tests.bench.results import Results


@dataclass(frozen=True)
class Promise:
    """A promise.

    Attributes:
        name: short, for tables.
        text: what is promised, in words.
        figure: computes it from results; raises NotMeasuredError.
        relation, target, unit: what it must be.
        bounded_by: a sentence on what limits it, told where it does not hold.
    """

    name: str
    text: str
    figure: Callable[[Results], Figure]
    relation: Literal["at least", "at most", "below"]
    target: float
    unit: str
    bounded_by: str

    def holds_with(self, value: float) -> bool:
        if self.relation == "at least":
            return value >= self.target
        return value <= self.target if self.relation == "at most" else value < self.target


PROMISES = (
    Promise(
        "keep-alive",
        "reports/s on open connections, validated and on disk, to those of a bare handler on the same core",
        rate_ratio(names.KEEP_ALIVE, names.INGEST, names.BARE),
        "at least",
        0.75,
        "x",
        "The bare handler only parses HTTP; checking a report, keeping its row and waiting for one fdatasync a group "
        "comes on top, in the same Python process",
    ),
    Promise(
        "new connection",
        "reports/s with a new connection each, to those of a bare handler on the same core",
        rate_ratio(names.NEW_CONNECTION, names.INGEST, names.BARE),
        "at least",
        0.85,
        "x",
        "A new connection costs kernel and aiohttp about as much as a report costs to check and keep",
    ),
    Promise(
        "new TLS connection",
        "reports/s with a new TLS connection each, to those of a bare handler on the same core",
        rate_ratio(names.NEW_TLS_CONNECTION, names.INGEST_TLS, names.BARE_TLS),
        "at least",
        0.85,
        "x",
        "The handshake is most of the cost of both; what is left is that of a new connection",
    ),
    Promise(
        "NDJSON",
        "reports/s in batches of 100 on one core",
        rate(names.BATCHES, names.INGEST),
        "at least",
        150_000,
        "/s",
        "Each line is validated by its own call and answered by its own line; that is what a CPU second goes into",
    ),
    Promise(
        "to FastAPI",
        "reports of a CPU second, database included, to those of a FastAPI handler with a list in memory",
        cpu_ratio(names.INTO_THE_DATABASE, names.WHOLE, names.FASTAPI),
        "at least",
        3,
        "x",
        "Most of both is HTTP in Python; ours also writes each report to disk and syncs it, which the list does not",
    ),
    Promise(
        "to OpenTelemetry",
        "reports of a CPU second, database included, to those of the OpenTelemetry Collector that syncs its queue",
        cpu_ratio(names.INTO_THE_DATABASE, names.WHOLE, names.OTEL_SYNCED),
        "at least",
        1.5,
        "x",
        "It is compiled and uses several threads; ours checks every field as well",
    ),
    Promise(
        "two workers",
        "what two workers on two cores take, to what one takes",
        two_workers_to_one,
        "at least",
        1.8,
        "x",
        "The sender has no core of its own then: each worker has half of the load, commits fewer reports at once, and "
        "pays more for each",
    ),
    Promise(
        "worker's memory",
        "the most that a worker ever had",
        worker_peak,
        "below",
        80,
        "MB",
        "Most of it is the libraries that a worker imports",
    ),
    Promise(
        "flat with a backlog",
        "growth of a worker's memory while reports pile up",
        of_part("memory", backlog.GROWTH),
        "at most",
        10,
        "MB",
        "The C library's heap keeps pages of long batches for the next one",
    ),
    Promise(
        "store's memory",
        "what the store process has when idle",
        of_part("start", starting.IDLE),
        "below",
        600,
        "MB",
        "It is the embedded engine's own, before it holds any data",
    ),
    Promise(
        "help",
        "until `collector --help` is done",
        of_part("start", starting.HELP),
        "below",
        200,
        "ms",
        "Python's start and click take most of it",
    ),
    Promise(
        "start",
        "from the start of `collector serve` to its first 202",
        of_part("start", starting.ACCEPTED),
        "at most",
        2,
        "s",
        "Supervisor and worker import one after the other; on few cores the engine's start takes from both",
    ),
)

# Part -> what it promises, said where it was not measured.
JUDGED_BY_PARTS = {
    "loading": "the loader's speed to that of the engine's own inserts",
    "closing": "memory, growth and ingest while a long day is closed",
}
