"""What became of a report, as a value: a closed list, and one sentence for a person."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    """One of these for every attempt."""

    ACCEPTED = "accepted"  # it is on the collector's disk
    VALID = "valid"  # a dry run: it would be accepted
    REFUSED = "refused"  # the collector will never take it; it is dropped
    WAITING = "waiting"  # it is in the outbox and goes out with a later send
    LOST = "lost"  # it was not accepted and is not kept
    STOPPED = "stopped"  # the collector told this version of the client to stop
    ALREADY_REPORTED = "already reported"  # this boot, or ten reports today; none was made
    SEALED = "sealed"  # nothing is sent before the image's next boot
    BUSY = "busy"  # another sender was at work in the state directory; none was made
    BACKGROUND = "in the background"  # a process of its own sends it
    OPTED_OUT = "opted out"  # nothing was sent, and no connection was made
    UNUSABLE = "unusable"  # no collector or no product is known, or an argument is wrong
    FAILED = "failed"  # a bug in this client; the caller is not disturbed by it


class Result(NamedTuple):
    """What became of the report, in one word and in one sentence; neither holds a value from the report."""

    fate: Fate
    message: str
    also_sent: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the report is on the collector's disk."""
        return self.fate is Fate.ACCEPTED
