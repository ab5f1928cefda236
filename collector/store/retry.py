"""Tries a segment in quarantine again: all of it, or else all but the lines that the engine cannot read.

Nothing is lost: the segment is replaced by what is left of it only after the rest was confirmed. Nothing
counts twice: the same report_id makes the same row, and what was loaded is written down in `private.loads`
under the segment's name with its number of rows, which every later remainder is below; a retry that was
killed is repeated under the same name.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from collector.ingest.owned_files import sync_directory
from collector.metrics import LOADED_ROWS
from collector.store.engine import PARSE_CODES, Engine, EngineError, Failure
from collector.store.quarantine import PART_SUFFIX, read_reason, reason_of, received_on, write_reason

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()
# Halving finds a few bad lines among many in far fewer; a segment bad throughout is left as it is sooner.
_MOST_TRIES = 1000


@dataclass(frozen=True)
class Retried:
    """What became of a segment's rows: loaded, or still in quarantine."""

    loaded: int
    left: int


def retry(engine: Engine, path: Path) -> Retried:
    """Loads what the engine can read of a segment and leaves the lines it cannot read.

    Raises:
        EngineError, OSError: something failed in a way that may pass; try again later.
    """
    with path.open("rb") as file:
        lines = file.readlines()
    part = path.with_name(f".{path.stem}{PART_SUFFIX}")
    try:
        unread, code = _load_readable(engine, lines, part)
        result = Retried(len(lines) - len(unread), len(unread))
        if result.loaded:
            loaded = [f"{path.name}.{len(lines)}", received_on(path), result.loaded]
            engine.insert("private.loads", ["segment", "received_on", "rows"], [loaded])
            LOADED_ROWS.inc(result.loaded)
        if len(unread) < len(lines) or not lines:
            _leave(path, part, unread)
    finally:
        part.unlink(missing_ok=True)
    if result.left:
        _, since = read_reason(path)
        if since:
            write_reason(path, code, since)
    log.info("segment_retried", segment=path.name, rows=result.loaded, left=result.left)
    return result


def _load_readable(engine: Engine, lines: list[bytes], part: Path) -> tuple[list[bytes], int]:
    """Loads the lines, halving what does not load; the lines that did not, and the engine's last code.

    The largest pieces come first, so that a search that is cut short has loaded the most it could.
    """
    pieces = deque([(0, len(lines))]) if lines else deque()
    unread: list[tuple[int, int]] = []
    code = tries = 0
    while pieces:
        first, last = piece = pieces.popleft()
        if tries == _MOST_TRIES:
            unread.append(piece)
            continue
        tries += 1
        try:
            _write(part, lines[first:last])
            engine.load(engine.over_all("private.reports"), [part], last - first)
        except EngineError as error:
            if error.kind is not Failure.ANSWERED or error.code not in PARSE_CODES:
                raise
            code = error.code
            if last - first == 1:
                unread.append(piece)
            else:
                middle = (first + last) // 2
                pieces += [(first, middle), (middle, last)]
    return [line for first, last in sorted(unread) for line in lines[first:last]], code


def _leave(path: Path, part: Path, unread: list[bytes]) -> None:
    """Replaces the segment by what is left of it, durably."""
    if unread:
        _write(part, unread)
        part.rename(path)
    else:
        path.unlink()
        reason_of(path).unlink(missing_ok=True)
    sync_directory(path.parent)


def _write(path: Path, lines: list[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
