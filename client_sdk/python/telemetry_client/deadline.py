"""One time limit for everything that is done for a report."""

from __future__ import annotations

import time

TOTAL_SECONDS = 8.0


class Deadline:
    """A moment on the monotonic clock that all steps together must not pass."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 when it has passed."""
        return max(0.0, self._at - time.monotonic())
