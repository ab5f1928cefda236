"""Sessions of people who signed in with a token: a random cookie, of which a hash is kept.

A session ends 12 hours after it was last used, 7 days after it began, with its token, or by signing out. It has
its token's role, asked anew with each request.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from collector.reports.access import audit
from collector.reports.access.secret import digest, new_cookie
from collector.reports.access.tokens import Token

if TYPE_CHECKING:
    import sqlite3

    from collector.reports.access.identity import Identity
    from collector.reports.access.ledger import Ledger

IDLE_SECONDS = 12 * 3600
LONGEST_SECONDS = 7 * 86_400
_TOKEN = "t.id, t.name, t.role, t.created_at, t.expires_at, t.last_used_on, t.revoked_at"  # noqa: S105 - columns


def begin(ledger: Ledger, token: Token, earlier: str | None, now: int) -> str:
    """Begins a session of a token that was just checked, in place of the browser's earlier one.

    Returns:
        The cookie's value.
    """
    cookie = new_cookie()
    with ledger.writing() as writing:
        writing.execute("DELETE FROM session WHERE digest = ?", (digest(earlier or ""),))
        writing.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (digest(cookie), token.id, now, now))
        audit.record(writing, [audit.Line(now, "signed_in", token.name, token.role, "session")])
    return cookie


def check(ledger: Ledger, cookie: str, now: int) -> Token | None:
    """The token that a live session was begun with."""
    wanted = digest(cookie)
    found = ledger.rows(
        f"SELECT s.digest, s.made_at, s.seen_at, {_TOKEN} FROM session s JOIN token t ON t.id = s.token"
        " WHERE s.digest = ?",
        wanted,
    )
    if not found:
        return None
    kept, made_at, seen_at, *row = found[0]
    token = Token(*row)
    is_live = token.is_live(now) and now < made_at + LONGEST_SECONDS and now < seen_at + IDLE_SECONDS
    return token if hmac.compare_digest(kept, wanted) and is_live else None


def end(ledger: Ledger, cookie: str, whose: Identity, now: int) -> None:
    """Ends a session for good."""
    with ledger.writing() as writing:
        writing.execute("DELETE FROM session WHERE digest = ?", (digest(cookie),))
        audit.record(writing, [audit.Line(now, "signed_out", whose.name, whose.role, "session")])


def note_seen(writing: sqlite3.Connection, seen: bytes, now: int) -> None:
    """Remembers that a session (the digest of its cookie) was used, as part of a transaction."""
    writing.execute("UPDATE session SET seen_at = ? WHERE digest = ? AND seen_at < ?", (now, seen, now))


def sweep(ledger: Ledger, now: int) -> None:
    """Deletes sessions that have ended."""
    ended = "SELECT id FROM token WHERE expires_at <= ? OR revoked_at IS NOT NULL"
    with ledger.writing() as writing:
        writing.execute(
            f"DELETE FROM session WHERE made_at <= ? OR seen_at <= ? OR token IN ({ended})",
            (now - LONGEST_SECONDS, now - IDLE_SECONDS, now),
        )
