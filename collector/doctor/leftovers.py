"""What may go: left by processes that were killed or by an earlier configuration, and by nobody needed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from collector.doctor.finding import Finding
from collector.ingest.segment import OPEN, SEALED, SUFFIX, day_of
from collector.retention.holdings import temporary
from collector.store.quarantine import DROPPED, REASON_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from collector.doctor.case import Case

# A temporary file this old has no writer any more.
_OLD_SECONDS = 600
_WORKER = re.compile(r"w([0-9]+)")


def check(case: Case) -> Iterator[Finding]:
    """Each with the command that removes it."""
    if not case.paths.data.is_dir():
        return
    found = [
        *_files(case, "temporary files", temporary(case.paths)),
        *_files(case, "reasons without their segments", _lone_reasons(case.paths.quarantine)),
        *_not_emptied(case),
        *_former_workers(case),
        *_foreign(case.paths.spool),
    ]
    yield from found or [Finding.ok("nothing is left over")]


def _files(case: Case, kind: str, paths: Iterable[Path]) -> Iterator[Finding]:
    old = [path for path in sorted(paths) if case.now.timestamp() - path.lstat().st_mtime > _OLD_SECONDS]
    if old:
        yield Finding.warning(f"left over: {kind} ({len(old)})", f"rm {_words(old)}")


def _lone_reasons(quarantine: Path) -> list[Path]:
    return [path for path in quarantine.glob(f"*{REASON_SUFFIX}") if not path.with_suffix(SUFFIX).exists()]


def _not_emptied(case: Case) -> Iterator[Finding]:
    """Segments that were given up by a process that was killed before it had deleted their content."""
    full = [path for path in case.paths.quarantine.glob(f"{DROPPED}/*") if path.is_file() and path.stat().st_size]
    if full:
        yield Finding.warning(
            f"left over: reports that were given up and not yet deleted (segments: {len(full)})",
            f"truncate -s 0 {_words(full)}",
        )


def _former_workers(case: Case) -> Iterator[Finding]:
    """Empty spools of workers that are no longer configured."""
    if case.serving and case.no_answer:
        return  # how many workers there are is known only to the one that runs
    for directory in sorted(case.paths.spool.glob("w*")):
        number = _WORKER.fullmatch(directory.name)
        if number and int(number[1]) >= case.settings.workers and directory.is_dir():
            inside = sorted(directory.iterdir())
            if all(path.name in {OPEN, SEALED} and path.is_dir() and not any(path.iterdir()) for path in inside):
                yield Finding.warning(
                    f"left over: the empty spool of a worker that is no longer configured, {directory.name}",
                    f"rmdir {_words([*inside, directory])}",
                )


def _foreign(spool: Path) -> Iterator[Finding]:
    """Files where segments are that are none; the collector neither reads nor removes them."""
    found = [path for stage in (OPEN, SEALED) for path in spool.glob(f"*/{stage}/*") if not _is_segment(path)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Finding.warning(
            f"no segment, and not from this program: {found[0]}{more}",
            f"look at it, and move it out of the data directory: {_words(found)}",
        )


def _is_segment(path: Path) -> bool:
    try:
        day_of(path)
    except ValueError:
        return False
    return path.suffix == SUFFIX


def _words(paths: Iterable[Path]) -> str:
    return " ".join(shlex.quote(str(path)) for path in paths)
