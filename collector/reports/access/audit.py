"""The audit trail: who looked at what, who signed in, who changed what others may see or do, or what is held.

A line tells the question (path and query parameters), never the answer; no token, no cookie, no address, and of
a hidden value where it stands, not what it says. Kept for 13 months.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from collector.reports.access.ledger import Ledger

Reading = Literal["viewed", "signed_in", "sign_in_failed", "signed_out"]
Change = Literal[
    "token_created",
    "token_revoked",
    "value_hidden",
    "value_shown",
    "configuration_taken",
    "product_added",
    "product_removed",
    "protection_changed",
    "period_released",
    "period_withheld",
    "backup_taken",
    "backup_removed",
    "backup_restored",
    "store_migrated",
    "store_moved",
    "node_forgotten",
    "pepper_made",
    "pepper_lost",
    "pepper_destroyed",
    "key_forgotten",
    "field_purged",
    "quarantine_retried",
    "quarantine_dropped",
    "reports_expired",
    "simulated",
]
Event = Reading | Change
READING: tuple[Reading, ...] = get_args(Reading)
CHANGES: dict[str, Change] = {event: event for event in get_args(Change)}
KEPT_MONTHS = 13
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trail.

    Attributes:
        at: UTC seconds.
        event: what happened.
        who: the name of the token, the proxy's user or, for a command, this machine's user.
        role: viewer, admin, or owner for a command of the data directory's owner.
        how: token, session, proxy, command, or collector for what it did by itself.
        path: of the view or download.
        query: its parameters, as they were asked.
        status: how it was answered.
        about: what was changed: the token, the place of the value, the period, the quarter, how many reports.
    """

    at: int
    event: Event
    who: str = ""
    role: str = ""
    how: str = ""
    path: str = ""
    query: str = ""
    status: int | None = None
    about: str = ""


COLUMNS = tuple(field.name for field in fields(Line))
_INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def record(writing: sqlite3.Connection, lines: Iterable[Line]) -> None:
    """Adds lines, as part of a transaction."""
    writing.executemany(_INSERT, map(astuple, lines))


def by_command(at: int, event: Event, who: str, about: str) -> Line:
    """The line of something that was done by a command on the collector's machine."""
    return by_owner(at, event, who, "command", about)


def by_owner(at: int, event: Event, who: str, how: str, about: str) -> Line:
    """The line of something that the data directory's owner may do, done by a command or by the collector itself."""
    return Line(at, event, plain(who), "owner", how, about=plain(about))


def lines(ledger: Ledger, since: dt.date, events: Collection[str] = ()) -> list[Line]:
    """The lines from `since` (UTC) on, oldest first; of these events alone, if any are given."""
    only = f" AND event IN ({', '.join('?' * len(events))})" if events else ""
    query = f"SELECT {', '.join(COLUMNS)} FROM audit WHERE at >= ?{only} ORDER BY at, rowid"
    return [Line(*row) for row in ledger.rows(query, _midnight(since), *events)]


def last_about(ledger: Ledger, event: Event) -> str | None:
    """What the last line of an event was about; None if there is none."""
    found = ledger.rows("SELECT about FROM audit WHERE event = ? ORDER BY at DESC, rowid DESC LIMIT 1", event)
    return str(found[0][0]) if found else None


def oldest(ledger: Ledger) -> dt.date | None:
    """The day of the oldest line."""
    ((at,),) = ledger.rows("SELECT min(at) FROM audit")
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC).date()


def expire(ledger: Ledger, today: dt.date) -> int:
    """Deletes lines older than 13 months, and tokens that ended as long ago.

    Returns:
        How many lines were deleted.
    """
    before = _midnight(months_before(today, KEPT_MONTHS))
    with ledger.writing() as writing:
        gone = writing.execute("DELETE FROM audit WHERE at < ?", (before,)).rowcount
        ended = "SELECT id FROM token WHERE MIN(expires_at, IFNULL(revoked_at, expires_at)) < ?"
        writing.execute(f"DELETE FROM session WHERE token IN ({ended})", (before,))
        writing.execute(f"DELETE FROM token WHERE id IN ({ended})", (before,))
    ledger.forget_for_good()
    return gone


def plain(text: str) -> str:
    """A text as it may stand in the trail and on a terminal: printable ASCII of a bounded length."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:_LONGEST_TEXT])


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day so many months earlier, or that month's last."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    after = dt.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return dt.date(year, month + 1, min(day.day, (after - dt.timedelta(days=1)).day))


def _midnight(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(tzinfo=dt.UTC)).timestamp())
