"""Whether reports can be taken, and whether the store keeps up; asked of the disk once a second at the most.

The answer is public: however often it is asked for, the spool's thread has one thing to look at in a second.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collector.ingest.spool import Spool

_LOOK_EVERY_SECONDS = 1


class Readiness:
    """The state of one worker.

    Args:
        spool: where its reports go.
        behind_after_seconds: a sealed segment that has waited for this long means that the store is behind.
    """

    def __init__(self, spool: Spool, behind_after_seconds: float) -> None:
        self._spool = spool
        self._behind_after_seconds = behind_after_seconds
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._state: dict[str, str | bool] = {}

    async def state(self) -> dict[str, str | bool]:
        """The state, ready for JSON.

        Returns:
            `ready`: whether reports are taken; `state`: ok or degraded; `spool`: ok or the outcome that
            reports get; `store`: ok or behind, which keeps no report from being taken.
        """
        async with self._looking:
            if time.monotonic() - self._looked_at >= _LOOK_EVERY_SECONDS:
                outcome = Outcome.SPOOL_FULL if await self._spool.is_full() else self._spool.last_outcome
                behind = await self._spool.oldest_sealed_seconds() > self._behind_after_seconds
                taking = outcome is Outcome.ACCEPTED
                self._state = {
                    "ready": taking,
                    "state": "degraded" if behind or not taking else "ok",
                    "spool": "ok" if taking else outcome.value,
                    "store": "behind" if behind else "ok",
                }
                self._looked_at = time.monotonic()
            return self._state
