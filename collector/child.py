"""What every process that the supervisor starts has in common.

The supervisor writes the settings as one JSON line on the child's standard input and keeps it open:
its end means stop, whether the supervisor closed it or was killed. The child writes `ready` on its
standard output once it serves.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from collector import logs
from collector.settings import Settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

log = structlog.get_logger()
# A child that ends with this code would end the same way again: the operator must change something first.
CANNOT_START = 78

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]


class CannotStartError(Exception):
    """What an operator must change before this process can run; the text is for the log."""


def run(process: str, main: Main, loop_factory: Callable[[], AbstractEventLoop] | None = None) -> None:
    """Runs `main(settings, stop)` until it returns; `stop` is set when the supervisor says so or is gone."""
    # A service manager may signal the whole group; the order of stopping is the supervisor's to keep.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    settings = Settings(**json.loads(sys.stdin.buffer.readline()))
    logs.configure(settings.log_format, process)

    async def supervised() -> None:
        stop = asyncio.Event()
        watching = asyncio.create_task(_watch(stop))
        try:
            await main(settings, stop)
        finally:
            watching.cancel()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(supervised())
    except CannotStartError as error:
        log.error("cannot_start", because=str(error))
        sys.exit(CANNOT_START)


def say_ready() -> None:
    """Tells the supervisor that this process serves."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def _watch(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()
