"""The reports routes: read-only, from published cells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from collector.reports.usage import UsageError, read_question, usage

if TYPE_CHECKING:
    from collector.publish.menu import Menu
    from collector.publish.released import Released


def routes(released: Released, menu: Menu, *, simulated: bool) -> list[web.RouteDef]:
    """`GET /v1/usage` and `GET /livez`."""

    async def get_usage(request: web.Request) -> web.Response:
        try:
            question = read_question(request.query)
            return web.json_response(await asyncio.to_thread(usage, released, menu, question, simulated=simulated))
        except UsageError as error:
            return web.json_response({"error": str(error)}, status=400)

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    return [web.get("/v1/usage", get_usage), web.get("/livez", alive)]
