"""Every kind of thing that a collector holds, how long it may, where that comes from, and who sees to it.

A limit is a number of days: what is older than that should be gone. `since` says from when the days are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from collector.reports.access.audit import KEPT_MONTHS
from collector.reports.access.sessions import LONGEST_SECONDS
from collector.store.quarantine import COUNTED_DAYS

if TYPE_CHECKING:
    from collector.publish.limits import Limits

# What a process writes for a moment, and deletes itself; a day later none can still be writing it.
TEMPORARY_DAYS = 1
_LONGEST_MONTH_DAYS = 31
_LONGEST_YEAR_DAYS = 366
_DAY_SECONDS = 86_400
_ENGINE_DAYS = 400


class Kind(StrEnum):
    """What is held; the value is its name in tables and JSON."""

    SPOOL = "spool segments"
    QUARANTINE = "quarantine"
    GIVEN_UP = "content given up"
    GIVEN_UP_MARKS = "marks of given up"
    RECEIVED = "private.reports"
    COUNTED = "private.counted"
    LOADS = "private.loads"
    NODES = "private.nodes"
    TABLES = "temporary tables"
    SO_FAR = "cells so far"
    BACKUPS = "backups"
    BEGUN_BACKUPS = "unfinished backups"
    ENGINE_BEFORE_MOVE = "engine before move"
    TEMPORARY = "temporary files"
    AUDIT = "audit lines"
    TOKENS = "ended tokens"
    SESSIONS = "sessions"
    PEPPERS = "peppers"
    FINGERPRINTS = "private.peppers"


@dataclass(frozen=True)
class Keeping:
    """How long one kind is kept.

    Attributes:
        kind: which.
        days: the limit.
        since: from when the days count.
        because: where the limit comes from.
        enforced: who deletes, and when.
        todo: what to do about something older.
    """

    kind: Kind
    days: int
    since: str
    because: str
    enforced: str
    todo: str


_STORE = "the publishing collector, hourly and after each closing"
_MACHINE = "each machine's store process, hourly"
_TODO_STORE = "start the collector that publishes, and see its log (publish_failed, not_expired)"
_TODO_MACHINE = "start the collector on this machine, and see its log (not_expired)"


def keepings(limits: Limits) -> list[Keeping]:
    """All kinds with the limits that policy and settings give."""
    policy = "the policy's retention_days"
    late = "what of retention_days is left before a report counts"
    counted = "31 days of the month and keep_after_release_days"
    audit = KEPT_MONTHS // 12 * _LONGEST_YEAR_DAYS + KEPT_MONTHS % 12 * _LONGEST_MONTH_DAYS
    return [
        Keeping(Kind.SPOOL, limits.retention_days, "received", policy, _MACHINE, _TODO_MACHINE),
        Keeping(Kind.QUARANTINE, limits.late_days, "received", late, _MACHINE, _TODO_MACHINE),
        Keeping(Kind.GIVEN_UP, TEMPORARY_DAYS, "last change", "a constant", _MACHINE, _TODO_MACHINE),
        Keeping(Kind.GIVEN_UP_MARKS, COUNTED_DAYS, "received", "a constant", _MACHINE, _TODO_MACHINE),
        Keeping(Kind.RECEIVED, limits.retention_days, "received", policy, _STORE, _TODO_STORE),
        Keeping(Kind.COUNTED, limits.counted_days, "counted", counted, f"{_STORE}; the engine, 400 days", _TODO_STORE),
        Keeping(
            *(Kind.LOADS, _ENGINE_DAYS + _LONGEST_MONTH_DAYS, "received", "a constant: 400 days, then with its month"),
            *("`serve`, hourly; the engine as it merges", "as the owner: OPTIMIZE TABLE private.loads FINAL"),
        ),
        Keeping(
            *(Kind.NODES, _ENGINE_DAYS + _LONGEST_MONTH_DAYS, "last heard", "a constant: 400 days and a merge"),
            *("the engine as it merges", "as the owner: OPTIMIZE TABLE private.nodes FINAL"),
        ),
        Keeping(
            *(Kind.TABLES, TEMPORARY_DAYS, "made", "a constant", "who made them, or its next run"),
            "start the collector that publishes; of a move or backup that was killed: run it again",
        ),
        Keeping(
            Kind.SO_FAR, limits.so_far_days, "their day", "a constant: 7 days after it is out", _STORE, _TODO_STORE
        ),
        Keeping(
            *(Kind.BACKUPS, limits.late_days, "taken", "what of retention_days is left when it is taken"),
            "the next backup into the same directory (--keep-days); nothing deletes the last one",
            "take a new one, or delete it: it holds reports for longer than the policy permits",
        ),
        Keeping(
            *(Kind.BEGUN_BACKUPS, TEMPORARY_DAYS, "begun", "a constant", "the next backup into the same directory"),
            "delete it",
        ),
        Keeping(
            *(Kind.ENGINE_BEFORE_MOVE, limits.late_days, "moved", "what of retention_days is left when it is moved"),
            *("nobody: the operator deletes it", "delete it: the server has every row of it"),
        ),
        Keeping(Kind.TEMPORARY, TEMPORARY_DAYS, "last change", "a constant", _MACHINE, "delete it"),
        Keeping(Kind.AUDIT, audit, "written", "a constant: 13 months", _MACHINE, _TODO_MACHINE),
        Keeping(Kind.TOKENS, audit, "ended", "a constant: 13 months", _MACHINE, _TODO_MACHINE),
        Keeping(Kind.SESSIONS, LONGEST_SECONDS // _DAY_SECONDS, "begun", "a constant", _MACHINE, _TODO_MACHINE),
        Keeping(Kind.PEPPERS, limits.retention_days, "end of quarter", policy, _MACHINE, _TODO_MACHINE),
        Keeping(Kind.FINGERPRINTS, limits.retention_days, "end of quarter", policy, _STORE, _TODO_STORE),
    ]
