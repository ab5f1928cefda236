"""Whether the clock can be trusted with something that cannot be undone: closing a day.

The wall clock is held against the time since boot, which nobody sets. A clock that was moved has an hour to
be moved back before any day is closed by it. A clock that was wrong from the start cannot be told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

JUMP_SECONDS = 300
TRUSTED_AGAIN_AFTER_SECONDS = 3600


@dataclass
class Steadiness:
    """Watches one pair of clocks; ask it now and then.

    Attributes:
        offset: wall clock minus time since boot when last asked, in seconds; None before.
        jumped_at: time since boot of the last jump, None if there was none.
    """

    offset: float | None = None
    jumped_at: float | None = None

    def is_steady(self, wall_seconds: float, boot_seconds: float) -> bool:
        """Whether the wall clock has not jumped in the last hour."""
        offset = wall_seconds - boot_seconds
        if self.offset is not None and abs(offset - self.offset) > JUMP_SECONDS:
            self.jumped_at = boot_seconds
        self.offset = offset
        return self.jumped_at is None or boot_seconds - self.jumped_at >= TRUSTED_AGAIN_AFTER_SECONDS


def seconds_since_boot() -> float:
    """Time since boot, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
