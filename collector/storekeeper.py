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

from collector import backups, child, licence_commands, local_commands
from collector.configuration import accepted, limits_of
from collector.days import Days
from collector.ingest.values import FIELDS as BUDGETED
from collector.ingest.values import write_known
from collector.journal import Journal
from collector.layout import layout
from collector.loading import UNUSABLE, Loading, facts
from collector.metrics import PUBLISH_FAILURES, STANDS_BY
from collector.publish.publisher import NotOverError, last_closed
from collector.reading_room import ReadingRoom, reading_room
from collector.reports.access.install import install
from collector.reports.access.ledger import LedgerError, open_ledger
from collector.reports.access.runner import Runner
from collector.retention.deleting import Deleting
from collector.roles import Role
from collector.steadiness import TRUSTED_AGAIN_AFTER_SECONDS, Steadiness, seconds_since_boot
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
_PUBLISH_EVERY_SECONDS = 60
_PUBLISH_EVERY_SECONDS_BEHIND = 5
_TELL_EVERY_SECONDS = 10
_LOOK_AHEAD_EVERY_SECONDS = 24 * 3600
_LOOK_EVERY_SECONDS = 30
# Days that are due after a start are closed first, if nothing keeps them from it.
_DELETE_FIRST_AFTER_SECONDS = 120
_DELETE_EVERY_SECONDS = 3600
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
        publishing = asyncio.Lock()
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
        work = [
            *_work(room, stop, opening, publishing, reading),
            _delete(room, ledger, journal, stop, opening, publishing),
        ]
        tasks = [asyncio.create_task(one) for one in (_load(loading, opening), *work)]
        await stop.wait()
        _end_at_the_latest(paths.control)
        await asyncio.gather(*tasks)
        if room.is_one_of_several and opening.done() and not opening.exception():
            await asyncio.to_thread(_leave, room)
        for runner in runners:
            await runner.cleanup()
        paths.control.unlink(missing_ok=True)
        _refuse_unusable(opening)


def _work(
    room: StoreRoom,
    stop: asyncio.Event,
    opening: asyncio.Task[None],
    publishing: asyncio.Lock,
    reading: ReadingRoom,
) -> Iterator[Coroutine[Any, Any, None]]:
    """What this role does beside loading, each until the stop."""
    if room.role.publishes:
        yield _publish(room, publishing, stop, opening)
        yield _tell_days(room, stop, opening)
    if room.role.answers:
        yield _make_ready(reading, stop, opening)
    if room.role.takes_reports:
        yield _tell_known_values(room, stop, opening)
    if room.is_one_of_several:
        yield _tell_the_others(room, stop, opening)
    if room.role is Role.INGEST:
        yield _look_ahead(room, stop)


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


def closable_through(settings: Settings, now: dt.datetime, through: dt.date, room: StoreRoom) -> dt.date | None:
    """The last day up to `through` that may be closed at `now`, or None.

    A day may be closed once every spool has loaded past it, or once it has waited long enough; not by
    waiting alone while this machine's own spool is being caught up with.
    """
    patience = dt.timedelta(hours=settings.publish_at_the_latest_after_hours)
    last = None
    for day in room.publisher.due(through):
        ended = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(tzinfo=dt.UTC))
        if not room.publisher.has_loaded_past(day) and (room.loader.is_behind or now < ended + patience):
            break
        last = day
    return last


async def _load(loading: Loading, opening: asyncio.Task[None]) -> None:
    await asyncio.wait([opening])
    if not opening.exception():
        await loading.run()


async def _publish(room: StoreRoom, publishing: asyncio.Lock, stop: asyncio.Event, opening: asyncio.Task[None]) -> None:
    """Publishes what is due; a failure is logged and tried again."""
    await asyncio.wait([opening])
    clock = Steadiness()
    repeating = licence_commands.Repeating(room)
    stands_by = False
    while not stop.is_set():
        now = dt.datetime.now(dt.UTC)
        if not clock.is_steady(now.timestamp(), seconds_since_boot()):
            PUBLISH_FAILURES.inc()
            log.error("clock_jumped", closing_waits_seconds=TRUSTED_AGAIN_AFTER_SECONDS)
            await _pause(stop, _PUBLISH_EVERY_SECONDS)
            continue
        through = (now - dt.timedelta(minutes=room.settings.publish_after_minutes)).date() - dt.timedelta(days=1)
        # Looked at before the spool is judged: what is loaded in between is soon out, too.
        is_behind = room.loader.is_behind
        try:
            async with publishing:
                # First what was to be forgotten: nothing of it is counted any more.
                await asyncio.to_thread(repeating.go_on, now)
                await asyncio.to_thread(_publish_closable, room, now, through)
                await asyncio.to_thread(_publish_so_far, room, now)
            stands_by = False
        except HeldByAnotherError:
            if not stands_by:
                log.info("publishing_stands_by")
            stands_by = True
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            PUBLISH_FAILURES.inc()
            log.error("publish_failed", **facts(error))
            await _pause(stop, _PUBLISH_EVERY_SECONDS)
            continue
        STANDS_BY.set(stands_by)
        # After days of downtime the spool comes first, and what it made ready is soon out.
        await _pause(stop, _PUBLISH_EVERY_SECONDS_BEHIND if is_behind else _PUBLISH_EVERY_SECONDS)


async def _delete(
    room: StoreRoom,
    ledger: Ledger,
    journal: Journal,
    stop: asyncio.Event,
    opening: asyncio.Task[None],
    publishing: asyncio.Lock,
) -> None:
    """Deletes what is too old, now and then; never by a clock that was just moved."""
    clock = Steadiness()
    await _pause(stop, _DELETE_FIRST_AFTER_SECONDS)
    while not stop.is_set():
        now = dt.datetime.now(dt.UTC)
        if not clock.is_steady(now.timestamp(), seconds_since_boot()):
            await _pause(stop, _PUBLISH_EVERY_SECONDS)
            continue
        # After an outage what waits is loaded and closed first: it may be needed, and its age is judged then.
        is_behind = not opening.done() or (room.role.takes_reports and room.loader.is_behind)
        async with publishing:
            limits = limits_of(room.settings, accepted(room.paths).policy)
            await asyncio.to_thread(Deleting(room, ledger, journal, limits).run, now.date(), with_store=not is_behind)
        await _pause(stop, _PUBLISH_EVERY_SECONDS if is_behind else _DELETE_EVERY_SECONDS)


async def _make_ready(reading: ReadingRoom, stop: asyncio.Event, opening: asyncio.Task[None]) -> None:
    """Keeps the pages ready that people look at first."""
    await asyncio.wait([opening])
    while not stop.is_set():
        await _pause(stop, _LOOK_EVERY_SECONDS)
        try:
            if not stop.is_set():
                await asyncio.to_thread(reading.make_ready, stop.is_set)
        except EngineError:
            continue  # the log has store_unreachable
        except Exception as error:  # noqa: BLE001 - a reader gets the page or its failure
            log.error("pages_not_ready", **facts(error))


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


def _publish_so_far(room: StoreRoom, now: dt.datetime) -> None:
    """Releases the open day so far, once what came until now is loaded."""
    period = room.publisher.due_so_far(now)
    if period is not None and not room.loader.is_behind:
        room.publisher.publish_so_far(period)


async def _tell_known_values(room: StoreRoom, stop: asyncio.Event, opening: asyncio.Task[None]) -> None:
    """Tells the ingest workers which values are published, whoever released them: those never count as new."""
    await asyncio.wait([opening])
    told = ""
    while not stop.is_set():
        try:
            if (state := await asyncio.to_thread(room.released.state)) != told:
                values = await asyncio.to_thread(room.released.values, BUDGETED)
                await asyncio.to_thread(write_known, room.paths.known_values, values)
                told = state
        except EngineError:
            pass  # the log has store_unreachable
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            log.error("known_values_not_told", **facts(error))
        await _pause(stop, _TELL_EVERY_SECONDS)


async def _tell_days(room: StoreRoom, stop: asyncio.Event, opening: asyncio.Task[None]) -> None:
    """Says in the metrics which day was closed last, and how many are due."""
    await asyncio.wait([opening])
    # Not the publisher's own connection: a look need not wait for a day that is being closed.
    days = Days(room.engine, room.settings.publish_after_minutes)
    while not stop.is_set():
        try:
            await asyncio.to_thread(days.look, dt.datetime.now(dt.UTC))
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            log.error("days_not_told", **facts(error))
        await _pause(stop, _TELL_EVERY_SECONDS)


async def _tell_the_others(room: StoreRoom, stop: asyncio.Event, opening: asyncio.Task[None]) -> None:
    """Tells the store how far this collector is, for whoever publishes from it."""
    await asyncio.wait([opening])
    while not stop.is_set():
        try:
            await asyncio.to_thread(room.note, dt.datetime.now(dt.UTC).date())
        except EngineError:
            pass  # the log has store_unreachable
        except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
            log.error("node_not_noted", **facts(error))
        await _pause(stop, _TELL_EVERY_SECONDS)


async def _look_ahead(room: StoreRoom, stop: asyncio.Event) -> None:
    """Tells the operator once a day of a pepper that will be missing."""
    while not stop.is_set():
        if room.pepper.is_due(dt.datetime.now(dt.UTC).date()):
            log.warning("pepper_due")
        await _pause(stop, _LOOK_AHEAD_EVERY_SECONDS)


def _leave(room: StoreRoom) -> None:
    """Says that this collector leaves, if nothing that it received waits; else it is waited for."""
    waiting = room.loader.waiting_segments()
    try:
        room.note(dt.datetime.now(dt.UTC).date(), has_left=not waiting)
    except EngineError as error:
        log.error("node_not_noted", **facts(error))
    if waiting:
        log.warning("node_left_with_backlog", segments=waiting)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _control(room: StoreRoom, publishing: asyncio.Lock, ledger: Ledger) -> list[web.RouteDef]:
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
            await asyncio.to_thread(room.loader.load_some)
            try:
                released = await asyncio.to_thread(_publish_closable, room, now, through)
            except HeldByAnotherError as error:
                return web.json_response({"error": str(error)}, status=409)
            waiting = await asyncio.to_thread(room.publisher.due, through)
        return web.json_response({"released": released, "waiting": [str(day) for day in waiting]})

    quarantine = asyncio.Lock()
    return [
        web.get("/status", get_status),
        web.post("/publish", post_publish),
        *local_commands.routes(room, ledger, quarantine),
        *backups.routes(room, publishing),
        *licence_commands.routes(room, publishing, quarantine),
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
