"""The store process: owns the engine, loads what the workers sealed, publishes on schedule, answers.

Started by the supervisor as `python -m collector.storekeeper ROLE [SOCKET]`; what of this it does depends on
the role, and only one that answers has a socket. Local commands reach it through the control socket in the data
directory, which only the directory's owner can open.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import os
import socket
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from collector import backups, child, forgetting, licence_commands, local_commands
from collector.configuration import accepted
from collector.days import Days
from collector.journal import Journal
from collector.known_values import KnownValues
from collector.layout import layout
from collector.loading import UNUSABLE, Loading, facts
from collector.publish.publisher import NotOverError
from collector.publishing import Publishing, publish_closable
from collector.reading_room import ReadingRoom, reading_room
from collector.recurring import recurring
from collector.reports.access.install import install
from collector.reports.access.ledger import LedgerError, open_ledger
from collector.reports.access.runner import Runner
from collector.roles import Role
from collector.store.engine import EngineError, Failure
from collector.store.lease import HeldByAnotherError
from collector.storeroom import StoreRoom, open_store
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from collector.reports.access.ledger import Ledger
    from collector.settings import Settings

log = structlog.get_logger()
_TELL_EVERY_SECONDS = 10
_LOOK_AHEAD_EVERY_SECONDS = 24 * 3600
_LOOK_EVERY_SECONDS = 30
_EMBEDDED_OPENS_SECONDS = 60
# The supervisor kills after five.
_DRAIN_SECONDS = 4


async def keep(settings: Settings, stop: asyncio.Event, role: Role, listening: socket.socket | None) -> None:
    """Runs until `stop`, then loads once more and closes the engine."""
    paths = layout(settings)
    with ExitStack() as open_rooms:
        try:
            configuration = accepted(paths)
            journal = Journal(paths.access)
            open_rooms.callback(journal.close)
            room = open_rooms.enter_context(
                open_store(settings, paths, configuration, role, up_to_date=False, note=journal.note_named)
            )
            ledger = open_rooms.enter_context(open_ledger(paths.access))
        except ConfigurationError as error:
            raise child.CannotStartError(str(error)) from error
        except (EngineError, LedgerError, OSError) as error:
            log.error("store_not_opened", **facts(error))
            raise SystemExit(1) from error
        loading = Loading(room, stop)
        opening = asyncio.create_task(loading.open())
        # The engine in this process opens soon; a server may be away for long, and accepting goes on meanwhile.
        await asyncio.wait([opening], timeout=_EMBEDDED_OPENS_SECONDS if settings.store_url is None else 1)
        _refuse_unusable(opening)
        publishing = Publishing(room, stop, opening)
        reading = reading_room(room, paths, ledger)
        runners = [
            await _serve([*reading.api, *_control(room, publishing, ledger)], _control_socket(os.fspath(paths.control)))
        ]
        if listening is not None:
            runners.append(
                await _serve([*reading.api, *reading.pages], listening, lambda app: install(app, settings, ledger))
            )
        gc.collect()
        gc.freeze()  # what is there at the start need not be gone through again while somebody waits for a page
        child.say_ready()
        opening.add_done_callback(lambda done: stop.set() if done.exception() else None)
        work = [_load(loading, opening), *_work(publishing, reading), publishing.delete(ledger, journal)]
        tasks = [asyncio.create_task(one) for one in work]
        await stop.wait()
        _end_at_the_latest(paths.control)
        await asyncio.gather(*tasks)
        if room.is_one_of_several and opening.done() and not opening.exception():
            await asyncio.to_thread(_leave, room)
        for runner in runners:
            await runner.cleanup()
        paths.control.unlink(missing_ok=True)
        _refuse_unusable(opening)


def _work(publishing: Publishing, reading: ReadingRoom) -> Iterator[Coroutine[Any, Any, None]]:
    """What this role does beside loading, each until the stop."""
    room, stop, opening = publishing.room, publishing.stop, publishing.opening
    if room.role.publishes:
        yield publishing.publish()
        # Not the publisher's own connection: a look need not wait for a day that is being closed.
        days = Days(room.engine, room.settings.publish_after_minutes)
        tell_days = recurring(
            lambda: days.look(dt.datetime.now(dt.UTC)),
            _TELL_EVERY_SECONDS,
            stop,
            lambda error: log.error("days_not_told", **facts(error)),
        )
        yield _once_open(opening, tell_days)
    if room.role.migrates:
        # Of a file, so it is told while a store is away, too.
        yield recurring(
            lambda: forgetting.tell(room.paths, dt.datetime.now(dt.UTC)),
            _TELL_EVERY_SECONDS,
            stop,
            lambda error: log.error("erasures_not_told", **facts(error)),
        )
    if room.role.answers:
        make_ready = recurring(
            lambda: reading.make_ready(stop.is_set),
            _LOOK_EVERY_SECONDS,
            stop,
            lambda error: log.error("pages_not_ready", **facts(error)),  # a reader gets the page or its failure
            first_after_seconds=_LOOK_EVERY_SECONDS,
        )
        yield _once_open(opening, make_ready)
    if room.role.takes_reports:
        tell_values = recurring(
            KnownValues(room).tell,
            _TELL_EVERY_SECONDS,
            stop,
            lambda error: log.error("known_values_not_told", **facts(error)),
        )
        yield _once_open(opening, tell_values)
    if room.is_one_of_several:
        # How far this collector is, for whoever publishes from the store.
        tell_others = recurring(
            lambda: room.note(dt.datetime.now(dt.UTC).date()),
            _TELL_EVERY_SECONDS,
            stop,
            lambda error: log.error("node_not_noted", **facts(error)),
        )
        yield _once_open(opening, tell_others)
    if room.role is Role.INGEST:
        yield recurring(
            lambda: _look_ahead(room),
            _LOOK_AHEAD_EVERY_SECONDS,
            stop,
            lambda _: log.warning("pepper_due"),  # one that cannot be looked for is as good as missing
        )


async def _once_open(opening: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wait([opening])
    await work


def _look_ahead(room: StoreRoom) -> None:
    """Tells the operator of a pepper that will be missing."""
    if room.pepper.is_due(dt.datetime.now(dt.UTC).date()):
        log.warning("pepper_due")


def _refuse_unusable(opening: asyncio.Task[None]) -> None:
    error = opening.exception() if opening.done() else None
    if isinstance(error, UNUSABLE):
        raise child.CannotStartError(str(error)) from error


def _end_at_the_latest(control: Path) -> None:
    """Ends this process after a while even if a thread of it waits for a store that hangs; segments stay."""

    def end() -> None:
        log.error("stopped_while_busy")
        control.unlink(missing_ok=True)
        os._exit(0)  # an orderly exit would wait for that thread

    timer = threading.Timer(_DRAIN_SECONDS, end)
    timer.daemon = True
    timer.start()


async def _load(loading: Loading, opening: asyncio.Task[None]) -> None:
    await asyncio.wait([opening])
    if not opening.exception():
        await loading.run()


def _leave(room: StoreRoom) -> None:
    """Says that this collector leaves, if nothing that it received waits; else it is waited for."""
    waiting = room.loader.waiting_segments()
    try:
        room.note(dt.datetime.now(dt.UTC).date(), has_left=not waiting)
    except EngineError as error:
        log.error("node_not_noted", **facts(error))
    if waiting:
        log.warning("node_left_with_backlog", segments=waiting)


def _control(room: StoreRoom, publishing: Publishing, ledger: Ledger) -> list[web.RouteDef]:
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
        async with publishing.alone:
            await asyncio.to_thread(room.loader.load_some)
            try:
                released = await asyncio.to_thread(publish_closable, room, now, through)
            except HeldByAnotherError as error:
                return web.json_response({"error": str(error)}, status=409)
            waiting = await asyncio.to_thread(room.publisher.due, through)
        return web.json_response({"released": released, "waiting": [str(day) for day in waiting]})

    return [
        web.get("/status", get_status),
        web.post("/publish", post_publish),
        *local_commands.routes(room, ledger, publishing.quarantine),
        *backups.routes(room, publishing.alone),
        *licence_commands.routes(room, publishing.alone, publishing.quarantine),
    ]


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
    except LedgerError as error:
        log.error("request_failed", error=type(error).__name__, code=error.code)
        return web.json_response({"error": "who may read what cannot be looked up now; try again"}, status=503)
    except EngineError as error:
        if error.kind is Failure.ANSWERED:  # else the log has store_unreachable
            log.error("request_failed", code=error.code)
        return web.json_response({"error": str(error)}, status=503)


async def _serve(
    routes: list[web.RouteDef],
    listening: socket.socket,
    demand_sign_in: Callable[[web.Application], None] | None = None,
) -> web.AppRunner:
    app = web.Application(middlewares=[_engine_errors])
    app.add_routes(routes)
    if demand_sign_in is not None:
        demand_sign_in(app)
    runner = Runner(app)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


def main() -> None:
    """Entry of the process."""
    role = Role(sys.argv[1])
    listening = socket.socket(fileno=int(sys.argv[2])) if role.answers else None
    child.run("store", lambda settings, orders: keep(settings, orders.stop, role, listening))


if __name__ == "__main__":
    main()
