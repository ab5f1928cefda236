"""One worker's spool: many requests wait for one fdatasync, and none is acknowledged before it.

Requests put their rows into a list; while a commit runs in the spool's own thread, the next list
fills. So under load one fdatasync serves all that came during the one before, and without load a
report waits for its own alone. The files and their invariants are in `ingest/segment.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest import segment as segments
from collector.ingest import tally
from collector.ingest.segment import Segment, SegmentLostError
from collector.ingest.waiting import Waiting
from collector.metrics import COMMIT_SECONDS, SPOOL_FAILURES
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

log = structlog.get_logger()
# Commits begin this far apart. One costs as much CPU as several reports, and nobody waits for 5 ms; a report that comes
# after a pause is committed at once.
_APART_SECONDS = 0.005
_PROBE_BYTES = 262_144
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpoolError(Exception):
    """Rows that are not on disk: `outcome` says what to answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class SegmentWriter:
    """Appends rows to the segment of their day, and seals it by size, age or a change of day. Blocking.

    Args:
        directory: `<spool>/<worker>`.
        seal_after_bytes: a segment this long is sealed.
        reserve_percent: share of the disk that stays free.
        max_bytes: most bytes that may wait in this directory; None for as many as the disk holds.
    """

    def __init__(
        self, directory: Path, *, seal_after_bytes: int, reserve_percent: float, max_bytes: int | None = None
    ) -> None:
        self._directory = directory
        self._seal_after_bytes = seal_after_bytes
        self._reserve = reserve_percent / 100
        self._max_bytes = max_bytes
        self._waiting = Waiting(directory)
        self._names = (f"{token}-{n:06d}" for token in (secrets.token_hex(4),) for n in itertools.count())
        self._segment: Segment | None = None
        self._opened_at = 0.0
        self._complete: list[Segment] = []  # to be sealed; longer than one only while renaming fails
        segments.prepare(directory)
        self.recovered_rows = segments.recover(directory)

    def append(self, day: dt.date, rows: bytes) -> None:
        """Makes `rows` (whole lines, all received on `day`) durable.

        Raises:
            SpoolError: they are not durable; nothing of them will be loaded by this writer.
        """
        if self.is_full():
            raise SpoolError(Outcome.SPOOL_FULL)
        try:
            if self._segment is None or self._segment.day != day:
                self.seal()
                self._segment = Segment(self._directory, day, next(self._names))
                self._opened_at = time.monotonic()
            self._segment.append(rows)
            self._waiting.bytes += len(rows)
        except SegmentLostError as error:
            self.seal()
            raise SpoolError(Outcome.UNAVAILABLE) from error
        except OSError as error:
            outcome = Outcome.SPOOL_FULL if error.errno in _NO_SPACE else Outcome.UNAVAILABLE
            raise SpoolError(outcome) from error
        if self._segment.durable_bytes >= self._seal_after_bytes:
            self.seal()

    def seal(self) -> None:
        """Hands the current segment, if there is one, to the store.

        What cannot be renamed now is tried again at the next call, or recovered at the next start; its
        rows are durable all the while.
        """
        if self._segment is not None:
            self._complete.append(self._segment)
            self._segment = None
        still_open = []
        for segment in self._complete:
            try:
                segment.seal()
            except FileNotFoundError:
                continue  # renamed already; only the sync of its directory had failed
            except OSError:
                still_open.append(segment)
        self._complete = still_open

    def seal_if_older_than(self, seconds: float) -> None:
        """Seals the current segment once it has been open for `seconds`."""
        if self._complete or (self._segment and time.monotonic() - self._opened_at >= seconds):
            self.seal()

    def is_full(self) -> bool:
        """Whether as much waits as may, or free space is under the reserve."""
        if self._max_bytes is not None:
            self._waiting.look()
            if self._waiting.bytes >= self._max_bytes:
                return True
        disk = os.statvfs(self._directory)
        return disk.f_bavail < disk.f_blocks * self._reserve

    def can_write(self) -> bool:
        """Whether the disk takes a file of some length; leaves none."""
        probe = self._directory / "probe"
        try:
            with probe.open("wb", buffering=0) as file:
                written = file.write(bytes(_PROBE_BYTES))
                os.fdatasync(file.fileno())
            probe.unlink()
        except OSError:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
            return False
        return written == _PROBE_BYTES

    def oldest_sealed_seconds(self) -> float:
        """How long the oldest sealed segment has waited for the store; 0 if none waits."""
        self._waiting.look()
        return max(0.0, time.time() - self._waiting.oldest) if self._waiting.oldest else 0.0


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one request waits for."""

    day: dt.date
    rows: bytes
    report: str
    reports: int
    durable: asyncio.Future[None]


class Spool:
    """The asynchronous side: `append` returns when the rows are durable.

    Args:
        writer: does the blocking work, in one thread of its own.
    """

    def __init__(self, writer: SegmentWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._waiting: list[_Rows] = []
        self._committing: asyncio.Task[None] | None = None
        self._begun_at = float("-inf")
        self.last_outcome = Outcome.ACCEPTED

    async def append(self, day: dt.date, rows: bytes, report: str, reports: int) -> None:
        """Returns when `rows` are durable, and counted as accepted.

        Args:
            day: on which all of them were received.
            rows: whole lines.
            report: the id of the report that they are.
            reports: how many they are.

        Raises:
            SpoolError: they are not.
        """
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Rows(day, rows, report, reports, durable))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        await durable

    async def seal_if_older_than(self, seconds: float) -> None:
        """Seals the current segment once it has been open for `seconds`; after a failure, looks whether it is over.

        Whoever sends reports may have stopped because of the failure: no commit would ever show that it is over.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._writer.seal_if_older_than, seconds)
        if self.last_outcome is not Outcome.ACCEPTED and await loop.run_in_executor(
            self._thread, self._writer.can_write
        ):
            self.last_outcome = Outcome.ACCEPTED

    async def is_full(self) -> bool:
        """Whether as much waits as may, or free space is under the reserve."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.is_full)

    async def oldest_sealed_seconds(self) -> float:
        """How long the oldest sealed segment has waited for the store; 0 if none waits."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.oldest_sealed_seconds)

    async def close(self) -> None:
        """Waits for the commits that are under way and seals."""
        while self._committing is not None:
            await self._committing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.seal)
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(self._begun_at + _APART_SECONDS - loop.time())
                self._begun_at = loop.time()
                batch, self._waiting = self._waiting, []
                for day in sorted({waiting.day for waiting in batch}):
                    of_day = [waiting for waiting in batch if waiting.day == day]
                    rows = [waiting.rows for waiting in of_day]
                    error = await loop.run_in_executor(self._thread, self._commit, day, rows)
                    self._settle(of_day, error)
        finally:
            self._committing = None

    def _commit(self, day: dt.date, rows: list[bytes]) -> SpoolError | None:
        with COMMIT_SECONDS.time():
            try:
                self._writer.append(day, b"".join(rows))
            except SpoolError as error:
                SPOOL_FAILURES.inc()
                return error
            except Exception as error:  # noqa: BLE001 - a bug must not leave requests waiting for ever
                SPOOL_FAILURES.inc()
                log.error("spool_commit_failed", error=type(error).__name__)
                return SpoolError(Outcome.UNAVAILABLE)
        return None

    def _settle(self, batch: list[_Rows], error: SpoolError | None) -> None:
        self.last_outcome = error.outcome if error else Outcome.ACCEPTED
        if error is None:
            # Here, once for all of them and before any is answered: writing a metric takes as long as an answer.
            accepted: Counter[str] = Counter()
            for waiting in batch:
                accepted[waiting.report] += waiting.reports
            for report, reports in accepted.items():
                tally.count(report, Outcome.ACCEPTED, reports)
        for waiting in batch:
            if waiting.durable.cancelled():
                continue  # the client went away; its rows are durable all the same
            if error is None:
                waiting.durable.set_result(None)
            else:
                waiting.durable.set_exception(SpoolError(error.outcome))
