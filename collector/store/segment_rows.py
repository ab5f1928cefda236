"""Changes rows that are on disk and not in the engine: sealed segments, quarantine, and what was given up there.

A segment is replaced by one rename, so that a kill leaves it as it was or as it should be; the new one is written
beside it as `.<segment>.part`, which nothing loads and the next run removes. Nobody may load or retry segments
meanwhile. The blocks that the old file had are the file system's to overwrite.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from collector.ingest.owned_files import sync_directory
from collector.ingest.segment import OPEN, SEALED, segments
from collector.store.move import MOVING
from collector.store.quarantine import DROPPED, PART_SUFFIX, REASON_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOOK_EVERY_SECONDS = 0.1


def wait_until_sealed(spool: Path, seconds: float) -> int:
    """Waits for the workers to seal what they are writing to now: no other process may change it.

    Returns:
        How many of those segments are still open after `seconds`.
    """
    waiting = list(segments(spool, OPEN))
    deadline = time.monotonic() + seconds
    while waiting := [path for path in waiting if path.exists()]:
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY_SECONDS)
    return len(waiting)


def sealed_files(spool: Path) -> list[Path]:
    """The segments that wait for the engine."""
    return list(segments(spool, SEALED))


def quarantined_files(quarantine: Path) -> list[Path]:
    """The segments in quarantine, and those that a process was giving up when it was killed."""
    return [
        path
        for directory in (quarantine, quarantine / DROPPED)
        if directory.is_dir()
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.suffix != REASON_SUFFIX and path.stat().st_size
    ]


def remove_parts(data: Path, spool: Path, quarantine: Path) -> None:
    """Removes the pieces that a killed run has left, and the row files of a move or a restore that was killed."""
    left = ((f"*/{SEALED}/.*{PART_SUFFIX}", spool), (f"**/.*{PART_SUFFIX}", quarantine), (f"{MOVING}*", data))
    for pattern, directory in left:
        for path in directory.glob(pattern):
            path.unlink(missing_ok=True)


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a segment; none if it is loaded in this moment."""
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> int:
    """Changes the lines of a segment, durably; one without any line left goes.

    Returns:
        How many lines were changed or taken out.

    Raises:
        OSError: it could not be written; the segment is as it was.
    """
    changed = sum(change(line) != line for line in lines_of(path))
    if not changed:
        return 0
    part = path.with_name(f".{path.name}{PART_SUFFIX}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(change(line) for line in lines_of(path))
            file.flush()
            os.fsync(file.fileno())
        if part.stat().st_size or path.parent.name == DROPPED:  # there its name says how many rows were given up
            part.rename(path)
        else:
            path.unlink()
            path.with_suffix(REASON_SUFFIX).unlink(missing_ok=True)
        sync_directory(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return changed
