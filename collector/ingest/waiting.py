"""How much waits in one worker's spool, and for how long."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from collector.ingest.segment import OPEN, SEALED

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_EVERY_SECONDS = 1


class Waiting:
    """What waits in a worker's directory, looked at once a second at the most: it may be thousands of files.

    Attributes:
        bytes: length of all segments; the writer adds what it writes between two looks.
        oldest: when the oldest sealed segment was last written to, in seconds since 1970; 0 if there is none.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._looked_at = float("-inf")
        self.bytes = 0
        self.oldest = 0.0

    def look(self) -> None:
        """Looks again if the last look is a second old."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self.bytes, self.oldest = 0, 0.0
        for stage in (OPEN, SEALED):
            for entry in os.scandir(self._directory / stage):
                try:
                    found = entry.stat()
                except FileNotFoundError:
                    continue  # sealed or loaded in this moment
                self.bytes += found.st_size
                if stage == SEALED and (not self.oldest or found.st_mtime < self.oldest):
                    self.oldest = found.st_mtime
        self._looked_at = time.monotonic()
