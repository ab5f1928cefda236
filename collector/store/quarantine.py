"""Segments that the engine could not parse: set aside, looked at, given up; `store/retry.py` tries them again.

On disk:
    <data>/quarantine/<worker>.<segment>.ndjson           rows, exactly as they were accepted
    <data>/quarantine/<worker>.<segment>.reason           {"code": 27, "since": "2026-10-31"}; never content
    <data>/quarantine/.<worker>.<segment>.part            a piece that is being tried; may go at any time
    <data>/quarantine/dropped/<worker>.<segment>.<rows>   empty: so many rows of it were given up

Invariants:
    1. A row leaves quarantine only after the engine confirmed it, or by `drop`.
    2. Giving up is one rename, so that a row is at every moment either quarantined or dropped: the sum of
       `collector status` holds whenever a process is killed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest.owned_files import sync_directory
from collector.ingest.segment import SUFFIX, count_rows, day_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = structlog.get_logger()
REASON_SUFFIX = ".reason"
PART_SUFFIX = ".part"
DROPPED = "dropped"
# `collector status` counts the reports of so many days, as the table of loads keeps them.
COUNTED_DAYS = 400


@dataclass(frozen=True)
class SetAside:
    """One segment in quarantine; `code` is the engine's, None where nobody wrote it down."""

    path: Path
    day: dt.date
    rows: int
    bytes: int
    since: dt.date
    code: int | None

    @property
    def name(self) -> str:
        """How the operator calls it."""
        return self.path.stem


def set_aside(segment_path: Path, quarantine_dir: Path, code: int) -> Path:
    """Moves a worker's sealed segment into quarantine, durably, with the engine's code beside it.

    Returns:
        Where it is now.
    """
    target = quarantine_dir / f"{segment_path.parent.parent.name}.{segment_path.name}"
    # The reason first: killed in between, the segment is loaded or set aside again.
    write_reason(target, code, dt.datetime.now(dt.UTC).date())
    segment_path.rename(target)
    sync_directory(quarantine_dir)
    sync_directory(segment_path.parent)
    return target


def set_aside_segments(quarantine_dir: Path) -> list[SetAside]:
    """The segments in quarantine, oldest day first; other files are left out."""
    found = []
    for path in quarantine_dir.glob(f"*{SUFFIX}"):
        try:
            state = path.stat()
            code, since = read_reason(path)
            since = since or dt.datetime.fromtimestamp(state.st_ctime, dt.UTC).date()
            found.append(SetAside(path, received_on(path), count_rows(path), state.st_size, since, code))
        except (OSError, ValueError):
            continue  # gone in this moment, or somebody else's
    return sorted(found, key=lambda one: (one.day, one.name))


def drop(path: Path, today: dt.date) -> int:
    """Gives a segment up: its rows are counted as dropped and deleted, durably.

    Returns:
        How many rows were given up.
    """
    rows = _give_up(path, path.parent, path.stem)
    reason_of(path).unlink(missing_ok=True)
    forget_given_up(path.parent, today)
    return rows


def drop_waiting(path: Path, quarantine_dir: Path, today: dt.date) -> int:
    """Gives up a sealed segment that waits in a worker's spool, as `drop` does.

    Returns:
        How many rows were given up.
    """
    rows = _give_up(path, quarantine_dir, f"{path.parent.parent.name}.{path.stem}")
    forget_given_up(quarantine_dir, today)
    return rows


def dropped_rows(quarantine_dir: Path, today: dt.date) -> int:
    """Rows that were given up, of the days that `collector status` counts."""
    return sum(rows for _, day, rows in given_up(quarantine_dir) if (today - day).days <= COUNTED_DAYS)


def forget_given_up(quarantine_dir: Path, today: dt.date) -> None:
    """Deletes the content of what was given up, also by a process that was killed, and marks too old to count."""
    for path, day, _ in list(given_up(quarantine_dir)):
        if path.stat().st_size:
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.fsync(descriptor)
            os.close(descriptor)
        if (today - day).days > COUNTED_DAYS:
            path.unlink()


def received_on(path: Path) -> dt.date:
    """The day in the name of a segment in quarantine, which begins with its worker's.

    Raises:
        ValueError: it is no segment's name.
    """
    return day_of(path.with_name(path.name.partition(".")[2] or path.name))


def reason_of(path: Path) -> Path:
    """The file beside a segment that tells why it is here."""
    return path.with_suffix(REASON_SUFFIX)


def read_reason(path: Path) -> tuple[int | None, dt.date | None]:
    """The engine's code and the day on which the segment came, as far as they were written down."""
    try:
        reason = json.loads(reason_of(path).read_text(encoding="ascii"))
        return int(reason["code"]), dt.date.fromisoformat(reason["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def write_reason(path: Path, code: int, since: dt.date) -> None:
    """Writes down, durably, why a segment is here; the name is durable with the segment's."""
    content = json.dumps({"code": code, "since": since.isoformat()})
    descriptor = os.open(reason_of(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def given_up(quarantine_dir: Path) -> Iterator[tuple[Path, dt.date, int]]:
    """The marks of what was given up: the file, the day its reports were received on, and how many they were."""
    for path in (quarantine_dir / DROPPED).glob("*.*.*"):
        name, _, rows = path.name.rpartition(".")
        try:
            yield path, received_on(path.with_name(name)), int(rows)
        except ValueError:
            continue  # somebody else's


def _give_up(path: Path, quarantine_dir: Path, name: str) -> int:
    rows = count_rows(path)
    dropped = quarantine_dir / DROPPED
    dropped.mkdir(mode=0o700, exist_ok=True)
    path.rename(dropped / f"{name}.{rows}")
    sync_directory(dropped)
    sync_directory(path.parent)
    log.warning("segment_dropped", segment=f"{name}{SUFFIX}", rows=rows)
    return rows
