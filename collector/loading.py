"""The store process's loop: brings the tables up to date, then loads what is sealed, whatever the store does.

A store that cannot be reached is waited for: reports go on being accepted into the spool meanwhile. A
failure is tried again after a growing pause, and logged when it begins, changes and ends.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import structlog

from collector.ingest.pseudonyms import PepperError
from collector.store.engine import EngineError
from collector.store.lease import HeldByAnotherError
from collector.store.migrate import NewerDatabaseError, OlderDatabaseError, OtherClusterError
from collector.store.reach import Reach
from collector.store.shared_pepper import OtherPepperError

if TYPE_CHECKING:
    from collector.store.loader import Pass
    from collector.storeroom import StoreRoom

log = structlog.get_logger()
# An operator must change something before this collector can work with this store.
UNUSABLE = (NewerDatabaseError, OtherClusterError, OtherPepperError)
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30
_LOOK_EVERY_SECONDS = 10


class Loading:
    """One loop for one store.

    Args:
        room: what it works on.
        stop: set when the process is asked to stop.
    """

    def __init__(self, room: StoreRoom, stop: asyncio.Event) -> None:
        self._room = room
        self._stop = stop
        self._reach = Reach()
        self._backoff = 0.0
        self._waits_because = ""
        self._looked_at = float("-inf")
        self._catching_up: tuple[float, int] | None = None  # since when, and how many rows so far

    async def open(self) -> None:
        """Gets the store ready for this program; returns when it is, or at a stop.

        Raises:
            NewerDatabaseError, OtherClusterError, OtherPepperError: it cannot be; the text says what to do.
        """
        while not self._stop.is_set():
            try:
                await asyncio.to_thread(self._room.get_ready, dt.datetime.now(dt.UTC).date())
            except UNUSABLE:
                raise
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                self._failed(error)
                await self._pause(self._backoff)
            else:
                self._succeeded()
                return

    async def run(self) -> None:
        """Loads until the stop, and once more after it; `open` comes first."""
        while True:
            stopping = self._stop.is_set()
            has_more = await self._load_some()
            if stopping:
                return
            if not has_more:
                await self._pause(self._backoff or self._room.settings.load_every_seconds)

    async def _load_some(self) -> bool:
        """One pass; whether the next one has work to do at once."""
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.to_thread(self._room.stay_in_step, dt.datetime.now(dt.UTC).date())
            done = await asyncio.to_thread(self._room.loader.load_some)
            if done.failure and not done.rows:
                raise done.failure  # noqa: TRY301 - one place judges all failures
            if done.failure:
                log.error("load_failed", **facts(done.failure))
            if not done.rows:
                await self._look()
            self._note(began, done)
            self._succeeded()
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            self._failed(error)
            return False
        return done.waiting > 0

    def _note(self, began: float, done: Pass) -> None:
        """Says how long it took to make up for an outage, or for anything else that took several passes."""
        if self._backoff or done.waiting:
            self._catching_up = self._catching_up or (began, 0)
        if self._catching_up is None:
            return
        since, rows = self._catching_up
        self._catching_up = (since, rows + done.rows) if done.waiting else None
        if not done.waiting:
            seconds = asyncio.get_running_loop().time() - since
            log.info("caught_up", rows=rows + done.rows, seconds=round(seconds, 3))

    async def _look(self) -> None:
        """Asks the store for nothing, now and then: an outage is to be seen before there is something to load."""
        now = asyncio.get_running_loop().time()
        if self._backoff or now - self._looked_at >= _LOOK_EVERY_SECONDS:
            await asyncio.to_thread(self._room.engine.rows, "SELECT 1")
            self._looked_at = now

    def _succeeded(self) -> None:
        self._backoff = 0.0
        self._waits_because = ""
        self._reach.succeeded()

    def _failed(self, error: Exception) -> None:
        self._backoff = min(max(_FIRST_BACKOFF_SECONDS, self._backoff * 2), _LONGEST_BACKOFF_SECONDS)
        if isinstance(error, EngineError):
            self._reach.failed(error)
        elif isinstance(error, (OlderDatabaseError, HeldByAnotherError, OtherPepperError, PepperError)):
            self._reach.found_unusable()
            if str(error) != self._waits_because:
                log.error("store_not_usable", because=str(error))
            self._waits_because = str(error)
        else:
            log.error("load_failed", **facts(error), retry_in_seconds=self._backoff)
        self._catching_up = None

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return


def facts(error: Exception) -> dict[str, object]:
    """What may be said of a failure: its type and the engine's code, not its text, which may quote a value."""
    return {"error": type(error).__name__, "code": getattr(error, "code", None)}
