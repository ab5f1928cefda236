"""The reports routes: read-only, from published cells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from collector.publish.claim import claim
from collector.publish.released import told
from collector.reports.usage import UsageError, read_question, usage

if TYPE_CHECKING:
    from collector.publish.release import Rules
    from collector.publish.released import Released

_MOST_RELEASES = 1000


def routes(released: Released, rules: Rules, *, simulated: bool) -> list[web.RouteDef]:
    """`GET /v1/usage`, `/v1/releases`, `/v1/privacy` and `/livez`."""

    async def get_usage(request: web.Request) -> web.Response:
        try:
            question = read_question(request.query)
            return web.json_response(
                await asyncio.to_thread(usage, released, rules.menu, question, simulated=simulated)
            )
        except UsageError as error:
            return web.json_response({"error": str(error)}, status=400)

    async def get_releases(_: web.Request) -> web.Response:
        found = await asyncio.to_thread(released.releases, _MOST_RELEASES)
        return web.json_response({"releases": [told(release) for release in found]})

    async def get_privacy(_: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(claim, rules))

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    return [
        web.get("/v1/usage", get_usage),
        web.get("/v1/releases", get_releases),
        web.get("/v1/privacy", get_privacy),
        web.get("/livez", alive),
    ]
