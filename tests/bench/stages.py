"""What is measured against what: targets that run at the same time, and what is sent to each of them in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from tests.bench import names
from tests.bench.load import Mode
from tests.bench.targets.bare import bare
from tests.bench.targets.fastapi import fastapi
from tests.bench.targets.insert import insert
from tests.bench.targets.opentelemetry import opentelemetry
from tests.bench.targets.ours import ingest, whole
from tests.bench.targets.target import Starting


@dataclass(frozen=True)
class Workload:
    """What is sent.

    Attributes:
        name: one of `names.py`.
        mode, lines, refused_every: see `load.Load`.
        settles: whether a round ends only when the reports are where they go.
        only_full: left out of a quick run.
    """

    name: str
    mode: Mode = "keep-alive"
    lines: int = 1
    refused_every: int = 0
    settles: bool = False
    only_full: bool = False


@dataclass(frozen=True)
class Stage:
    """Targets that are measured in turns. Their names are here too, for what is said when one cannot be had."""

    targets: dict[str, Starting]
    workloads: tuple[Workload, ...]

    def only(self, names: list[str] | None) -> Stage:
        """This stage with the workloads of these names; all of them if None."""
        return replace(self, workloads=tuple(one for one in self.workloads if names is None or one.name in names))


STAGES = (
    Stage(
        {names.INGEST: ingest, names.BARE: bare},
        (
            Workload(names.KEEP_ALIVE),
            Workload(names.NEW_CONNECTION, "new connection"),
            Workload(names.BATCHES, lines=100),
            Workload(names.ONE_IN_TEN_REFUSED, refused_every=10),
            Workload(names.BURST, "burst"),
        ),
    ),
    Stage(
        {names.INGEST_TLS: partial(ingest, name=names.INGEST_TLS, tls=True), names.BARE_TLS: partial(bare, tls=True)},
        (Workload(names.NEW_TLS_CONNECTION, "new connection"),),
    ),
    Stage(
        {
            names.WHOLE: whole,
            names.FASTAPI: fastapi,
            names.OTEL_SYNCED: partial(opentelemetry, fsync=True),
            names.OTEL: partial(opentelemetry, fsync=False),
            names.INSERT: insert,
        },
        (
            Workload(names.INTO_THE_DATABASE, settles=True),
            Workload(names.NEW_INTO_THE_DATABASE, "new connection", settles=True, only_full=True),
        ),
    ),
    Stage(
        {
            names.ONE_WORKER: partial(ingest, name=names.ONE_WORKER),
            names.TWO_WORKERS: partial(ingest, name=names.TWO_WORKERS, workers=2),
        },
        (Workload(names.TWO_CORES),),
    ),
)
