"""Puts one old thing of each kind where such things are."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from collector.ingest.pseudonyms import Peppers
from collector.ingest.segment import SEALED, segments
from collector.ingest.spool import SegmentWriter
from collector.reports.access import audit, sessions, tokens
from collector.retention.kinds import Kind
from collector.store.quarantine import set_aside
from tests.sample_days import receive, row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.retention.deleting import Deleting


def sealed(deleting: Deleting, day: dt.date, worker: str = "w0", reports: int = 1) -> Path:
    """A segment that waits in the spool."""
    spool = deleting.room.paths.spool
    writer = SegmentWriter(spool / worker, seal_after_bytes=1 << 20, reserve_percent=0)
    writer.append(day, b"".join(json.dumps(row(day), default=str).encode() + b"\n" for _ in range(reports)))
    writer.seal()
    return next(path for path in segments(spool, SEALED) if path.parent.parent.name == worker)


def aside(deleting: Deleting, day: dt.date) -> Path:
    """A segment in quarantine."""
    return set_aside(sealed(deleting, day, "w8"), deleting.room.paths.quarantine, 27)


def count(deleting: Deleting, day: dt.date, **fields: Any) -> None:
    """A counted row."""
    one = {name: value for name, value in row(day, **fields).items() if name != "received_on"}
    one |= {"counted_on": day, "keyed": True}
    deleting.room.engine.insert("private.counted", list(one), [list(one.values())])


def _insert(table: str, columns: list[str], *values: Any) -> Callable[[Deleting, dt.date], None]:
    def plant(deleting: Deleting, day: dt.date) -> None:
        engine = deleting.room.engine
        if table in {"private.loads", "private.nodes", "private.counted"}:
            engine.command(f"ALTER TABLE {table} REMOVE TTL")  # or the engine drops the row as it comes
        when = dt.datetime.combine(day, dt.time(), dt.UTC) if "at" in columns else day
        engine.insert(table, columns, [[when if one is ... else one for one in values]])

    return plant


def _so_far(deleting: Deleting, day: dt.date) -> None:
    deleting.room.engine.insert("public.cells", ["grain", "period", "value"], [["so_far_12", day, 1]])
    releases = [["day", day + n * dt.timedelta(days=1)] for n in range(11)]
    deleting.room.engine.insert("public.releases", ["grain", "period"], releases)


def _backup(name: str) -> Callable[[Deleting, dt.date], None]:
    def plant(deleting: Deleting, day: dt.date) -> None:
        into = deleting.room.paths.data.parent / "backups"
        (into / f"{name}collector-{day:%Y%m%d}T031500Z").mkdir(parents=True)
        deleting.journal.note("backup_taken", str(into / "collector-20300101T000000Z"))

    return plant


def _file(name: str, content: str = "content") -> Callable[[Deleting, dt.date], None]:
    def plant(deleting: Deleting, day: dt.date) -> None:
        path = deleting.room.paths.data / name.format(day=day)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    return plant


def _token(deleting: Deleting, day: dt.date) -> None:
    tokens.create(deleting.ledger, f"t{day:%Y%m%d}", "viewer", 1, _seconds(day) - 86_400, "tests")


def _session(deleting: Deleting, day: dt.date) -> None:
    token, _ = tokens.create(deleting.ledger, "alice", "viewer", 365, _seconds(day), "tests")
    sessions.begin(deleting.ledger, token, None, _seconds(day))


def _line(deleting: Deleting, day: dt.date) -> None:
    with deleting.ledger.writing() as writing:
        audit.record(writing, [audit.Line(_seconds(day), "viewed", "alice")])


def _seconds(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(12, tzinfo=dt.UTC)).timestamp())


PLANTS: dict[Kind, Callable[[Deleting, dt.date], object]] = {
    Kind.SPOOL: sealed,
    Kind.QUARANTINE: aside,
    Kind.GIVEN_UP: _file("quarantine/dropped/w5.2026-11-20.1f2e3d4c-000000.1"),
    Kind.GIVEN_UP_MARKS: _file("quarantine/dropped/w5.{day}.1f2e3d4c-000000.7", ""),
    Kind.RECEIVED: lambda deleting, day: receive(deleting.room.engine, [row(day)]),
    Kind.COUNTED: count,
    Kind.LOADS: _insert("private.loads", ["segment", "received_on", "rows"], "a", ..., 1),
    Kind.NODES: _insert("private.nodes", ["node", "loaded_past", "at"], "a", dt.date(2020, 1, 1), ...),
    Kind.TABLES: lambda deleting, _: deleting.room.engine.command(
        "CREATE TABLE private.moving_a (a UInt8) ENGINE = MergeTree ORDER BY a"
    ),
    Kind.SO_FAR: _so_far,
    Kind.BACKUPS: _backup(""),
    Kind.BEGUN_BACKUPS: _backup("."),
    Kind.ENGINE_BEFORE_MOVE: lambda deleting, day: (
        deleting.room.paths.data / f"engine-before-move-{day:%Y%m%d}T120000Z"
    ).mkdir(),
    Kind.TEMPORARY: _file("moving_0a.ndjson"),
    Kind.AUDIT: _line,
    Kind.TOKENS: _token,
    Kind.SESSIONS: _session,
    Kind.PEPPERS: lambda deleting, day: Peppers(deleting.room.paths.secrets).prepare(
        day - dt.timedelta(days=92)  # a quarter that is over by then
    ),
    Kind.FINGERPRINTS: _insert("private.peppers", ["quarter", "fingerprint", "noted_on"], "2025Q1", "f", ...),
}
