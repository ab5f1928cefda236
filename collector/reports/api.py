"""The reports API: read-only, from published cells; every answer carries an entity tag and is kept until it changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from collector.reports import openapi
from collector.reports.cache import Cache, Kept
from collector.reports.formats import MEDIA_TYPES, written
from collector.reports.question import UsageError, read_question

if TYPE_CHECKING:
    from collector.reports.library import Library

_MAX_AGE_SECONDS = 60
_PACKED_FROM_BYTES = 1_000
Make = Callable[[], Kept]


class Api:
    """Answers requests, from the cache where it can.

    Args:
        library: what answers are made of.
        state: says when the library's answers change.
    """

    def __init__(self, library: Library, state: Callable[[], str]) -> None:
        self._library = library
        self._cache = Cache(state)

    def routes(self) -> list[web.RouteDef]:
        """`GET /v1/usage`, `/v1/products`, `/v1/releases`, `/v1/privacy`, `/openapi.json` and `/livez`."""
        return [
            web.get("/v1/usage", self._usage),
            web.get("/v1/products", self._plain(self._library.products)),
            web.get("/v1/releases", self._plain(self._library.releases)),
            web.get("/v1/privacy", self._plain(self._library.claim)),
            web.get("/openapi.json", self._plain(openapi.document)),
            web.get("/livez", _alive),
        ]

    async def cached(self, request: web.Request, make: Make) -> web.Response:
        """The answer to a request: 304 where the client has it, from the cache, or made now in a thread."""
        asked = "&".join(sorted(request.query_string.split("&")))
        tag = await asyncio.to_thread(self._cache.tag, f"{request.path}?{asked}")
        headers = {"ETag": f'W/"{tag}"', "Cache-Control": f"private, max-age={_MAX_AGE_SECONDS}", "Vary": "Cookie"}
        if any(one.value == tag for one in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        kept = self._cache.get(tag)
        if kept is None:
            kept = await asyncio.to_thread(make)
            if kept.status == 200:  # noqa: PLR2004 - HTTP's own
                self._cache.keep(tag, kept)
        response = web.Response(body=kept.body, status=kept.status, headers=headers, content_type=kept.media_type)
        if kept.media_type.startswith(("application/json", "text/", "image/svg")):
            response.charset = "utf-8"
            if len(kept.body) >= _PACKED_FROM_BYTES:
                response.enable_compression()
        if kept.status >= 400:  # noqa: PLR2004 - HTTP's own boundary
            del response.headers["ETag"]
            response.headers["Cache-Control"] = "no-store"
        return response

    async def _usage(self, request: web.Request) -> web.Response:
        def make() -> Kept:
            try:
                question = read_question(once(request))
                answer = self._library.usage(question)
                return Kept(200, MEDIA_TYPES[question.form], written(answer, question.form, self._library.released))
            except UsageError as error:
                return refused(str(error))

        response = await self.cached(request, make)
        if request.query.get("format", "json") != "json" and response.status == 200:  # noqa: PLR2004 - HTTP's own
            name = read_question(once(request)).file_name
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _plain(self, make: Callable[[], dict[str, Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            if request.query_string:
                return web.json_response({"error": "this address takes no parameters"}, status=400)
            return await self.cached(request, lambda: Kept(200, "application/json", _line(make())))

        return handler


def once(request: web.Request) -> dict[str, str]:
    """The parameters of a request, each given once.

    Raises:
        UsageError: one is given twice.
    """
    if len(set(request.query)) < len(request.query):
        raise UsageError("a parameter is given twice")
    return dict(request.query)


def refused(why: str) -> Kept:
    """An answer that says what can be asked instead."""
    return Kept(400, "application/json", _line({"error": why}))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})
