"""Hands sealed segments to the engine, file by file: no Python touches a row.

A segment is deleted only after the engine confirmed that its rows are on disk. Killed in between, the
segment is loaded again, and the same report_id makes the same row. A segment that the engine cannot
parse goes to quarantine and blocks nothing; after any other failure it is tried again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest.segment import OPEN, SEALED, SUFFIX, count_rows, day_of, segments, sync_directory
from collector.metrics import LOAD_FAILURES, LOADED_ROWS, QUARANTINED, WAITING_SEGMENTS
from collector.store.engine import PARSE_CODES, Engine, EngineError

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

log = structlog.get_logger()
# More than this in one pass is no bad segment but an engine or a disk that is gone.
_MOST_FAILURES = 3


@dataclass(frozen=True)
class Backlog:
    """What of the accepted reports is not in the engine: rows in the spool, rows set aside as unreadable."""

    waiting: int
    quarantined: int


class Loader:
    """Loads the segments under `spool` into `private.reports`.

    Args:
        engine: a connection of the loader's own.
        spool: the directory of the workers' spools.
        quarantine: where segments go that cannot be parsed.
    """

    def __init__(self, engine: Engine, spool: Path, quarantine: Path) -> None:
        self._engine = engine
        self._spool = spool
        self._quarantine = quarantine
        self._one_at_a_time = threading.Lock()

    def load_sealed(self) -> int:
        """Loads what is sealed now, oldest day first.

        Returns:
            How many rows were loaded.

        Raises:
            EngineError, OSError: something failed in a way that may pass; what failed waits.
        """
        with self._one_at_a_time:
            waiting = list(segments(self._spool, SEALED))
            WAITING_SEGMENTS.set(len(waiting))
            return self._load_all(waiting)

    def _load_all(self, paths: list[Path]) -> int:
        """Loads what can be loaded; one bad segment does not hold up the rest, an outage ends the pass."""
        loaded, failures = 0, list[EngineError | OSError]()
        for path in paths:
            try:
                loaded += self.load(path)
            except (EngineError, OSError) as error:
                failures.append(error)
                if len(failures) >= _MOST_FAILURES:
                    break
        if failures:
            raise failures[0]
        return loaded

    def load(self, path: Path) -> int:
        """Loads one segment and deletes it.

        Returns:
            How many rows it had; 0 if it went to quarantine.

        Raises:
            EngineError: the engine failed in a way that may pass.
        """
        rows = count_rows(path)
        name = f"{path.parent.parent.name}.{path.name}"
        try:
            self._engine.load("private.reports", path)
        except EngineError as error:
            if error.code not in PARSE_CODES:
                LOAD_FAILURES.inc()
                raise
            path.rename(self._quarantine / name)
            sync_directory(self._quarantine)
            QUARANTINED.inc()
            log.error("segment_quarantined", segment=name, rows=rows, code=error.code)
            return 0
        self._engine.insert("private.loads", ["segment", "received_on", "rows"], [[name, day_of(path), rows]])
        path.unlink()
        LOADED_ROWS.inc(rows)
        return rows

    def has_loaded_past(self, day: dt.date) -> bool:
        """Whether no spool holds a row received on `day` or before (the watermark rule)."""
        return not any(day_of(path) <= day for stage in (OPEN, SEALED) for path in segments(self._spool, stage))

    def backlog(self) -> Backlog:
        """Rows that wait, and rows in quarantine."""
        waiting = sum(_rows_if_there(p) for stage in (OPEN, SEALED) for p in segments(self._spool, stage))
        return Backlog(waiting, sum(count_rows(p) for p in self._quarantine.glob(f"*{SUFFIX}") if p.is_file()))


def loaded_rows(engine: Engine) -> int:
    """Rows ever loaded (of the last 400 days), duplicates included."""
    return int(engine.rows("SELECT sum(rows) FROM private.loads FINAL")[0][0])


def _rows_if_there(path: Path) -> int:
    try:
        return count_rows(path)
    except FileNotFoundError:
        return 0  # sealed or loaded in this moment; the next look finds it where it went
