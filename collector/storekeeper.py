"""The store process: owns the engine, loads what the workers sealed, publishes on schedule, answers.

Started by the supervisor as `python -m collector.storekeeper SOCKET`. Local commands reach it through
the control socket in the data directory, which only the directory's owner can open.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import sys
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from collector import child
from collector.configuration import read_configuration
from collector.layout import layout
from collector.metrics import PUBLISH_FAILURES
from collector.publish.publisher import NotOverError
from collector.reports import server as reports
from collector.store.engine import EngineError
from collector.storeroom import StoreRoom, open_store

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.settings import Settings

log = structlog.get_logger()
_LONGEST_BACKOFF_SECONDS = 60
_PUBLISH_EVERY_SECONDS = 60


async def keep(settings: Settings, stop: asyncio.Event, listening: socket.socket) -> None:
    """Runs until `stop`, then loads once more and closes the engine."""
    paths = layout(settings)
    configuration = read_configuration(settings)
    with open_store(settings, paths, configuration) as room:
        publishing = asyncio.Lock()
        runners = [
            await _serve(reports.routes(room.released, configuration.menu), listening),
            await _serve(
                [*reports.routes(room.released, configuration.menu), *_control(room, publishing)],
                _control_socket(os.fspath(paths.control)),
            ),
        ]
        child.say_ready()
        tasks = [
            asyncio.create_task(_load(room, stop)),
            asyncio.create_task(_publish(room, publishing, stop)),
        ]
        await stop.wait()
        await asyncio.gather(*tasks)
        for runner in runners:
            await runner.cleanup()
        paths.control.unlink(missing_ok=True)


def due_through(settings: Settings, now: dt.datetime, room: StoreRoom) -> dt.date | None:
    """The last day that may be closed at `now`: every spool has loaded past it, or it has waited enough."""
    through = (now - dt.timedelta(minutes=settings.publish_after_minutes)).date() - dt.timedelta(days=1)
    patience = dt.timedelta(hours=settings.publish_at_the_latest_after_hours)
    last = None
    for day in room.publisher.due(through):
        ended = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(tzinfo=dt.UTC))
        if not room.loader.has_loaded_past(day) and now < ended + patience:
            break
        last = day
    return last


async def _load(room: StoreRoom, stop: asyncio.Event) -> None:
    """Loads sealed segments; after a failure waits longer each time."""
    backoff = 0.0
    while True:
        stopping = stop.is_set()
        try:
            await asyncio.to_thread(room.loader.load_sealed)
            backoff = 0.0
        except EngineError as error:
            backoff = min(max(1.0, backoff * 2), _LONGEST_BACKOFF_SECONDS)
            log.error("load_failed", code=error.code, retry_in_seconds=backoff)
        if stopping:
            return
        await _pause(stop, backoff or room.settings.load_every_seconds)


async def _publish(room: StoreRoom, publishing: asyncio.Lock, stop: asyncio.Event) -> None:
    """Publishes what is due; a failure is logged and tried again."""
    while not stop.is_set():
        now = dt.datetime.now(dt.UTC)
        try:
            async with publishing:
                through = await asyncio.to_thread(due_through, room.settings, now, room)
                if through is not None:
                    await asyncio.to_thread(room.publisher.publish, now.date(), through)
        except EngineError as error:
            PUBLISH_FAILURES.inc()
            log.error("publish_failed", code=error.code)
        await _pause(stop, _PUBLISH_EVERY_SECONDS)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _control(room: StoreRoom, publishing: asyncio.Lock) -> list[web.RouteDef]:
    async def get_status(_: web.Request) -> web.Response:
        now = dt.datetime.now(dt.UTC)
        return web.json_response(await asyncio.to_thread(room.status, now))

    async def post_publish(request: web.Request) -> web.Response:
        today = dt.datetime.now(dt.UTC).date()
        through = dt.date.fromisoformat(request.query["through"])
        try:
            async with publishing:
                await asyncio.to_thread(room.loader.load_sealed)
                released = await asyncio.to_thread(room.publisher.publish, today, through)
        except NotOverError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"released": [str(period) for period in released]})

    return [web.get("/status", get_status), web.post("/publish", post_publish)]


def _control_socket(path: str) -> socket.socket:
    """A Unix socket that only the owner may open; a left-over one of a killed process is replaced."""
    if os.path.exists(path):  # noqa: PTH110 - a socket, not a file to read
        os.unlink(path)  # noqa: PTH108
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    os.chmod(path, 0o600)  # noqa: PTH101
    return listening


@web.middleware
async def _engine_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An engine that fails is an outage, not a bug: its code is the answer."""
    try:
        return await handler(request)
    except EngineError as error:
        log.error("request_failed", code=error.code)
        return web.json_response({"error": str(error)}, status=503)


async def _serve(routes: list[web.RouteDef], listening: socket.socket) -> web.AppRunner:
    app = web.Application(middlewares=[_engine_errors])
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


def main() -> None:
    """Entry of the process."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    child.run("store", lambda settings, stop: keep(settings, stop, listening))


if __name__ == "__main__":
    main()
