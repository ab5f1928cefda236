"""Whether one more request fits into this worker: a count of requests, and of the bytes of batches.

A body that dawdles never keeps others out: where there is no room, the one that has been awaited longest is
given up. Batches have bytes of their own, so that no number of them keeps a single report out.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.metrics import IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

# An honest body is there by now.
_PATIENCE_SECONDS = 1


@dataclass(eq=False)
class Room:
    """What one request holds.

    Attributes:
        batch_bytes: how long its body may be if it is a batch, else 0.
        patience: ends the wait for its body.
        since: when it came, by the loop's clock.
        is_whole: whether its body has arrived.
    """

    batch_bytes: int
    patience: asyncio.Timeout
    since: float
    is_whole: bool = False


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

    @contextmanager
    def room_for(self, batch_bytes: int, patience: asyncio.Timeout) -> Iterator[Room | None]:
        """Holds room for a request; None if there is none.

        Args:
            batch_bytes: how long its body may be if it is a batch, else 0.
            patience: what its body is awaited under; it is ended early if others need the room.
        """
        now = asyncio.get_running_loop().time()
        while not self._fits(batch_bytes):
            slow = next((r for r in self._rooms if not r.is_whole and (r.batch_bytes or not batch_bytes)), None)
            if slow is None or now - slow.since < _PATIENCE_SECONDS:
                yield None
                return
            self._leave(slow)
            slow.patience.reschedule(now)
        room = Room(batch_bytes, patience, now)
        self._rooms[room] = None
        self._batch_bytes += batch_bytes
        IN_FLIGHT.inc()
        try:
            yield room
        finally:
            self._leave(room)

    def _fits(self, batch_bytes: int) -> bool:
        fits = not batch_bytes or self._batch_bytes + batch_bytes <= self._max_batch_bytes
        return fits and len(self._rooms) < self._max_requests

    def _leave(self, room: Room) -> None:
        if room in self._rooms:
            del self._rooms[room]
            self._batch_bytes -= room.batch_bytes
            IN_FLIGHT.dec()
