"""What does not move: segments, days, requests to forget a licence, a store that does not answer."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

from collector import forgotten
from collector.doctor.finding import Finding
from collector.ingest.segment import OPEN, SEALED, day_of, segments
from collector.store.quarantine import set_aside_segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.doctor.case import Case

# A worker seals its segment after the settings' time; one that is open so much longer has no worker.
_LATE_SECONDS = 60
_LONG_SECONDS = 3600


def check(case: Case) -> Iterator[Finding]:
    """Store, spool, quarantine, days, requests."""
    if not case.paths.data.is_dir():
        return
    yield from _store(case)
    yield from _sealed(case)
    yield from _open(case)
    yield from _quarantine(case)
    if case.days is not None:
        yield from _days(case, case.days)
    yield from _requests(case)


def _store(case: Case) -> Iterator[Finding]:
    data = case.paths.data
    if not case.serving:
        if case.no_answer:
            yield Finding.problem(
                f"{case.no_answer}: nothing can be loaded or published",
                f"keep a copy of {case.paths.engine}, then restore it from a backup; the spool is not touched by this",
            )
        else:
            yield Finding.ok("no collector runs on this directory")
    elif not case.no_answer:
        yield Finding.ok("a collector runs, and its store answers")
    elif _owner_serves(case.paths.lock):
        yield Finding.problem(
            f"a collector runs, but its store does not answer: {case.no_answer}; reports wait in the spool",
            "its log says why (process_ended, load_failed, store_unreachable); if it says nothing, restart it",
        )
    else:
        yield Finding.warning(
            f"{data} is in use by a process that is no collector serving: another command, or left from one",
            f"look again when it has ended; who it is: fuser -v {case.paths.lock}",
        )


def _owner_serves(lock: Path) -> bool:
    """Whether the process that took the lock is a `serve`; True where that cannot be known."""
    try:
        owner = int(lock.read_text(encoding="ascii"))
        with open(f"/proc/{owner}/cmdline", "rb") as file:  # noqa: PTH123
            return b"serve" in file.read().split(b"\0")
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")  # noqa: PTH112 - where there is /proc, its owner is gone
    except (OSError, ValueError):
        return True


def _sealed(case: Case) -> Iterator[Finding]:
    sealed = list(segments(case.paths.spool, SEALED))
    unreadable = [path for path in sealed if not (path.is_file() and os.access(path, os.R_OK))]
    for path in unreadable:
        yield Finding.problem(
            f"{path} is no file that can be read: it is tried again and again, and its day is closed late",
            f"make it readable for the collector's user, or look into it and move it away: ls -ld {path}",
        )
    ages = [_age(case, path) for path in sealed if path not in unreadable]
    if not ages:
        yield Finding.ok("no segment waits for the store")
        return
    text = f"{_number(len(ages), 'segment')} waiting for the store, the oldest for {_for(max(ages))}"
    if not case.serving:
        yield Finding.warning(
            f"{text}; no collector runs", f"start one, or load them now: collector publish --data {case.paths.data}"
        )
    elif max(ages) < case.settings.behind_after_seconds:
        yield Finding.ok(text)
    else:
        kind = Finding.problem if max(ages) > _LONG_SECONDS else Finding.warning
        yield kind(text, "the log says why (load_failed, store_unreachable); after an outage it catches up by itself")


def _open(case: Case) -> Iterator[Finding]:
    late = case.settings.seal_after_seconds + _LATE_SECONDS
    lonely = [path for path in segments(case.paths.spool, OPEN) if not case.serving or _age(case, path) > late]
    if not lonely:
        return
    workers = ", ".join(sorted({path.parent.parent.name for path in lonely}))
    if case.serving:
        yield Finding.problem(
            f"{_number(len(lonely), 'open segment')} of {workers} has no living worker",
            "restart `collector serve`: it seals and loads them, nothing is lost; the log says what ended the worker",
        )
    else:
        yield Finding.warning(
            f"{_number(len(lonely), 'open segment')} of {workers}, left by a collector that was killed",
            "`collector serve` recovers and loads them at its start, nothing is lost",
        )


def _quarantine(case: Case) -> Iterator[Finding]:
    found = set_aside_segments(case.paths.quarantine)
    if found:
        since = min(one.since for one in found)
        rows = sum(one.rows for one in found)
        yield Finding.warning(
            f"{_number(len(found), 'segment')} with {_number(rows, 'report')} in quarantine, since {since}",
            f"collector quarantine list --data {case.paths.data}; then retry, and drop what no version can read",
        )


def _days(case: Case, days: dict[str, Any]) -> Iterator[Finding]:
    last = dt.date.fromisoformat(days["last_closed"]) if days["last_closed"] else None
    if last is not None and last >= case.now.date():
        yield Finding.problem(
            f"days are closed through {last}, and the clock says {case.now.date()}: nothing is published until then",
            "check the clock (timedatectl); reports are kept and counted once it has passed that day",
        )
        return
    due = [dt.date.fromisoformat(day) for day in days["due"]]
    if not due:
        yield Finding.ok(f"all days are closed through {last}" if last else "no day is to be closed yet")
        return
    text = f"{_number(len(due), 'day')} over and not closed, from {due[0]}"
    hours = case.settings.publish_at_the_latest_after_hours
    holding = [p for stage in (OPEN, SEALED) for p in segments(case.paths.spool, stage) if day_of(p) <= due[0]]
    if not case.serving:
        yield Finding.warning(
            f"{text}; no collector runs", f"start one, or do it now: collector publish --data {case.paths.data}"
        )
    elif holding:
        yield Finding.warning(
            f"{text}: {_number(len(holding), 'segment')} of that day or before in the spool",
            f"see what holds the segments up; the day is closed as incomplete {hours} hours after it ended",
        )
    else:
        yield Finding.warning(
            f"{text}, and no segment holds it up",
            "look again in a few minutes; if it stays, the log says why (publish_failed, clock_jumped)",
        )


def _requests(case: Case) -> Iterator[Finding]:
    """Requests to forget a licence; what each waits for was written down with it at its last try."""
    data = case.paths.data
    for one in forgotten.pending(case.paths):
        age = one.age(case.now)
        why = "; ".join(one.waits_for) or "nothing of it was done yet"
        request = f"request {one.request} of {one.asked_on} to forget a licence"
        if age < forgotten.LATE_AFTER:
            yield Finding.ok(f"{request} is pending: {why}")
        else:
            yield Finding.problem(
                f"{request} is still pending after {_for(age.total_seconds())}: {why}",
                "a machine that is named: start its collector until its spool is empty, or, if it is gone for good, "
                f"collector nodes forget NAME --data {data}; then: collector forget --pending --data {data}",
            )


def _age(case: Case, path: Path) -> float:
    """Seconds since the last row of a segment."""
    try:
        return case.now.timestamp() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # loaded in this moment


def _for(seconds: float) -> str:
    if seconds < _LONG_SECONDS:
        return _number(int(seconds // 60), "minute") if seconds >= 60 else _number(int(seconds), "second")  # noqa: PLR2004
    hours = int(seconds // _LONG_SECONDS)
    return _number(hours, "hour") if hours < 48 else _number(hours // 24, "day")  # noqa: PLR2004


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
