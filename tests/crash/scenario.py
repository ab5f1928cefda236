"""A life of a spool, told in stages; each runs in a process of its own: `python -m tests.crash.scenario STAGE DATA`.

The code is the real one: SegmentWriter, its recovery, and the Loader with an engine. Before an append the
program marks which rows it is about to write, after it whether they were acknowledged. How the stages end, and
which system call of them is made to fail, is said in `STAGES`; the failures themselves are the kernel's.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import resource
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.ingest.segment import OPEN, segments
from collector.ingest.spool import SegmentWriter, SpoolError
from collector.layout import Layout, layout
from collector.settings import Settings
from tests.sample_days import DAY, ONE, row

WORKER = "w0"
_MARKS = os.open("/dev/null", os.O_WRONLY)
_SEAL_AFTER_BYTES = 1200  # some four rows


def mark(**said: object) -> None:
    """Tells whoever traces this process."""
    os.write(_MARKS, json.dumps(said).encode())


def line(number: int, day: dt.date) -> bytes:
    """Row `number`; rows are equally long, so that halves of two fit together and would make a third."""
    return json.dumps(row(day, report_id=str(uuid.UUID(int=number))), default=str).encode() + b"\n"


class Writing:
    """A SegmentWriter that marks what it does.

    Args:
        paths: the data directory.
        first: the number of the first row.
    """

    def __init__(self, paths: Layout, first: int) -> None:
        self._numbers = iter(range(first, first + 1000))
        self._spool = paths.spool
        self._writer = SegmentWriter(paths.spool / WORKER, seal_after_bytes=_SEAL_AFTER_BYTES, reserve_percent=0)

    def append(self, rows: int, day: dt.date = DAY) -> None:
        """Appends rows, and marks before and after."""
        lines = [line(next(self._numbers), day).decode() for _ in range(rows)]
        mark(writing=lines)
        try:
            self._writer.append(day, "".join(lines).encode())
        except SpoolError as error:
            mark(refused=error.outcome.value)
        else:
            mark(acknowledged=lines)

    def seal(self) -> None:
        """Seals as after some time."""
        self._writer.seal_if_older_than(0)
        mark(sealed=True)

    @contextlib.contextmanager
    def room_for(self, more_bytes: int) -> Iterator[None]:
        """The kernel lets the open segment (or a new one) grow by this and refuses the rest, as a full disk does."""
        length = sum(path.stat().st_size for path in segments(self._spool, OPEN))
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (length + more_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def ordinary(paths: Layout) -> None:
    """Appends, sealed by size, by age and by a change of day; the last segment stays open."""
    writing = Writing(paths, 1000)
    writing.append(1)
    writing.append(2)
    writing.append(3)
    writing.append(2)
    writing.seal()
    writing.append(1)
    writing.append(2, DAY + ONE)
    writing.append(1, DAY + ONE)


def short(paths: Layout) -> None:
    """Writes that the kernel cuts short: a whole row and a half get in, more is appended or the segment sealed."""
    writing = Writing(paths, 2000)
    half_way = len(line(0, DAY)) * 3 // 2
    with writing.room_for(half_way):
        writing.append(2)
    writing.append(1)  # over what was cut: a torn row must not be made whole by what was there before
    with writing.room_for(half_way):
        writing.append(2)
    writing.seal()
    with writing.room_for(half_way):
        writing.append(2, DAY + ONE)
    writing.seal()


def unsynced(paths: Layout) -> None:
    """The second and the third fdatasync fail: once after rows that are durable, once before any."""
    writing = Writing(paths, 3000)
    for rows in (2, 2, 1, 2, 1):
        writing.append(rows)
    writing.seal()


def torn(paths: Layout) -> None:
    """Killed when a short write is about to be cut off: the torn row stays."""
    writing = Writing(paths, 4000)
    writing.append(2)
    with writing.room_for(len(line(0, DAY)) * 3 // 2):
        writing.append(2)


def loading(paths: Layout) -> None:
    """Recovers, loads what is sealed, writes on, and loads again."""
    from collector.store.engine import open_embedded
    from collector.store.loader import Loader
    from collector.store.migrate import migrate

    engine = open_embedded(paths.engine)
    migrate(engine, DAY)
    loader = Loader(engine, paths.spool, paths.quarantine)
    writing = Writing(paths, 5000)
    loader.load_sealed()
    writing.append(2, DAY + ONE)
    writing.append(2, DAY + ONE)
    writing.append(1, DAY + ONE)
    loader.load_sealed()
    writing.seal()
    mark(loaded=engine.rows("SELECT count() FROM private.reports FINAL")[0][0])
    engine.close()


# Name -> what it does, and what strace does to it.
STAGES: dict[str, tuple[Callable[[Layout], None], tuple[str, ...]]] = {
    "ordinary": (ordinary, ()),
    "short": (short, ()),
    "unsynced": (unsynced, ("-e", "inject=fdatasync:error=EIO:when=2..3")),
    "torn": (torn, ("-e", "inject=ftruncate:signal=SIGKILL:when=1")),
    "loading": (loading, ()),
}

if __name__ == "__main__":
    STAGES[sys.argv[1]][0](layout(Settings(data=Path(sys.argv[2]))))
