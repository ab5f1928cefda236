"""Audit lines on their way to disk: gathered for a second at the most, so that no answer waits for them.

With them goes when tokens and sessions were last used. A crash loses at most that second of views; who signed in,
tokens and hidden values are written with what they are about and are never lost. While the file takes no
lines they wait here; when too many wait, nobody gets an answer any more: none is given unaudited for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

import structlog

from collector.metrics import AUDIT_LINES_WAITING
from collector.reports.access import audit, sessions, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.reports.access.audit import Line
    from collector.reports.access.ledger import Ledger

log = structlog.get_logger()
_FLUSH_EVERY_SECONDS = 1
_SWEEP_EVERY_SECONDS = 3600
_MOST_WAITING = 5_000


class Trail:
    """What is to be written soon."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lines: list[Line] = []
        self._seen: dict[bytes, int] = {}
        self._used: dict[int, dt.date] = {}
        self._noting, self._flushing = threading.Lock(), threading.Lock()

    @property
    def waiting(self) -> int:
        """How many lines are not written."""
        return len(self._lines)

    @property
    def is_full(self) -> bool:
        """Whether too much waits for any more to be answered."""
        return self.waiting >= _MOST_WAITING

    def note(self, line: Line) -> None:
        """Adds a line, soon."""
        with self._noting:
            self._lines.append(line)

    def note_seen(self, session: bytes, now: int) -> None:
        """A session (the digest of its cookie) was used."""
        with self._noting:
            self._seen[session] = now

    def note_used(self, token: int, day: dt.date) -> None:
        """A token was used."""
        with self._noting:
            self._used[token] = day

    def flush(self) -> None:
        """Writes everything noted so far; what cannot be written goes on waiting. Blocking.

        Raises:
            LedgerError: it could not be written.
        """
        with self._flushing:
            with self._noting:
                lines, seen, used = self._lines, self._seen, self._used
                self._lines, self._seen, self._used = [], {}, {}
            if not (lines or seen or used):
                return
            try:
                self._write(lines, seen, used)
            except BaseException:
                with self._noting:
                    self._lines, self._seen, self._used = lines + self._lines, seen | self._seen, used | self._used
                raise

    def _write(self, lines: list[Line], seen: dict[bytes, int], used: dict[int, dt.date]) -> None:
        with self._ledger.writing() as writing:
            audit.record(writing, lines)
            for session, at in seen.items():
                sessions.note_seen(writing, session, at)
            for token, day in used.items():
                tokens.note_used(writing, token, day)


async def look_after(ledger: Ledger, trail: Trail, clock: Callable[[], float] = time.time) -> None:
    """Writes what was noted each second and deletes what is too old each hour; when cancelled, writes the rest."""
    try:
        swept_at = float("-inf")
        failed = False
        while True:
            try:
                await ledger.apart(trail.flush)
                if time.monotonic() - swept_at >= _SWEEP_EVERY_SECONDS:
                    await ledger.apart(sweep, ledger, int(clock()))
                    swept_at = time.monotonic()
                failed = False
                AUDIT_LINES_WAITING.set(0)
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                if not failed:
                    log.error("audit_not_written", error=type(error).__name__)
                failed = True
                AUDIT_LINES_WAITING.set(trail.waiting)
            await asyncio.sleep(_FLUSH_EVERY_SECONDS)
    finally:
        with contextlib.suppress(Exception):
            await ledger.apart(trail.flush)


def sweep(ledger: Ledger, now: int) -> None:
    """Deletes sessions that have ended and audit lines older than 13 months. Blocking."""
    sessions.sweep(ledger, now)
    audit.expire(ledger, dt.datetime.fromtimestamp(now, dt.UTC).date())
