"""Whether one more request fits into this worker: a count of requests, and of the bytes of batches.

A body that dawdles never keeps others out: where there is no room, the one that has been awaited longest is
given up. Batches have bytes of their own, so that no number of them keeps a single report out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from collector.ingest import tally

# An honest body is there by now.
_PATIENCE_SECONDS = 1


@dataclass(eq=False)
class Room:
    """What one request holds.

    Attributes:
        batch_bytes: how long its body may be if it is a batch, else 0.
        since: when it came, by the loop's clock.
        patience: ends the wait for its body while it is awaited.
    """

    batch_bytes: int
    since: float
    patience: asyncio.Timeout | None = None


class Admission:
    """Bounds what is held in memory at once.

    Args:
        max_requests: requests at once.
        max_batch_bytes: bytes that the bodies of batches may have together.
    """

    def __init__(self, max_requests: int, max_batch_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_batch_bytes = max_batch_bytes
        self._rooms: dict[Room, None] = {}  # in the order in which they came
        self._batch_bytes = 0

    def enter(self, batch_bytes: int) -> Room | None:
        """Room for a request, until it leaves; None if there is none.

        Args:
            batch_bytes: how long its body may be if it is a batch, else 0.
        """
        now = asyncio.get_running_loop().time()
        while not self._fits(batch_bytes):
            slow = next((r for r in self._rooms if r.patience and (r.batch_bytes or not batch_bytes)), None)
            if slow is None or slow.patience is None or now - slow.since < _PATIENCE_SECONDS:
                return None
            self.leave(slow)
            slow.patience.reschedule(now)
        room = Room(batch_bytes, now)
        self._rooms[room] = None
        self._batch_bytes += batch_bytes
        tally.say_in_flight(len(self._rooms))
        return room

    def _fits(self, batch_bytes: int) -> bool:
        fits = not batch_bytes or self._batch_bytes + batch_bytes <= self._max_batch_bytes
        return fits and len(self._rooms) < self._max_requests

    def leave(self, room: Room) -> None:
        """Gives up a request's room, if it has not been taken from it."""
        if room in self._rooms:
            del self._rooms[room]
            self._batch_bytes -= room.batch_bytes
            tally.say_in_flight(len(self._rooms))
