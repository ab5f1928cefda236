"""Work that a process does again and again until it is told to stop; a failure is told and tried again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from collector.store.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable


async def recurring(
    do: Callable[[], object],
    every_seconds: float,
    stop: asyncio.Event,
    failed: Callable[[Exception], None],
    *,
    first_after_seconds: float = 0,
) -> None:
    """Calls `do` in a thread, and again after each pause.

    Args:
        do: the work; what it needs of the store may be away, which the log knows as store_unreachable.
        every_seconds: the pause.
        stop: ends it.
        failed: told of every other failure.
        first_after_seconds: a pause before the first time.
    """
    await pause(stop, first_after_seconds)
    while not stop.is_set():
        try:
            await asyncio.to_thread(do)
        except EngineError:
            pass
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            failed(error)
        await pause(stop, every_seconds)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits so long, or until the stop."""
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
