"""What a running `serve` does for commands on the same machine, beside status and publishing.

Answers on the control socket alone, which only the owner of the data directory can open.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from aiohttp import web

from collector.configuration import accepted, limits_of
from collector.publish.publisher import due_days, last_closed
from collector.retention.look import held_in, peppers_in
from collector.store import nodes, quarantine
from collector.store.retry import retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.reports.access.ledger import Ledger
    from collector.settings import Settings
    from collector.storeroom import StoreRoom

# Settings that a command needs to judge by what the running server goes by; never one that holds a secret.
_SHOWN = ("workers", "reserve_percent", "seal_after_seconds", "publish_after_minutes", "keep_after_release_days")
_SHOWN_LIMITS = ("behind_after_seconds", "max_spool_bytes", "publish_at_the_latest_after_hours")
SHOWN_FILES = ("policy", "catalogue", "menu", "tls_certificate", "tls_key", "store_password_file")


def routes(room: StoreRoom, ledger: Ledger, one_at_a_time: asyncio.Lock) -> list[web.RouteDef]:
    """The routes, for the store process.

    Args:
        room: the store.
        ledger: with the audit trail.
        one_at_a_time: held by whoever changes what is in quarantine.
    """

    async def get_settings(_: web.Request) -> web.Response:
        return web.json_response(shown(room.settings))

    async def get_days(_: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(_days, room))

    async def get_retention(_: web.Request) -> web.Response:
        limits = limits_of(room.settings, accepted(room.paths).policy)
        return web.json_response(await asyncio.to_thread(held_in, room, ledger, limits, _today()))

    async def get_peppers(_: web.Request) -> web.Response:
        limits = limits_of(room.settings, accepted(room.paths).policy)
        return web.json_response({"peppers": await asyncio.to_thread(peppers_in, room, limits, _today())})

    async def post_retry(request: web.Request) -> web.Response:
        async with one_at_a_time:
            return await asyncio.to_thread(_with_segment, room, request.query.get("name"), _retry)

    async def post_drop(request: web.Request) -> web.Response:
        async with one_at_a_time:
            return await asyncio.to_thread(_with_segment, room, request.query.get("name"), _drop)

    async def get_nodes(_: web.Request) -> web.Response:
        found = await asyncio.to_thread(nodes.all_nodes, room.engine)
        return web.json_response({"nodes": [one.shown() for one in found]})

    async def post_forget(request: web.Request) -> web.Response:
        await asyncio.to_thread(nodes.forget, room.engine, request.query.get("name", ""))
        return web.json_response({})

    return [
        web.get("/settings", get_settings),
        web.get("/nodes", get_nodes),
        web.post("/nodes/forget", post_forget),
        web.get("/days", get_days),
        web.get("/retention", get_retention),
        web.get("/peppers", get_peppers),
        web.post("/quarantine/retry", post_retry),
        web.post("/quarantine/drop", post_drop),
    ]


def shown(settings: Settings) -> dict[str, Any]:
    """The settings that commands judge by; paths are absolute."""
    files = {name: getattr(settings, name) for name in SHOWN_FILES}
    values = {name: getattr(settings, name) for name in (*_SHOWN, *_SHOWN_LIMITS)}
    return values | {name: str(path.absolute()) if path else None for name, path in files.items()}


def last_due(now: dt.datetime, publish_after_minutes: int) -> dt.date:
    """The last day that should be closed at `now`."""
    return (now - dt.timedelta(minutes=publish_after_minutes)).date() - dt.timedelta(days=1)


def _days(room: StoreRoom) -> dict[str, Any]:
    # Not the publisher's own connection: a question need not wait for a day that is being closed.
    last = last_closed(room.engine)
    through = last_due(dt.datetime.now(dt.UTC), room.settings.publish_after_minutes)
    return {
        "last_closed": last.isoformat() if last else None,
        "due": [day.isoformat() for day in due_days(room.engine, through)],
    }


def _with_segment(room: StoreRoom, name: str | None, act: Callable[[StoreRoom, Path], dict[str, int]]) -> web.Response:
    path = next((one.path for one in quarantine.set_aside_segments(room.paths.quarantine) if one.name == name), None)
    if path is None:
        return web.json_response({"error": "there is no such segment in quarantine any more"}, status=404)
    try:
        return web.json_response(act(room, path))
    except OSError as error:
        return web.json_response({"error": f"the segment could not be handled: {error.strerror}"}, status=500)


def _retry(room: StoreRoom, path: Path) -> dict[str, int]:
    # A connection of its own: a long retry holds up neither loading nor questions.
    session = room.engine.session()
    try:
        return dataclasses.asdict(retry(session, path))
    finally:
        session.close()


def _drop(_: StoreRoom, path: Path) -> dict[str, int]:
    return {"dropped": quarantine.drop(path, _today())}


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
