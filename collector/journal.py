"""Who changed what: lines of the audit trail that a program writes about what it did, beside those about readers.

They stand in the same file, <data>/access.sqlite of the directory that the program runs on. Of a collector whose
parts run apart each part has a directory, and so a trail, of its own; what a command did is in that of the directory
it was given. A line names what was done and what it was about (a period, a quarter, a token, a machine, a number of
reports), never a value, a licence key or its pseudonym.

What was done is not undone where the line cannot be written: that is logged, or said by the command.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from collector.reports.access import audit
from collector.reports.access.ledger import Ledger, LedgerError
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()


class Journal:
    """Writes lines; opens the file with the first of them.

    Args:
        path: of the file.
        who: this machine's user who runs the command, or `collector` for what it does by itself.
        how: command or collector.
    """

    def __init__(self, path: Path, who: str = "collector", how: str = "collector") -> None:
        self._path, self._who, self._how = path, who, how
        self._ledger: Ledger | None = None
        self._opening = threading.Lock()

    def note(self, event: audit.Event, about: str = "") -> bool:
        """Writes a line, to the disk; whether it could be written. Blocking."""
        line = audit.by_owner(int(time.time()), event, self._who, self._how, about)
        try:
            with self._opening:
                self._ledger = self._ledger or Ledger(self._path)
            with self._ledger.writing() as writing:
                audit.record(writing, [line])
        except (LedgerError, ConfigurationError, OSError) as error:
            log.error("audit_not_written", error=type(error).__name__)
            return False
        return True

    def note_if_changed(self, event: audit.Event, about: str) -> None:
        """The same, unless the last line of this event says the same."""
        try:
            with self._opening:
                self._ledger = self._ledger or Ledger(self._path)
            if audit.last_about(self._ledger, event) == about:
                return
        except (LedgerError, ConfigurationError, OSError):
            pass  # `note` says so
        self.note(event, about)

    def note_named(self, event: str, about: str) -> None:
        """The same for those that do not know the trail.

        Raises:
            ValueError: it knows no such event.
        """
        if event not in audit.CHANGES:
            raise ValueError(event)
        self.note(audit.CHANGES[event], about)

    def close(self) -> None:
        """Closes the file, if it was opened."""
        if self._ledger is not None:
            self._ledger.close()
