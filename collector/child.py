"""What every process that the supervisor starts has in common.

The supervisor writes the settings as one JSON line on the child's standard input and keeps it open. Later
lines are orders (`reload`), and its end means stop, whether the supervisor closed it or was killed. On its
standard output the child says `ready` once it serves, `alive` every few seconds while its event loop
turns, and `reloaded` or `not reloaded` after that order.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from collector import logs
from collector.settings import Settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

log = structlog.get_logger()
# A child that ends with this code would end the same way again: the operator must change something first.
CANNOT_START = 78
READY, ALIVE, RELOADED, NOT_RELOADED = "ready", "alive", "reloaded", "not reloaded"
RELOAD = "reload"
_ALIVE_EVERY_SECONDS = 2


@dataclass
class Orders:
    """What the supervisor wants.

    Attributes:
        stop: set when it wants this process to end, or is gone itself.
        on_reload: reads what may change while running; set by the process once it can.
    """

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    on_reload: Callable[[], Awaitable[None]] | None = None


Main = Callable[[Settings, Orders], Awaitable[None]]


class CannotStartError(Exception):
    """What an operator must change before this process can run; the text is for the log."""


def run(process: str, main: Main, loop_factory: Callable[[], AbstractEventLoop] | None = None) -> None:
    """Runs `main(settings, orders)` until it returns."""
    # A service manager may signal the whole group; the order of stopping is the supervisor's to keep.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    settings = Settings(**json.loads(sys.stdin.buffer.readline()))
    logs.configure(settings.log_format, process)

    async def supervised() -> None:
        orders = Orders()
        beside = [asyncio.create_task(_obey(orders)), asyncio.create_task(_show_life())]
        try:
            await main(settings, orders)
        finally:
            for task in beside:
                task.cancel()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(supervised())
    except CannotStartError as error:
        log.error("cannot_start", because=str(error))
        sys.exit(CANNOT_START)


def say_ready() -> None:
    """Tells the supervisor that this process serves."""
    _say(READY)


async def _obey(orders: Orders) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == RELOAD.encode():
            try:
                if orders.on_reload is not None:
                    await orders.on_reload()
            except Exception as error:  # noqa: BLE001 - what was read before goes on being used
                log.error("not_reloaded", error=type(error).__name__)
                _say(NOT_RELOADED)
            else:
                _say(RELOADED)
    orders.stop.set()


async def _show_life() -> None:
    while True:
        _say(ALIVE)
        await asyncio.sleep(_ALIVE_EVERY_SECONDS)


def _say(word: str) -> None:
    try:
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the supervisor is gone; the end of standard input says so too
