"""Values that nobody is to read, such as something personal typed in place of a version: counted, not shown.

Hiding changes no published cell; answers leave the text out when they are read. The audit trail says that a value
of a product's field was hidden, by whom and when, and not which: once it is taken off the list, it is gone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.reports.access import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.reports.access.ledger import Ledger

_LOOK_EVERY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is not shown, and who decided so."""

    id: int
    product: str
    field: str
    value: str
    hidden_by: str
    hidden_on: str
    reason: str


def hide(ledger: Ledger, product: str, field: str, value: str, *, by: str, reason: str, now: int) -> bool:
    """Hides a value of a product's field, for all readers; whether it was shown before."""
    with ledger.writing() as writing:
        made = writing.execute(
            "INSERT OR IGNORE INTO hidden (product, field, value, hidden_by, hidden_on, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (product, field, value, by, dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat(), reason),
        )
        if made.rowcount:
            about = f"{product} {field} (id {made.lastrowid})"
            audit.record(writing, [audit.by_command(now, "value_hidden", by, about)])
    return bool(made.rowcount)


def unhide(ledger: Ledger, product: str, field: str, value: str, *, by: str, now: int) -> bool:
    """Shows a value again; whether it was hidden. Its text is gone from the file afterwards."""
    with ledger.writing() as writing:
        of_it = "FROM hidden WHERE product = ? AND field = ? AND value = ?"
        found = writing.execute(f"SELECT id {of_it}", (product, field, value)).fetchone()
        if found is None:
            return False
        writing.execute(f"DELETE {of_it}", (product, field, value))
        about = f"{product} {field} (id {found[0]})"
        audit.record(writing, [audit.by_command(now, "value_shown", by, about)])
    ledger.forget_for_good()
    return True


def hidden(ledger: Ledger) -> list[Hidden]:
    """Everything that is hidden, oldest first."""
    columns = "id, product, field, value, hidden_by, hidden_on, reason"
    return [Hidden(*row) for row in ledger.rows(f"SELECT {columns} FROM hidden ORDER BY id")]


class HiddenValues:
    """What is hidden, looked up in memory and at most a second old. For any thread; blocks where it looks anew.

    Args:
        ledger: where it is kept.
        clock: seconds, monotonic.

    Both methods raise LedgerError where the ledger cannot be read: nothing is shown that might be hidden.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._known: frozenset[tuple[str, str, str]] = frozenset()
        self._changes = 0

    def is_hidden(self, product: str, field: str, value: str) -> bool:
        """Whether a value of a product's field is hidden."""
        return (product, field, value) in self._look()

    def state(self) -> str:
        """A text that changes with what is hidden; that of an earlier list does not come back with it."""
        known = repr(sorted(self._look()))
        return f"{self._changes} {hashlib.sha256(known.encode()).hexdigest()[:16]}"

    def _look(self) -> frozenset[tuple[str, str, str]]:
        if self._clock() - self._looked_at < _LOOK_EVERY_SECONDS:
            return self._known
        with self._lock:
            if self._clock() - self._looked_at >= _LOOK_EVERY_SECONDS:
                looked_at = self._clock()
                known = frozenset((one.product, one.field, one.value) for one in hidden(self._ledger))
                self._changes += known != self._known
                self._known = known
                self._looked_at = looked_at
            return self._known
