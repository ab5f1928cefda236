"""One segment of the spool: a file of rows that is appended to, made durable, sealed, loaded, deleted.

On disk:
    <spool>/<worker>/open/<day>.<incarnation>-<number>.ndjson     being appended to by its worker
    <spool>/<worker>/sealed/<the same name>                       complete; the store may load it
    <data>/quarantine/<worker>.<the same name>                    the engine could not parse it
    <spool>/<worker>/probe                                        after a failure: does the disk write again?

A line is one row as `ingest/validation.py` builds it, and `<day>` is the `received_on` of all of them.
The incarnation is random for each start of a worker, so that no name is ever used twice.

Invariants:
    1. A name in open/ is durable (directory synced) before the first row in it is acknowledged.
    2. `durable_bytes` only grows by a successful fdatasync; a row is acknowledged only when its last
       byte lies below it.
    3. Whatever follows `durable_bytes` after a failure is cut off, durably, before anything else is appended
       and before the segment is sealed; where it cannot be cut off, the segment is given up.
    4. After a failed fdatasync the segment is given up: the kernel may drop the pages and report
       success the next time. Only the cut is synced after that, which leaves none of those pages.
    5. Recovery cuts a segment at its first invalid line; every acknowledged row lies before it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from typing import TYPE_CHECKING

import orjson

from collector.ingest.owned_files import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = "open"
SEALED = "sealed"
SUFFIX = ".ndjson"


class SegmentLostError(Exception):
    """The segment may not be written to again; rows of this append are not durable."""


class Segment:
    """A segment that is being written. Blocking: call it from a thread.

    Args:
        worker_directory: `<spool>/<worker>`, with open/ and sealed/ in it.
        day: `received_on` of every row.
        name: `<incarnation>-<number>`.
    """

    def __init__(self, worker_directory: Path, day: dt.date, name: str) -> None:
        self.day = day
        self.durable_bytes = 0
        self._may_have_tail = False
        self._sealed = worker_directory / SEALED
        self._path = worker_directory / OPEN / f"{day.isoformat()}.{name}{SUFFIX}"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            sync_directory(self._path.parent)
        except OSError:
            os.close(self._descriptor)
            self._path.unlink()  # an empty file left here would hold up the closing of its day
            raise

    def append(self, rows: bytes) -> None:
        """Appends whole lines and returns when they are durable.

        Raises:
            OSError: they could not be written (a full disk, say) and were cut off again; try again later.
            SegmentLostError: the segment is closed for ever; what was durable before still is.
        """
        try:
            _write_all(self._descriptor, rows)
        except OSError:
            self._cut()
            raise
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._cut()
            self.give_up()
            raise SegmentLostError from error
        self.durable_bytes += len(rows)

    def seal(self) -> None:
        """Hands the segment to the store. An empty one is removed."""
        self.give_up()
        if self.durable_bytes == 0:
            self._path.unlink(missing_ok=True)
            return
        if self._may_have_tail:
            _cut_file(self._path, self.durable_bytes)  # a failed append left a tail that could not be cut then
        seal(self._path, self._sealed)

    def give_up(self) -> None:
        """Closes the file; what is durable in it waits in open/ for `seal` or recovery."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut(self) -> None:
        """Cuts off what is not durable; durably, or a power cut could bring it back among the rows that follow."""
        self._may_have_tail = True
        try:
            os.ftruncate(self._descriptor, self.durable_bytes)
            os.fsync(self._descriptor)
        except OSError as error:
            self.give_up()
            raise SegmentLostError from error
        self._may_have_tail = False


def seal(path: Path, sealed: Path) -> None:
    """Renames a complete segment into `sealed`, durably."""
    path.rename(sealed / path.name)
    sync_directory(sealed)
    sync_directory(path.parent)


def recover(worker_directory: Path) -> int:
    """Seals what an earlier process of this worker left open, cut at the first invalid line.

    Returns:
        How many rows were kept.
    """
    kept = 0
    for path in sorted((worker_directory / OPEN).glob(f"*{SUFFIX}")):
        good_bytes, rows = _valid_prefix(path)
        if rows == 0:
            path.unlink()
            continue
        _cut_file(path, good_bytes)
        seal(path, worker_directory / SEALED)
        # A power cut in the middle of sealing can leave both names, and to rename one onto the other does nothing.
        path.unlink(missing_ok=True)
        kept += rows
    return kept


def prepare(worker_directory: Path) -> None:
    """Makes a worker's directories, durably, readable by the owner alone."""
    for directory in (worker_directory, worker_directory / OPEN, worker_directory / SEALED):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    spool, data = worker_directory.parent, worker_directory.parent.parent
    for directory in (worker_directory, spool, data):
        sync_directory(directory)
    with contextlib.suppress(PermissionError):  # not ours to read: then the data directory was there before us
        sync_directory(data.parent)


def day_of(path: Path) -> dt.date:
    """The `received_on` day in a segment's name."""
    return dt.date.fromisoformat(path.name[:10])


def segments(spool: Path, stage: str) -> Iterator[Path]:
    """All workers' segments in `stage` (open or sealed), oldest day first, then in the order of sealing."""
    found = []
    for path in spool.glob(f"*/{stage}/*{SUFFIX}"):
        try:
            found.append((day_of(path), path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue  # sealed or loaded in this moment
        except ValueError:
            continue  # not a segment's name: somebody else's file, and no reason to stop
    yield from (path for _, _, path in sorted(found))


def count_rows(path: Path) -> int:
    """Number of lines in a segment."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _cut_file(path: Path, length: int) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, rows: bytes) -> None:
    view = memoryview(rows)
    while view:
        view = view[os.write(descriptor, view) :]


def _valid_prefix(path: Path) -> tuple[int, int]:
    """Bytes and rows before the first line that is torn or no row."""
    good_bytes = rows = 0
    with path.open("rb") as file:
        for line in file:
            if not (line.endswith(b"\n") and _is_row(line)):
                break
            good_bytes += len(line)
            rows += 1
    return good_bytes, rows


def _is_row(line: bytes) -> bool:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(row, dict) and "report_id" in row and "received_on" in row
