"""Machines that report without end and send again, with the same id, what was not acknowledged."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from dataclasses import dataclass, field

import aiohttp

BOOT = "/v1/reports/image-boot/1"
CONNECTIONS = 12
_PAUSE_SECONDS = 0.008
_BATCH = 20


def body(report_id: str) -> dict[str, str]:
    return {"report_id": report_id, "source": "vm", "product": "redis", "product_version": "7.4.1"}


@dataclass
class Traffic:
    """Reports on the way and what was said of them.

    Attributes:
        url: where the server is now; a killed one comes back elsewhere.
        sent: ids that left at least once.
        acknowledged: ids that were answered with 202.
    """

    url: str
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    _stop: bool = False

    async def run(self) -> None:
        """Sends over several connections until `stop`."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._report(session, random.Random(n)) for n in range(CONNECTIONS)))

    def stop(self) -> None:
        """Ends the sending; what is on the way may stay unacknowledged."""
        self._stop = True

    async def _report(self, session: aiohttp.ClientSession, chance: random.Random) -> None:
        while not self._stop:
            ids = [str(uuid.uuid4()) for _ in range(_BATCH if chance.random() < 0.05 else 1)]
            self.sent.update(ids)
            while not self._stop and not await self._is_taken(session, ids):
                await asyncio.sleep(0.05)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _is_taken(self, session: aiohttp.ClientSession, ids: list[str]) -> bool:
        content = "\n".join(json.dumps(body(one)) for one in ids)
        media_type = "application/json" if len(ids) == 1 else "application/x-ndjson"
        try:
            async with session.post(self.url + BOOT, data=content, headers={"Content-Type": media_type}) as response:
                if response.status == 202:
                    self.acknowledged.update(ids)  # the answer begins with its status; its body adds nothing
                    return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False  # unknown: it may be stored, so it goes again under the same id
        return False
