"""Tells the ingest workers which values are published, whoever released them: those never count as new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.ingest.values import FIELDS as BUDGETED
from collector.ingest.values import write_known

if TYPE_CHECKING:
    from collector.storeroom import StoreRoom


class KnownValues:
    """What was told last.

    Args:
        room: where they are published.
    """

    def __init__(self, room: StoreRoom) -> None:
        self._room = room
        self._told = ""

    def tell(self) -> None:
        """Writes them where the workers look, if they are others than last time.

        Raises:
            EngineError, OSError: it could not be done.
        """
        if (state := self._room.released.state()) != self._told:
            write_known(self._room.paths.known_values, self._room.released.values(BUDGETED))
            self._told = state
