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
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from collector import child
from collector.configuration import read_configuration
from collector.layout import layout
from collector.metrics import PUBLISH_FAILURES
from collector.publish.publisher import NotOverError, last_closed
from collector.reports import server as reports
from collector.steadiness import TRUSTED_AGAIN_AFTER_SECONDS, Steadiness, seconds_since_boot
from collector.store.engine import EngineError
from collector.store.migrate import NewerDatabaseError
from collector.storeroom import StoreRoom, open_store
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.settings import Settings

log = structlog.get_logger()
_LONGEST_BACKOFF_SECONDS = 60
_PUBLISH_EVERY_SECONDS = 60


async def keep(settings: Settings, stop: asyncio.Event, listening: socket.socket) -> None:
    """Runs until `stop`, then loads once more and closes the engine."""
    paths = layout(settings)
    with ExitStack() as open_rooms:
        try:
            configuration = read_configuration(settings)
            room = open_rooms.enter_context(open_store(settings, paths, configuration))
        except (ConfigurationError, NewerDatabaseError) as error:
            raise child.CannotStartError(str(error)) from error
        publishing = asyncio.Lock()
        published = reports.routes(room.released, configuration.menu, simulated=paths.simulated.exists())
        runners = [
            await _serve(published, listening),
            await _serve(
                [*published, *_control(room, publishing)],
                _control_socket(os.fspath(paths.control)),
            ),
        ]
        child.say_ready()
        loaded_once = asyncio.Event()
        tasks = [
            asyncio.create_task(_load(room, stop, loaded_once)),
            asyncio.create_task(_publish(room, publishing, stop, loaded_once)),
        ]
        await stop.wait()
        await asyncio.gather(*tasks)
        for runner in runners:
            await runner.cleanup()
        paths.control.unlink(missing_ok=True)


def closable_through(settings: Settings, now: dt.datetime, through: dt.date, room: StoreRoom) -> dt.date | None:
    """The last day up to `through` that may be closed at `now`, or None.

    A day may be closed once every spool has loaded past it, or once it has waited long enough.
    """
    patience = dt.timedelta(hours=settings.publish_at_the_latest_after_hours)
    last = None
    for day in room.publisher.due(through):
        ended = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(tzinfo=dt.UTC))
        if not room.loader.has_loaded_past(day) and now < ended + patience:
            break
        last = day
    return last


async def _load(room: StoreRoom, stop: asyncio.Event, loaded_once: asyncio.Event) -> None:
    """Loads sealed segments; after a failure waits longer each time."""
    backoff = 0.0
    while True:
        stopping = stop.is_set()
        try:
            await asyncio.to_thread(room.loader.load_sealed)
            backoff = 0.0
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            backoff = min(max(1.0, backoff * 2), _LONGEST_BACKOFF_SECONDS)
            log.error("load_failed", **_facts(error), retry_in_seconds=backoff)
        loaded_once.set()
        if stopping:
            return
        await _pause(stop, backoff or room.settings.load_every_seconds)


async def _publish(room: StoreRoom, publishing: asyncio.Lock, stop: asyncio.Event, loaded_once: asyncio.Event) -> None:
    """Publishes what is due; a failure is logged and tried again."""
    await loaded_once.wait()  # after days of downtime the spool comes first
    clock = Steadiness()
    while not stop.is_set():
        now = dt.datetime.now(dt.UTC)
        if not clock.is_steady(now.timestamp(), seconds_since_boot()):
            PUBLISH_FAILURES.inc()
            log.error("clock_jumped", closing_waits_seconds=TRUSTED_AGAIN_AFTER_SECONDS)
            await _pause(stop, _PUBLISH_EVERY_SECONDS)
            continue
        through = (now - dt.timedelta(minutes=room.settings.publish_after_minutes)).date() - dt.timedelta(days=1)
        try:
            async with publishing:
                await asyncio.to_thread(_publish_closable, room, now, through)
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            PUBLISH_FAILURES.inc()
            log.error("publish_failed", **_facts(error))
        await _pause(stop, _PUBLISH_EVERY_SECONDS)


def _publish_closable(room: StoreRoom, now: dt.datetime, through: dt.date) -> list[str]:
    last = last_closed(room.publisher.engine)
    if last is not None and last >= now.date():
        # Days are closed once: with a clock that was ahead, reports of those days wait until it has passed.
        PUBLISH_FAILURES.inc()
        log.error("closed_days_lie_ahead", last_closed=last.isoformat())
        return []
    closable = closable_through(room.settings, now, through, room)
    if closable is None:
        return []
    return [str(period) for period in room.publisher.publish(now.date(), closable)]


def _facts(error: Exception) -> dict[str, object]:
    """What may be said of a failure: its type and the engine's code, not its text, which may quote a value."""
    return {"error": type(error).__name__, "code": getattr(error, "code", None)}


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
        now = dt.datetime.now(dt.UTC)
        try:
            through = dt.date.fromisoformat(request.query.get("through", ""))
        except ValueError:
            return web.json_response({"error": "'through' is not a date such as 2026-10-31"}, status=400)
        if through >= now.date():
            return web.json_response({"error": str(NotOverError(through, now.date()))}, status=400)
        async with publishing:
            await asyncio.to_thread(room.loader.load_sealed)
            released = await asyncio.to_thread(_publish_closable, room, now, through)
            waiting = await asyncio.to_thread(room.publisher.due, through)
        return web.json_response({"released": released, "waiting": [str(day) for day in waiting]})

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
