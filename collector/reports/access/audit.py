"""The audit trail: who looked at what, who signed in, who changed what others may see or do.

A line tells the question (path and query parameters), never the answer; no token, no cookie, no address, and of
a hidden value where it stands, not what it says. Kept for 13 months.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from collector.reports.access.ledger import Ledger

Event = Literal[
    "viewed",
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "token_created",
    "token_revoked",
    "value_hidden",
    "value_shown",
]
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
        how: token, session, proxy or command.
        path: of the view or download.
        query: its parameters, as they were asked.
        status: how it was answered.
        about: the token or the place of the value that was changed.
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
    return Line(at, event, plain(who), "owner", "command", about=plain(about))


def lines(ledger: Ledger, since: dt.date) -> list[Line]:
    """The lines from `since` (UTC) on, oldest first."""
    query = f"SELECT {', '.join(COLUMNS)} FROM audit WHERE at >= ? ORDER BY at, rowid"
    return [Line(*row) for row in ledger.rows(query, _midnight(since))]


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
