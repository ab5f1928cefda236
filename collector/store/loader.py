"""Hands sealed segments to the engine as they are: no Python touches a row.

A segment is deleted only after the engine confirmed that its rows are on disk. Killed in between, the
segment is loaded again, and the same report_id makes the same row. A segment that the engine cannot
parse goes to quarantine and blocks nothing; after any other failure it is tried again.

Loading goes on in passes. A pass lists anew and takes the oldest day and segment first, for a bounded
time, so that a long backlog does not keep others from the loader. Small segments of one day are loaded
in one insert: a server takes 64 small ones in the time of two, and makes one part of them instead of 64.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest.segment import OPEN, SEALED, SUFFIX, count_rows, day_of, segments
from collector.metrics import LOAD_FAILURES, LOADED_ROWS, QUARANTINED, WAITING_SEGMENTS
from collector.store.engine import PARSE_CODES, Engine, EngineError, Failure
from collector.store.quarantine import set_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = structlog.get_logger()
_LoadError = EngineError | OSError
# More than this in one pass is no bad segment but an engine or a disk that is gone.
_MOST_FAILURES = 3
_MOST_JOINED = 64
# Well below what makes the engine write more than one block: an insert stays all or nothing.
_MOST_JOINED_BYTES = 32 << 20
_PASS_SECONDS = 2
_ONE_DAY = dt.timedelta(days=1)
_SET_ASIDE_SECONDS = 60


@dataclass(frozen=True)
class Backlog:
    """What of the accepted reports is not in the engine: rows in the spool, rows set aside as unreadable."""

    waiting: int
    quarantined: int


@dataclass(frozen=True)
class Pass:
    """What became of one pass.

    Attributes:
        rows: how many were loaded.
        waiting: segments that the next pass will try.
        failure: the first, if one failed; what failed waits.
    """

    rows: int
    waiting: int
    failure: _LoadError | None


class Loader:
    """Loads the segments under `spool` into `private.reports`.

    Args:
        engine: a connection of the loader's own.
        spool: the directory of the workers' spools.
        quarantine: where segments go that cannot be parsed.
        clock: seconds, monotonic.

    Attributes:
        is_behind: whether segments wait that this loader has not tried since it started or since an outage.
    """

    def __init__(
        self, engine: Engine, spool: Path, quarantine: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._spool = spool
        self._quarantine = quarantine
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._aside: dict[Path, float] = {}  # failed while others were loaded -> when to try it again
        self.is_behind = True

    def load_sealed(self) -> int:
        """Loads what is sealed, oldest day first, in as many passes as it takes.

        Returns:
            How many rows were loaded.

        Raises:
            EngineError, OSError: something failed in a way that may pass; what failed waits.
        """
        rows = 0
        while True:
            done = self.load_some()
            rows += done.rows
            if done.failure:
                raise done.failure
            if not done.waiting:
                return rows

    def load_some(self) -> Pass:
        """One pass. One bad segment does not hold up the rest, an outage ends the pass."""
        with self._one_at_a_time:
            found = list(segments(self._spool, SEALED))
            now = self._clock()
            self._aside = {path: self._aside[path] for path in found if path in self._aside}
            due = [path for path in found if self._aside.get(path, now) <= now]
            tried, rows, failures = self._load_until(now + _PASS_SECONDS, due)
            # Where the engine took other rows, the segment is at fault, and would come first every time.
            at_fault = [path for path, error in failures.items() if rows or isinstance(error, OSError)]
            self._aside |= dict.fromkeys(at_fault, now + _SET_ASIDE_SECONDS)
            waiting = len(due) - tried + len(failures) - len(at_fault)
            self.is_behind = waiting > 0
            WAITING_SEGMENTS.set(len(found) - tried + len(failures))
            return Pass(rows, waiting, next(iter(failures.values()), None))

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Loads nothing meanwhile: what is sealed stays where it is and may be rewritten."""
        with self._one_at_a_time:
            yield

    def has_loaded_past(self, day: dt.date) -> bool:
        """Whether no spool holds a row received on `day` or before (the watermark rule)."""
        return not any(day_of(path) <= day for path in self._waiting())

    def loaded_past(self, today: dt.date) -> dt.date:
        """The last day, before `today`, of which nothing waits in any spool."""
        return min([*(day_of(path) for path in self._waiting()), today]) - _ONE_DAY

    def waiting_segments(self) -> int:
        """How many segments wait, the open ones too; quick, however long they are."""
        return len(self._waiting())

    def backlog(self) -> Backlog:
        """Rows that wait, and rows in quarantine."""
        waiting = sum(_rows_if_there(path) for path in self._waiting())
        return Backlog(waiting, sum(count_rows(p) for p in self._quarantine.glob(f"*{SUFFIX}") if p.is_file()))

    def _waiting(self) -> list[Path]:
        return [path for stage in (OPEN, SEALED) for path in segments(self._spool, stage)]

    def _load_until(self, end: float, due: list[Path]) -> tuple[int, int, dict[Path, _LoadError]]:
        """Loads until `end`; how many segments were tried, how many rows loaded, and what failed."""
        tried = rows = blows = 0
        failures: dict[Path, _LoadError] = {}
        for group in self._groups(due):
            for part, result in self._results(group):
                tried += len(part)
                if isinstance(result, int):
                    rows += result
                    continue
                LOAD_FAILURES.inc()
                failures |= dict.fromkeys(part, result)
                blows += 1
                if blows == _MOST_FAILURES or _is_outage(result):
                    return tried, rows, failures
            if self._clock() >= end:
                break
        return tried, rows, failures

    def _groups(self, due: list[Path]) -> Iterator[list[Path]]:
        """Segments to load in one insert: of one day, next to each other, and small; what failed goes alone."""
        group: list[Path] = []
        length = 0
        for path in due:
            size = path.stat().st_size if path.is_file() else 0
            is_full = len(group) == _MOST_JOINED or length + size > _MOST_JOINED_BYTES
            if group and (
                is_full or path in self._aside or group[0] in self._aside or day_of(group[0]) != day_of(path)
            ):
                yield group
                group, length = [], 0
            group.append(path)
            length += size
        if group:
            yield group

    def _results(self, group: list[Path]) -> Iterator[tuple[list[Path], int | _LoadError]]:
        """What became of a group, rows or error; where one segment of it may be at fault, of each alone."""
        result: int | _LoadError
        try:
            result = self._load(group)
        except (EngineError, OSError) as error:
            result = error
        if len(group) > 1 and (isinstance(result, OSError) or _is_unreadable(result)):
            for path in group:
                yield from self._results([path])
        else:
            yield group, result

    def _load(self, group: list[Path]) -> int:
        """Loads segments and deletes them; how many rows they had, 0 if a single one went to quarantine."""
        rows = [count_rows(path) for path in group]
        try:
            self._engine.load(self._engine.over_all("private.reports"), group, sum(rows))
        except EngineError as error:
            if len(group) > 1 or not _is_unreadable(error):
                raise
            name = set_aside(group[0], self._quarantine, error.code).name
            QUARANTINED.inc()
            log.error("segment_quarantined", segment=name, rows=rows[0], code=error.code)
            return 0
        loads = [[_name(path), day_of(path), n] for path, n in zip(group, rows, strict=True)]
        self._engine.insert("private.loads", ["segment", "received_on", "rows"], loads)
        for path in group:
            path.unlink()
        LOADED_ROWS.inc(sum(rows))
        return sum(rows)


def loaded_rows(engine: Engine) -> int:
    """Rows ever loaded (of the last 400 days), duplicates included."""
    return int(engine.rows("SELECT sum(rows) FROM private.loads FINAL")[0][0])


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}.{path.name}"


def _is_unreadable(result: int | _LoadError) -> bool:
    return isinstance(result, EngineError) and result.kind is Failure.ANSWERED and result.code in PARSE_CODES


def _is_outage(error: _LoadError) -> bool:
    """Whether the next segment would fail the same way, after as long a wait."""
    return isinstance(error, EngineError) and (error.kind is not Failure.ANSWERED or error.code == 0)


def _rows_if_there(path: Path) -> int:
    try:
        return count_rows(path)
    except FileNotFoundError:
        return 0  # sealed or loaded in this moment; the next look finds it where it went
