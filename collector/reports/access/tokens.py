"""Tokens: who may read, in which role, until when. Expiry and revocation take effect with the next request.

A name belongs to one live token at a time, whatever the case of its letters; once that has ended the name is free
for the next. The token itself is shown by `create` and never again.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.reports.access import audit
from collector.reports.access.secret import digest, new_token

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from collector.reports.access.identity import Role
    from collector.reports.access.ledger import Ledger

MOST_DAYS = 3_650
_DAY_SECONDS = 86_400
# Begins with a letter, so that it is never taken for an id.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._@+-]{0,63}")
_COLUMNS = "id, name, role, created_at, expires_at, last_used_on, revoked_at"


class TokenError(Exception):
    """A token that cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; times are UTC seconds."""

    id: int
    name: str
    role: Role
    created_at: int
    expires_at: int
    last_used_on: str | None
    revoked_at: int | None

    def is_live(self, now: int) -> bool:
        """Whether it opens anything."""
        return (self.revoked_at is None) & (now < self.expires_at)


# Stands in where no token is known, so that all refusals take the same way.
_NOBODY = Token(0, "", "viewer", 0, 0, None, 0)


def create(ledger: Ledger, name: str, role: Role, days: int, now: int, by: str) -> tuple[Token, str]:
    """Makes a token.

    Args:
        ledger: where it is kept.
        name: whose it is.
        role: what it opens.
        days: how long it lives.
        now: UTC seconds.
        by: who makes it, for the audit trail.

    Returns:
        What is kept of it, and the token.

    Raises:
        TokenError: the name cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise TokenError("a name has up to 64 letters, digits and . _ @ + -, and begins with a letter")
    secret = new_token()
    ends = now + days * _DAY_SECONDS
    with ledger.writing() as writing:
        if any(token.is_live(now) for token in _tokens(writing, "name = ?", name)):
            raise TokenError(f"there is a live token of that name; revoke it first: collector token revoke {name}")
        made = writing.execute(
            "INSERT INTO token (name, role, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            (name, role, digest(secret), now, ends),
        )
        token = Token(made.lastrowid or 0, name, role, now, ends, None, None)
        audit.record(writing, [audit.by_command(now, "token_created", by, f"{_named(token)} {role}, {days} days")])
    return token, secret


def every(ledger: Ledger) -> list[Token]:
    """All tokens, the latest last; those that ended stay for 13 months."""
    return [Token(*row) for row in ledger.rows(f"SELECT {_COLUMNS} FROM token ORDER BY id")]


def revoke(ledger: Ledger, which: str, now: int, by: str) -> Token | None:
    """Ends the live token with this name or id, and its sessions.

    Returns:
        The token, or None if no live one is meant.
    """
    with ledger.writing() as writing:
        condition, value = ("id = ?", int(which)) if re.fullmatch("[0-9]{1,9}", which) else ("name = ?", which)
        token = next((one for one in _tokens(writing, condition, value) if one.is_live(now)), None)
        if token is None:
            return None
        writing.execute("UPDATE token SET revoked_at = ? WHERE id = ?", (now, token.id))
        writing.execute("DELETE FROM session WHERE token = ?", (token.id,))
        audit.record(writing, [audit.by_command(now, "token_revoked", by, _named(token))])
    return token


def check(ledger: Ledger, secret: str, now: int) -> Token | None:
    """The token, if it opens anything.

    Unknown, expired and revoked ones are refused by the same query and the same comparisons, none left out.
    """
    wanted = digest(secret)
    found = ledger.rows(f"SELECT digest, {_COLUMNS} FROM token WHERE digest = ?", wanted)
    kept, token = (found[0][0], Token(*found[0][1:])) if found else (bytes(len(wanted)), _NOBODY)
    is_same, is_live = hmac.compare_digest(kept, wanted), token.is_live(now)
    return token if is_same & is_live else None


def note_used(writing: sqlite3.Connection, token: int, day: dt.date) -> None:
    """Remembers the last day on which a token was used, as part of a transaction."""
    today = day.isoformat()
    writing.execute("UPDATE token SET last_used_on = ? WHERE id = ? AND last_used_on IS NOT ?", (today, token, today))


def _tokens(writing: sqlite3.Connection, condition: str, value: Any) -> list[Token]:  # noqa: ANN401 - name or id
    return [Token(*row) for row in writing.execute(f"SELECT {_COLUMNS} FROM token WHERE {condition}", (value,))]


def _named(token: Token) -> str:
    return f"{token.name} (id {token.id})"
